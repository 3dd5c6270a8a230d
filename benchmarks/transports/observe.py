"""What an observation costs client and server over each transport: ``python -m benchmarks transports-observe``.

Every message is one batch of 1, 64 or 256 observations, encoded inside the timing, and every ack is durable. JSON has
one observation a message, whose numbers have the digits of a float32.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks.support.datasets import synthetic_rows
from benchmarks.support.report import percentiles, publish
from benchmarks.support.server import CATCH_UP_TIMEOUT_S, SPACE, server_with_http
from benchmarks.transports.streams import STREAMS, Stream
from engram.client import AsyncClient

BATCHES = (1, 64, 256)
_IN_FLIGHT = {1: 256, 64: 2048, 256: 8192}
# At 10 000 observations a second, 256 in flight alone take 26 ms from the first to the last ack.
_IN_FLIGHT_JSON = 128


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


async def _run(
    name: str, batch: int, addresses: tuple[psutil.Process, str, str], rows: NDArray[np.float32], count: int, tag: str
) -> dict[str, Any]:
    process, grpc, http = addresses
    in_flight = _IN_FLIGHT_JSON if "JSON" in name else _IN_FLIGHT[batch]
    stream = Stream(STREAMS[name](grpc, http), SPACE, tag, rows, batch, in_flight)
    processes = psutil.Process(), process
    before = [_cpu_s(each) for each in processes]
    begin_s = time.perf_counter()
    streamed = await stream.run(count)
    seconds = time.perf_counter() - begin_s
    used = [_cpu_s(each) - start for each, start in zip(processes, before, strict=True)]
    client, server = (seconds_of * 1e6 / streamed.acked for seconds_of in used)
    return {
        "transport": name,
        "a message": batch,
        "observations/s": streamed.acked / seconds,
        "client us/obs": client,
        "server us/obs": server,
        **percentiles("ack", streamed.ack_ms),
    }


async def _round(
    turn: int, addresses: tuple[psutil.Process, str, str], rows: NDArray[np.float32], counts: dict[int, int]
) -> list[dict[str, Any]]:
    found = []
    async with AsyncClient(addresses[1], space=SPACE) as client:
        await client.create_space(SPACE, dim=rows.shape[1])
        for batch in BATCHES:
            names = [name for name in STREAMS if batch == 1 or "JSON" not in name]
            for name in names if turn % 2 == 0 else reversed(names):
                found.append(await _run(name, batch, addresses, rows, counts[batch], f"{turn}-{name}-{batch}"))
                # The next one does not pay for linking these.
                await client.wait_indexed(timeout_s=CATCH_UP_TIMEOUT_S)
    return found


def measure(rounds: int, dim: int, counts: dict[int, int]) -> list[dict[str, Any]]:
    """Medians over rounds, each on a fresh store."""
    rows = synthetic_rows(20_000, dim)
    found: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for turn in range(rounds):
        with (
            tempfile.TemporaryDirectory(prefix="engram-bench-") as scratch,
            server_with_http(Path(scratch) / "store") as addresses,
        ):
            for row in asyncio.run(_round(turn, addresses, rows, counts)):
                found.setdefault((row["transport"], row["a message"]), []).append(row)
    results = []
    for (name, batch), runs in found.items():
        numbers = {key: median(run[key] for run in runs) for key in runs[0] if key not in ("transport", "a message")}
        results.append({"transport": name, "a message": batch, **numbers})
    return results


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks transports-observe", description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7, help="rounds whose medians count (default 7)")
    parser.add_argument("--dim", type=int, default=768, help="dimension (default 768)")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the usual number of observations")
    parser.add_argument("--json", type=Path, help="save the result there")
    given = parser.parse_args()
    counts = {1: int(10_000 * given.scale), 64: int(51_200 * given.scale), 256: int(51_200 * given.scale)}
    rows = measure(given.rounds, given.dim, counts)
    in_flight = {str(batch): count for batch, count in _IN_FLIGHT.items()} | {"JSON": _IN_FLIGHT_JSON}
    settings = {"rounds": given.rounds, "dim": given.dim, "counts": counts, "in_flight": in_flight}
    publish("observations over each transport, medians", settings, rows, given.json)


if __name__ == "__main__":
    main()
