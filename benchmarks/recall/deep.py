"""Long streams of results, and filters from nearly everything to nearly nothing."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.support.datasets import synthetic_rows
from benchmarks.support.indexed import IndexedWatch
from benchmarks.support.report import percentiles
from benchmarks.support.server import SPACE, server
from engram import Cue, Filter, MemoryStore, Space
from engram.client import AsyncClient

BATCHES = (10, 100)
SELECTIVITIES = (1.0, 0.5, 0.1, 0.05, 0.01, 0.001, 0.0001)


def streamed(dim: int, count: int, results: int = 10_000, queries: int = 20) -> list[dict[str, Any]]:
    """All results of a stream, embedded and over gRPC: when first and last come, and how many are the nearest."""
    rows = synthetic_rows(count + queries, dim)
    base, cues = rows[:count], rows[count:]
    with tempfile.TemporaryDirectory(prefix="engram-bench-") as scratch:
        path = Path(scratch) / "store"
        with MemoryStore(path) as store:
            space = store.space(SPACE, dim=dim)
            _fill(space, base)
            measured = {("embedded", batch): [_drain(space, cue, results, batch) for cue in cues] for batch in BATCHES}
        with server(path) as (_, address):
            for batch in BATCHES:
                measured["gRPC", batch] = asyncio.run(_drain_all(address, cues, results, batch))
    truth = [set(np.argpartition(-(base @ cue), results)[:results].tolist()) for cue in cues]
    return [
        {
            "way": way,
            "observations": count,
            "dimension": dim,
            "results": results,
            "batch": batch,
            **percentiles("first batch", [first for first, _, _ in drained]),
            **percentiles("all", [last for _, last, _ in drained]),
            "share of the nearest": float(
                np.mean([len(ids & nearest) / results for (_, _, ids), nearest in zip(drained, truth, strict=True)])
            ),
        }
        for (way, batch), drained in measured.items()
    ]


def filters(dim: int, count: int, queries: int = 200, k: int = 10) -> list[dict[str, Any]]:
    """Recalls with a tag that a share of the observations has: how many of the exact nearest, how fast."""
    rows = synthetic_rows(count + queries, dim)
    base, cues = rows[:count], rows[count:]
    rng = np.random.default_rng(3)
    has = {share: rng.random(count) < share for share in SELECTIVITIES}
    tags = [[f"{share}" for share in SELECTIVITIES if has[share][row]] for row in range(count)]
    table = []
    with MemoryStore(None) as store:
        space = store.space(SPACE, dim=dim)
        _fill(space, base, tags)
        for share, ef in itertools.product(SELECTIVITIES, (64, 128)):
            passing = np.flatnonzero(has[share])
            times_ms, found = [], 0
            for cue in cues:
                begin = time.perf_counter()
                hits = space.recall(Cue(cue, filter=Filter(tags={f"{share}"})), k=k, ef=ef)
                times_ms.append((time.perf_counter() - begin) * 1e3)
                nearest = passing[np.argsort(-(base[passing] @ cue))[:k]]
                found += len({int(hit.id) for hit in hits} & set(nearest.tolist()))
            table.append(
                {
                    "observations": count,
                    "dimension": dim,
                    "selectivity": share,
                    "pass": len(passing),
                    "ef": ef,
                    f"recall@{k}": found / (len(cues) * min(k, max(1, len(passing)))),
                    **percentiles("recall", times_ms),
                }
            )
    return table


def _fill(space: Space, base: NDArray[np.float32], tags: list[list[str]] | None = None) -> None:
    for first in range(0, len(base), 5000):
        rows = slice(first, first + 5000)
        ids = [f"{row}" for row in range(first, first + len(base[rows]))]
        space.observe(ids, base[rows], [f"text {id}" for id in ids], tags=None if tags is None else tags[rows])
    IndexedWatch(space).wait()


def _drain(space: Space, cue: NDArray[np.float32], results: int, batch_size: int) -> tuple[float, float, set[int]]:
    begin = time.perf_counter()
    stream = space.recall_stream(cue, results, batch_size)
    hits = next(stream)
    first_ms = (time.perf_counter() - begin) * 1e3
    for batch in stream:
        hits += batch
    last_ms = (time.perf_counter() - begin) * 1e3
    return first_ms, last_ms, {int(hit.id) for hit in hits}


async def _drain_all(
    address: str, cues: NDArray[np.float32], results: int, batch_size: int
) -> list[tuple[float, float, set[int]]]:
    measured = []
    async with AsyncClient(address, space=SPACE) as client:
        await client.recall(cues[0])
        for cue in cues:
            begin = time.perf_counter()
            first_ms, ids = 0.0, list[str]()
            async for batch in client.recall_stream(cue, results, batch_size):
                first_ms = first_ms or (time.perf_counter() - begin) * 1e3
                ids += [hit.id for hit in batch]
            measured.append((first_ms, (time.perf_counter() - begin) * 1e3, {int(id) for id in ids}))
    return measured
