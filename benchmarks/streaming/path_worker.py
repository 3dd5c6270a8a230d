"""A process of `benchmarks.streaming.path_costs`: a server and a client of one version, and what they take.

It reads names of work, a line each, and answers each with a line of JSON: processor time in microseconds for each
observation or recall, and the time it took. It also runs in an environment with an older version.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.support.server import CATCH_UP_TIMEOUT_S, SPACE, server
from engram.client import AsyncClient

DIM = 128
COUNTS = {"batches": 51_200, "metadata": 25_600, "single": 8_000, "recall": 1_000}
_BATCH = 256
_K = 10
_METADATA = {"source": "sensor-3", "deck": 2, "note": "a short text"}


class Work:
    """Does the work with one client of one server."""

    def __init__(self, client: AsyncClient, process: psutil.Process) -> None:
        self._client = client
        self._process = process
        # An older version sends with these names.
        old: Any = client
        self._send_many = client.submit if hasattr(client, "submit") else old.observe_batch
        self._send_one = client.submit if hasattr(client, "submit") else old.observe
        self._rows = np.random.default_rng(7).standard_normal((_BATCH, DIM), dtype=np.float32)
        self._turn = 0

    async def measure(self, work: str) -> dict[str, float]:
        """Do it once, and wait until its observations are linked, so that the next does not pay for them."""
        calls: dict[str, Callable[[int], Awaitable[None]]] = {
            "batches": self._batches,
            "metadata": self._with_metadata,
            "single": self._single,
            "recall": self._recalls,
        }
        count = COUNTS[work]
        before = self._cpu_s()
        begin_s = time.perf_counter()
        await calls[work](count)
        seconds = time.perf_counter() - begin_s
        client_s, server_s = (after - start for after, start in zip(self._cpu_s(), before, strict=True))
        deadline_s = time.monotonic() + CATCH_UP_TIMEOUT_S
        while (status := await self._client.space_status()).indexed_generation < status.visible_generation:
            if time.monotonic() > deadline_s:
                raise SystemExit("the server does not catch up")
            await asyncio.sleep(0.05)
        return {"client": client_s * 1e6 / count, "server": server_s * 1e6 / count, "us": seconds * 1e6 / count}

    async def _batches(self, count: int, **columns: Any) -> None:
        futures = []
        for _ in range(count // _BATCH):
            self._turn += 1
            ids = [f"{self._turn}-{row}" for row in range(_BATCH)]
            futures.append(await self._send_many(ids, self._rows, ["a short text"] * _BATCH, **columns))
        await asyncio.gather(*futures)

    async def _with_metadata(self, count: int) -> None:
        await self._batches(count, metadata=[_METADATA] * _BATCH, tags=[["deck", "pump"]] * _BATCH)

    async def _single(self, count: int) -> None:
        self._turn += 1
        futures = [
            await self._send_one(f"{self._turn}-{row}", self._rows[row % _BATCH], "a short text", metadata=_METADATA)
            for row in range(count)
        ]
        await asyncio.gather(*futures)

    async def _recalls(self, count: int) -> None:
        for row in range(count):
            hits = await self._client.recall(self._rows[row % _BATCH], _K)
            assert hits[0].content
            assert hits[0].metadata is not None

    def _cpu_s(self) -> tuple[float, float]:
        return time.process_time(), _path_cpu_s(self._process.pid)


def _path_cpu_s(pid: int) -> float:
    """Processor time of the threads of a process that somebody waits for: those of ordinary priority.

    It is that of the scheduler, in nanoseconds. The times in `stat` are cut to hundredths of a second, for each thread.
    """
    nanoseconds = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            nice = int((task / "stat").read_text().rpartition(")")[2].split()[16])
            taken = int((task / "schedstat").read_text().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            if not Path("/proc/self/schedstat").exists():
                raise
            # The thread has ended meanwhile. Those that somebody waits for do not.
            continue
        nanoseconds += taken if nice <= 0 else 0
    return nanoseconds / 1e9


async def _serve() -> None:
    with tempfile.TemporaryDirectory(prefix="engram-bench-") as scratch, server(Path(scratch) / "store") as found:
        process, address = found
        async with AsyncClient(address, space=SPACE, timeout_s=60) as client:
            await client.create_space(SPACE, dim=DIM)
            work = Work(client, process)
            # The first batch pays for imports and connections, and leaves something to recall.
            await work.measure("metadata")
            while line := await asyncio.to_thread(sys.stdin.readline):
                print(json.dumps(await work.measure(line.strip())), flush=True)


def main() -> None:
    """Do what is asked until nothing more is."""
    asyncio.run(_serve())


if __name__ == "__main__":
    main()
