"""Many WebSockets that stream at the same time, and whether all that was acked is there.

python -m benchmarks transports-connections
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.support.datasets import synthetic_rows
from benchmarks.support.report import percentiles, publish
from benchmarks.support.server import SPACE, server_with_http
from benchmarks.transports.streams import STREAMS, Stream
from engram.client import AsyncClient


async def _run(http: str, grpc: str, given: argparse.Namespace) -> dict[str, Any]:
    rows = synthetic_rows(10_000, given.dim)
    async with AsyncClient(grpc, space=SPACE) as client:
        await client.create_space(SPACE, dim=given.dim)
        make = STREAMS[given.transport]
        names = [f"connection-{number}" for number in range(given.connections)]
        streams = [Stream(make(grpc, http), SPACE, name, rows, given.batch, given.in_flight) for name in names]
        begin_s = time.perf_counter()
        done = await asyncio.gather(*(stream.run(seconds=given.seconds) for stream in streams))
        seconds = time.perf_counter() - begin_s
        status = await client.space_status()
    acked = sum(streamed.acked for streamed in done)
    return {
        "transport": given.transport,
        "connections": given.connections,
        "seconds": seconds,
        "sent": sum(streamed.sent for streamed in done),
        "acked": acked,
        # Every id is another one, so as many observations are alive as were stored.
        "stored": status.live_count,
        "least of a connection": min(streamed.acked for streamed in done),
        "observations/s": acked / seconds,
        **percentiles("ack", [ms for streamed in done for ms in streamed.ack_ms]),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks transports-connections", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--transport", choices=STREAMS, default="websocket", help="(default websocket)")
    parser.add_argument("--connections", type=int, default=100, help="sessions (default 100)")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to stream (default 60)")
    parser.add_argument("--batch", type=int, default=16, help="observations a message (default 16)")
    parser.add_argument("--in-flight", type=int, default=64, help="observations of a session without ack (default 64)")
    parser.add_argument("--dim", type=int, default=128, help="dimension (default 128)")
    parser.add_argument("--json", type=Path, help="save the result there")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="engram-bench-") as scratch,
        server_with_http(Path(scratch) / "store") as (_, grpc, http),
    ):
        row = asyncio.run(_run(http, grpc, given))
    settings = {"batch": given.batch, "in_flight": given.in_flight, "dim": given.dim, "seconds": given.seconds}
    publish("many connections at the same time", settings, [row], given.json)
    if row["stored"] != row["acked"]:
        raise SystemExit(f"{row['acked']} were acked and {row['stored']} are there")


if __name__ == "__main__":
    main()
