"""Standing recalls beside a stream: from the commit of an observation to its arrival at the followers."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.support.datasets import synthetic_rows
from benchmarks.support.report import percentiles
from benchmarks.support.server import SPACE, server
from engram import Cue
from engram.client import AsyncClient

BATCH = 100


def standing(dim: int, seconds: float, cues: int = 1000, rate: float = 10_000) -> list[dict[str, Any]]:
    """1 000 followers, each of one cue, beside 10 000 observations a second; about one in a hundred fits some cue."""
    return [asyncio.run(_standing(dim, seconds, cues, rate))]


async def _standing(dim: int, seconds: float, cues: int, rate: float) -> dict[str, Any]:
    rows = synthetic_rows(20_000 + cues, dim)
    base, wanted = rows[:20_000], rows[20_000:]
    latencies_ms: list[float] = []
    sent_s: dict[str, float] = {}
    got: list[list[int]] = [[] for _ in range(cues)]
    with (
        tempfile.TemporaryDirectory(prefix="engram-bench-") as scratch,
        # One client has all of them.
        server(Path(scratch) / "store", "--recall-streams-per-client-max", str(cues)) as (_, address),
    ):
        async with AsyncClient(address, space=SPACE) as writer, AsyncClient(address, space=SPACE) as reader:
            await writer.create_space(SPACE, dim=dim)
            await (await writer.submit(["first"], base[:1]))
            subscriptions = [
                asyncio.create_task(_follow(reader, cue, found, sent_s, latencies_ms))
                for cue, found in zip(wanted, got, strict=True)
            ]
            await asyncio.sleep(3)
            planted, count = await _stream(writer, base, wanted, sent_s, seconds, rate)
            # What is late or comes twice shows, too.
            await asyncio.sleep(3)
            for subscription in subscriptions:
                subscription.cancel()
            await asyncio.gather(*subscriptions, return_exceptions=True)
    expected: list[list[int]] = [[] for _ in range(cues)]
    for cue, generation in planted:
        expected[cue].append(generation)
    return {
        "dimension": dim,
        "standing cues": cues,
        "observations/s": count / seconds,
        "matches": len(planted),
        "delivered": sum(map(len, got)),
        "once and in order": all(a == b for a, b in zip(got, expected, strict=True)),
        **percentiles("sent to followed", latencies_ms),
    }


async def _follow(
    reader: AsyncClient,
    cue: NDArray[np.float32],
    found: list[int],
    sent_s: dict[str, float],
    latencies_ms: list[float],
) -> None:
    async for batch in reader.recall_stream(Cue(cue, score_min=0.99), 1, follow=True):
        now_s = time.perf_counter()
        for hit in batch:
            latencies_ms.append((now_s - sent_s[hit.id]) * 1e3)
            found.append(hit.generation)


async def _stream(
    writer: AsyncClient,
    base: NDArray[np.float32],
    wanted: NDArray[np.float32],
    sent_s: dict[str, float],
    seconds: float,
    rate: float,
) -> tuple[list[tuple[int, int]], int]:
    """Stream at `rate`, in each batch one observation that is a cue; return cues and generations of those."""
    rng = np.random.default_rng(2)
    begin, number = time.perf_counter(), 0
    acks = []
    while time.perf_counter() - begin < seconds:
        await asyncio.sleep(max(0.0, begin + number * BATCH / rate - time.perf_counter()))
        vectors = base[rng.integers(0, len(base), BATCH)].copy()
        cue, row = int(rng.integers(len(wanted))), int(rng.integers(BATCH))
        vectors[row] = wanted[cue]
        ids = [f"{number}-{i}" for i in range(BATCH)]
        sent_s[ids[row]] = time.perf_counter()
        acks.append((cue, row, await writer.submit(ids, vectors)))
        number += 1
    await writer.flush()
    return [(cue, (await ack).first_generation + row) for cue, row, ack in acks], number * BATCH
