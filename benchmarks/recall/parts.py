"""Recall while observations stream in: ``python -m benchmarks recall PART``.

freshness   from one client's ack to another client's recall
beside      recalls at 10 and 200 a second beside a stream of observations
streamed    10 000 results of one stream
filters     filters that let everything to nearly nothing pass
standing    1 000 standing recalls beside a stream of observations
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.recall.beside import beside, freshness
from benchmarks.recall.deep import filters, streamed
from benchmarks.recall.standing import standing
from benchmarks.support.report import publish

PARTS: dict[str, Callable[[argparse.Namespace], list[dict[str, Any]]]] = {
    "freshness": lambda given: freshness(given.dim, given.seconds),
    "beside": lambda given: beside(given.dim, given.seconds, given.rate),
    "streamed": lambda given: streamed(given.dim, given.count),
    "filters": lambda given: filters(given.dim, given.count),
    "standing": lambda given: standing(given.dim, given.seconds),
}


def main() -> None:
    """Measure and print."""
    description, _, epilog = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks recall",
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--dim", type=int, default=384, help="dimension (default 384)")
    parser.add_argument("--count", type=int, default=100_000, help="observations that are there (default 100000)")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long to stream (default 30)")
    parser.add_argument("--rate", type=float, default=100_000, help="observations a second beside (default 100000)")
    parser.add_argument("--json", type=Path, help="save the result there")
    arguments = parser.parse_args()
    rows = PARTS[arguments.part](arguments)
    settings = {
        "dim": arguments.dim,
        "count": arguments.count,
        "seconds": arguments.seconds,
        "client": "AsyncClients in processes of their own, same machine",
        "cores": os.cpu_count(),
    }
    publish(f"recall, {arguments.part}, {os.cpu_count()} cores", settings, rows, arguments.json)


if __name__ == "__main__":
    main()
