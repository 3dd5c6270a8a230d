"""How fast one client streams into one server on the same machine, durable, and what it costs.

    python -m benchmarks.streaming                       # flat out
    python -m benchmarks.streaming --rate 100000 --seconds 20

Every observation is acked, which means: synced to disk and recallable. The graph may lag behind; the table shows by
how much, and how long it takes to catch up.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks.datasets import synthetic_rows
from benchmarks.report import publish
from engram.client import AsyncClient
from engram.client.outbox import OutboxLimits

START_TIMEOUT_S = 30.0
CATCH_UP_TIMEOUT_S = 600.0
SPACE = "bench"


@dataclass(slots=True)
class Run:
    """What one run observed."""

    count: int = 0
    seconds: float = 0.0
    client_cpu_s: float = 0.0
    server_cpu_s: float = 0.0
    ack_ms: list[float] = field(default_factory=list)
    lag_at_end: int = 0
    catch_up_s: float = 0.0


@contextmanager
def server(data: Path, *arguments: str) -> Iterator[tuple[psutil.Process, str]]:
    """A server process on a free port, with further `arguments`, stopped at the end."""
    port_file = data.with_suffix(".port")
    command = [
        sys.executable,
        "-m",
        "engram",
        "serve",
        "--data",
        str(data),
        "--port",
        "0",
        "--port-file",
        str(port_file),
        *arguments,
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not (port_file.exists() and port_file.read_text().strip()):
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise SystemExit(f"the server did not start: {' '.join(command)}")
            time.sleep(0.02)
        try:
            yield psutil.Process(process.pid), f"127.0.0.1:{port_file.read_text().strip()}"
        finally:
            process.terminate()
            process.wait(60)


def cpu_seconds(process: psutil.Process) -> float:
    """User and system time of a process so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


async def stream(
    address: str, process: psutil.Process, rows: NDArray[np.float32], arguments: argparse.Namespace
) -> Run:
    """Send batches for the given time, flat out or paced, and wait for the last ack."""
    run = Run()
    batch, dim = arguments.batch, rows.shape[1]
    texts = [f"observation {i}: the quick brown fox jumps over the lazy dog"[:60] for i in range(batch)]
    starts = [i * batch for i in range(len(rows) // batch)]
    async with AsyncClient(address, space=SPACE, limits=OutboxLimits(count_max=arguments.in_flight)) as client:
        await client.create_space(SPACE, dim=dim)
        await client.open()
        own = psutil.Process()
        client_cpu, server_cpu = cpu_seconds(own), cpu_seconds(process)
        begin = time.perf_counter()
        futures: list[asyncio.Future[Any]] = []
        while time.perf_counter() - begin < arguments.seconds:
            if arguments.rate:
                await _until(begin + run.count / arguments.rate)
            number = run.count // batch
            row = starts[number % len(starts)]
            ids = [f"{number}-{i}" for i in range(batch)]
            sent = time.perf_counter()
            future = await client.observe_batch(ids, rows[row : row + batch], texts)
            future.add_done_callback(partial(_note_ack, run, sent))
            futures.append(future)
            run.count += batch
        await asyncio.gather(*futures)
        run.seconds = time.perf_counter() - begin
        run.client_cpu_s = cpu_seconds(own) - client_cpu
        run.server_cpu_s = cpu_seconds(process) - server_cpu
        await _watch_catching_up(client, run)
    return run


def _note_ack(run: Run, sent: float, _: object) -> None:
    run.ack_ms.append((time.perf_counter() - sent) * 1e3)


async def _until(moment: float) -> None:
    wait_s = moment - time.perf_counter()
    if wait_s > 0:
        await asyncio.sleep(wait_s)


async def _watch_catching_up(client: AsyncClient, run: Run) -> None:
    begin = time.perf_counter()
    while True:
        status = await client.space_status()
        lag = status.visible_generation - status.indexed_generation
        if run.catch_up_s == 0.0:
            run.lag_at_end = lag
        run.catch_up_s = time.perf_counter() - begin
        if lag == 0 or run.catch_up_s > CATCH_UP_TIMEOUT_S:
            return
        await asyncio.sleep(0.05)


def row_of(run: Run, arguments: argparse.Namespace) -> dict[str, Any]:
    """A row of the result table."""
    p50, p99, p999 = np.percentile(run.ack_ms, [50, 99, 99.9])
    return {
        "observations": run.count,
        "observations/s": run.count / run.seconds,
        "MB/s of vectors": run.count * arguments.dim * 4 / run.seconds / 1e6,
        "client us/obs": run.client_cpu_s * 1e6 / run.count,
        "server us/obs": run.server_cpu_s * 1e6 / run.count,
        "ack P50 ms": float(p50),
        "ack P99 ms": float(p99),
        "ack P99.9 ms": float(p999),
        "not indexed at the end": run.lag_at_end,
        "indexed after s": run.catch_up_s,
    }


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streaming", description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="how long to stream (default 5)")
    parser.add_argument("--rate", type=float, default=0.0, help="observations a second; 0: flat out (default)")
    parser.add_argument("--batch", type=int, default=256, help="observations a message (default 256)")
    parser.add_argument(
        "--in-flight", type=int, default=8192, help="observations sent and not yet acked, at most (default 8192)"
    )
    parser.add_argument("--dim", type=int, default=768, help="dimension (default 768)")
    parser.add_argument("--distinct", type=int, default=50_000, help="different vectors, repeated (default 50000)")
    parser.add_argument("--repeat", type=int, default=3, help="runs, each on a fresh store (default 3)")
    parser.add_argument("--data", type=Path, help="folder on the disk to measure; default: a temporary one")
    parser.add_argument("--json", type=Path, help="save the result there")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    arguments = parse()
    rows = synthetic_rows(arguments.distinct, arguments.dim)
    results = []
    for number in range(arguments.repeat):
        scratch = Path(tempfile.mkdtemp(prefix="engram-bench-", dir=arguments.data))
        try:
            with server(scratch / "store") as (process, address):
                run = asyncio.run(stream(address, process, rows, arguments))
        finally:
            shutil.rmtree(scratch)
        results.append({"run": number + 1, **row_of(run, arguments)})
    settings = {
        "pace": f"{arguments.rate:,.0f} observations/s" if arguments.rate else "flat out",
        "seconds": arguments.seconds,
        "batch": arguments.batch,
        "in_flight": arguments.in_flight,
        "dim": arguments.dim,
        "distinct_vectors": arguments.distinct,
        "client": "one AsyncClient, one session, same machine",
        "cores": os.cpu_count(),
    }
    name = f"streaming, batches of {arguments.batch} x {arguments.dim}-d, {settings['pace']}, {os.cpu_count()} cores"
    publish(name, settings, results, arguments.json)


if __name__ == "__main__":
    main()
