"""Recalls beside a stream of observations: how fresh, how fast, and what the stream loses."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.support.datasets import synthetic_rows
from benchmarks.support.paced_load import result_of, start
from benchmarks.support.report import percentiles
from benchmarks.support.server import CATCH_UP_TIMEOUT_S, SPACE, server
from engram.client import AsyncClient

PRELOADED = 50_000


def freshness(dim: int, seconds: float, rate: float = 50_000) -> list[dict[str, Any]]:
    """From one client's ack to the answer of another client's recall that has the observation."""
    return [asyncio.run(_freshness(dim, seconds, rate))]


def beside(dim: int, seconds: float, rate: float = 100_000) -> list[dict[str, Any]]:
    """Recalls at 10 and 200 a second beside a stream, and the stream alone."""
    alone = asyncio.run(_beside(dim, seconds, rate, 0))
    rows = [alone]
    for recalls in (10, 200):
        row = asyncio.run(_beside(dim, seconds, rate, recalls))
        row["ingest loss %"] = 100 * (1 - row["observations/s"] / alone["observations/s"])
        rows.append(row)
    return rows


@asynccontextmanager
async def _loaded_server(dim: int) -> AsyncIterator[tuple[str, NDArray[np.float32]]]:
    """A server whose space holds something, all of it indexed; and cues like what it holds."""
    with (
        tempfile.TemporaryDirectory(prefix="engram-bench-") as scratch,
        server(Path(scratch) / "store") as (_, address),
    ):
        rows = synthetic_rows(PRELOADED + 1000, dim)
        async with AsyncClient(address, space=SPACE) as client:
            await client.create_space(SPACE, dim=dim)
            for first in range(0, PRELOADED, 1000):
                ids = [f"old-{i}" for i in range(first, first + 1000)]
                await client.submit(ids, rows[first : first + 1000], [f"observation {id}" for id in ids])
            await client.flush()
            await client.wait_indexed(timeout_s=CATCH_UP_TIMEOUT_S)
        yield address, rows[PRELOADED:]


async def _freshness(dim: int, seconds: float, rate: float) -> dict[str, Any]:
    waits_ms: list[float] = []
    tries: list[int] = []
    async with _loaded_server(dim) as (address, _):
        vectors = np.random.default_rng(5).standard_normal((20_000, dim)).astype(np.float32)
        async with AsyncClient(address, space=SPACE) as writer, AsyncClient(address, space=SPACE) as reader:
            await reader.recall(vectors[0], k=1)
            with _load(address, rate, seconds, dim) as load:
                number = 0
                while load.poll() is None:
                    number += 1
                    future = await writer.submit(f"probe-{number}", vectors[number])
                    await future
                    acked_s = time.perf_counter()
                    tries.append(1)
                    while (await reader.recall(vectors[number], k=1))[0].id != f"probe-{number}":
                        tries[-1] += 1
                    waits_ms.append((time.perf_counter() - acked_s) * 1e3)
                stream = result_of(load)
    return {
        "dimension": dim,
        "asked observations/s": rate,
        **stream,
        "probes": len(tries),
        "found by the first recall %": 100 * sum(1 for count in tries if count == 1) / len(tries),
        "recalls until found, at most": max(tries),
        **percentiles("ack to recalled", waits_ms),
    }


async def _beside(dim: int, seconds: float, rate: float, recalls: int) -> dict[str, Any]:
    whole_ms: list[float] = []
    first_ms: list[float] = []
    async with _loaded_server(dim) as (address, cues), AsyncClient(address, space=SPACE) as reader:
        await reader.recall(cues[0])
        with _load(address, rate, seconds, dim) as load:
            begin, number = time.perf_counter(), 0
            tasks: set[asyncio.Task[None]] = set()
            while load.poll() is None:
                if not recalls:
                    await asyncio.sleep(0.2)
                    continue
                await asyncio.sleep(max(0.0, begin + number / recalls - time.perf_counter()))
                cue = cues[number % len(cues)]
                work = _stream_first(reader, cue, first_ms) if number % 2 else _recall(reader, cue, whole_ms)
                task = asyncio.create_task(work)
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                number += 1
            stream = result_of(load)
            # Those that fail, under more load than the server takes, are the ones that are missing in the samples.
            await asyncio.gather(*tasks, return_exceptions=True)
    measured: dict[str, float] = {}
    if recalls:
        measured = {"failed recalls": number - len(whole_ms) - len(first_ms)}
        measured |= {**percentiles("recall", whole_ms), **percentiles("first batch", first_ms)}
    return {
        "dimension": dim,
        "asked observations/s": rate,
        "recalls/s": recalls,
        **stream,
        "ingest loss %": 0.0,
        **measured,
    }


async def _recall(reader: AsyncClient, cue: NDArray[np.float32], samples_ms: list[float]) -> None:
    begin = time.perf_counter()
    await reader.recall(cue, k=10)
    samples_ms.append((time.perf_counter() - begin) * 1e3)


async def _stream_first(reader: AsyncClient, cue: NDArray[np.float32], samples_ms: list[float]) -> None:
    begin = time.perf_counter()
    batches = reader.recall_stream(cue, 50, 10)
    async for _ in batches:
        samples_ms.append((time.perf_counter() - begin) * 1e3)
        break
    async for _ in batches:
        pass


@contextmanager
def _load(address: str, rate: float, seconds: float, dim: int) -> Any:
    process = start(address, rate, seconds, dim)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
