"""How fast clients stream into one server on the same machine, durable, and what it costs.

    python -m benchmarks streaming                                                # one client, flat out
    python -m benchmarks streaming --rate 100000 --seconds 60 --repeat 1          # 19 GB of log
    python -m benchmarks streaming --streams 100 --batch 64 --rate 50000 --in-flight 512

Every observation is acked, which means: synced to disk and recallable. The graph may lag behind; the tables show by how
much, second by second, and how long it takes to catch up. The server takes settings from the environment; without
``ENGRAM_SERVER_TAIL_COUNT_MAX`` and ``ENGRAM_SERVER_TAIL_BYTES_MAX`` it slows streams down once the graph lags too far.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.streaming.run import Load, Run, stream
from benchmarks.support.datasets import synthetic_rows
from benchmarks.support.report import publish, show
from benchmarks.support.server import server

# Of log per observation beyond its vector, with room to spare.
LOG_BYTES_EXTRA = 256


def row_of(run: Run, dim: int) -> dict[str, Any]:
    """A row of the result table."""
    p50, p99, p999, longest = np.percentile([ms for _, ms in run.acks], [50, 99, 99.9, 100]).tolist()
    return {
        "observations": run.count,
        "observations/s": run.count / run.seconds,
        "MB/s of vectors": run.count * dim * 4 / run.seconds / 1e6,
        "client us/obs": run.client_cpu_s * 1e6 / run.count,
        "server us/obs": run.server_cpu_s * 1e6 / run.count,
        "ack P50 ms": p50,
        "ack P99 ms": p99,
        "ack P99.9 ms": p999,
        "ack max ms": longest,
        "not indexed at the end": run.not_indexed,
        "indexed after s": run.catch_up_s,
        "timeline": [asdict(second) for second in run.timeline],
    }


def check_disk(folder: Path, load: Load, dim: int) -> None:
    """Refuse a run that might fill the disk."""
    needed = int(load.seconds * (load.rate or 200_000) * (4 * dim + LOG_BYTES_EXTRA))
    free = shutil.disk_usage(folder).free
    if free < 2 * needed:
        raise SystemExit(f"up to {needed / 1e9:.0f} GB of log: {folder} has {free / 1e9:.0f} GB free, twice is wanted")


def measure(arguments: argparse.Namespace, load: Load) -> list[dict[str, Any]]:
    """Run as often as asked, each time on a fresh store that is removed afterwards."""
    rows = synthetic_rows(arguments.distinct, arguments.dim)
    results = []
    for number in range(arguments.repeat):
        scratch = Path(tempfile.mkdtemp(prefix="engram-bench-", dir=arguments.data))
        try:
            check_disk(scratch, load, arguments.dim)
            with server(scratch / "store") as (process, address):
                run = asyncio.run(stream(address, process, rows, load))
        finally:
            shutil.rmtree(scratch)
        results.append({"run": number + 1, **row_of(run, arguments.dim)})
    return results


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks streaming", description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="how long to stream (default 5)")
    parser.add_argument("--rate", type=float, default=0.0, help="observations a second; 0: flat out (default)")
    parser.add_argument("--streams", type=int, default=1, help="clients with a session each (default 1)")
    parser.add_argument("--batch", type=int, default=256, help="observations a message (default 256)")
    parser.add_argument(
        "--in-flight", type=int, default=8192, help="observations a client sends before their acks (default 8192)"
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
    load = Load(arguments.seconds, arguments.rate, arguments.streams, arguments.batch, arguments.in_flight)
    results = measure(arguments, load)
    settings = {
        **asdict(load),
        "pace": f"{load.rate:,.0f} observations/s" if load.rate else "flat out",
        "dim": arguments.dim,
        "distinct_vectors": arguments.distinct,
        "client": f"{load.streams} AsyncClient(s) with a session each in one process, same machine",
        "server": {name: value for name, value in os.environ.items() if name.startswith("ENGRAM_")} or "as it comes",
        "cores": os.cpu_count(),
    }
    name = f"streaming, {load.streams} x batches of {load.batch} x {arguments.dim}-d, {settings['pace']}"
    for result in results:
        show(f"run {result['run']}, second by second", result["timeline"])
    columns = [column for column in results[0] if column != "timeline"]
    publish(f"{name}, {os.cpu_count()} cores", settings, results, arguments.json, columns)


if __name__ == "__main__":
    main()
