"""Many WebSockets that stream at the same time, and whether all that was acked is there.

python -m benchmarks transports-connections
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.support.datasets import synthetic_rows
from benchmarks.support.report import percentiles, publish
from benchmarks.support.server import SPACE, server_with_http
from engram.client import AsyncClient
from engram.client.sending.send_buffer import OutboxLimits


async def _send(client: AsyncClient, name: str, rows: NDArray[np.float32], given: argparse.Namespace) -> list[float]:
    """Send for some seconds; return the milliseconds that each acked batch took."""
    futures: list[asyncio.Future[Any]] = []
    taken_ms: list[float] = []

    def note(sent_s: float, _: object) -> None:
        taken_ms.append((time.perf_counter() - sent_s) * 1e3)

    texts = ["a short text"] * given.batch
    end_s = time.perf_counter() + given.seconds
    while (now_s := time.perf_counter()) < end_s:
        turn = len(futures)
        place = turn * given.batch % (len(rows) - given.batch)
        ids = [f"{name}-{turn}-{row}" for row in range(given.batch)]
        futures.append(await client.submit(ids, rows[place : place + given.batch], texts))
        futures[-1].add_done_callback(partial(note, now_s))
    await asyncio.gather(*futures)
    return taken_ms


async def _run(address: str, given: argparse.Namespace) -> dict[str, Any]:
    rows = synthetic_rows(10_000, given.dim)
    limits = OutboxLimits(count_max=given.in_flight)
    async with AsyncClient(address, space=SPACE) as first:
        await first.create_space(SPACE, dim=given.dim)
        clients = [AsyncClient(address, space=SPACE, limits=limits) for _ in range(given.connections)]
        begin_s = time.perf_counter()
        senders = [_send(client, f"connection-{number}", rows, given) for number, client in enumerate(clients)]
        taken_ms = await asyncio.gather(*senders)
        seconds = time.perf_counter() - begin_s
        status = await first.space_status()
        await asyncio.gather(*(client.close() for client in clients))
    acked = [given.batch * len(each) for each in taken_ms]
    return {
        "connections": given.connections,
        "seconds": seconds,
        "acked": sum(acked),
        # Every id is another one, so as many observations are alive as were stored.
        "stored": status.live_count,
        "least of a connection": min(acked),
        "observations/s": sum(acked) / seconds,
        **percentiles("ack", [ms for each in taken_ms for ms in each]),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks transports-connections", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--connections", type=int, default=100, help="clients with a session each (default 100)")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to stream (default 60)")
    parser.add_argument("--batch", type=int, default=16, help="observations a message (default 16)")
    parser.add_argument("--in-flight", type=int, default=64, help="observations of a client without ack (default 64)")
    parser.add_argument("--dim", type=int, default=128, help="dimension (default 128)")
    parser.add_argument("--json", type=Path, help="save the result there")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="engram-bench-") as scratch,
        server_with_http(Path(scratch) / "store") as (_, _, http),
    ):
        row = asyncio.run(_run(f"ws://{http}", given))
    settings = {"batch": given.batch, "in_flight": given.in_flight, "dim": given.dim, "seconds": given.seconds}
    publish("many WebSockets at the same time", settings, [row], given.json)
    if row["stored"] != row["acked"]:
        raise SystemExit(f"{row['acked']} were acked and {row['stored']} are there")


if __name__ == "__main__":
    main()
