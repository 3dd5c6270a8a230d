"""What a streamed observation and a recall cost client and server, beside another version, in pairs of processes.

    python -m benchmarks path-costs --before OLD/bin/python

The server's cost is that of the threads that somebody waits for; linking in the background is not counted. `OLD` is an
environment with the version to compare with.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.streaming.path_worker import COUNTS, DIM
from benchmarks.support.paired import Worker, ratio_of, take_turns
from benchmarks.support.report import publish

MODULE = "benchmarks.streaming.path_worker"
COLUMNS = ["work", "cost", "us", "before us", "ratio", "low", "high", "pairs"]


def compare(before: str, pairs: int, turns: int) -> list[dict[str, Any]]:
    """The ratio of now to before, for each work and each of its costs."""
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for pair in range(pairs):
        with Worker([sys.executable, "-m", MODULE]) as now, Worker([before, "-m", MODULE]) as old:
            for work in COUNTS:
                taken, of = take_turns(now, old, work, turns)
                for cost in taken:
                    found.setdefault((work, cost), []).append((taken[cost], of[cost]))
        print(f"pair {pair + 1} of {pairs}", file=sys.stderr, flush=True)
    rows = []
    for (work, cost), costs in found.items():
        here, there = ([both[side] for both in costs] for side in (0, 1))
        ratio = ratio_of(here, there)._asdict()
        rows.append({"work": work, "cost": cost, "us": median(here), "before us": median(there), **ratio})
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks path-costs", description=__doc__.split("\n")[0])
    parser.add_argument("--before", default=sys.executable, help="Python of an environment with the other version")
    parser.add_argument("--pairs", type=int, default=10, help="pairs of processes (default 10)")
    parser.add_argument("--turns", type=int, default=2, help="how often a process does the same work (default 2)")
    parser.add_argument("--json", type=Path, help="save the result there")
    arguments = parser.parse_args()
    rows = compare(arguments.before, arguments.pairs, arguments.turns)
    settings = {"pairs": arguments.pairs, "turns": arguments.turns, "dim": DIM, "counts": COUNTS}
    publish("costs of the path, client and server, now / before", settings, rows, arguments.json, COLUMNS)


if __name__ == "__main__":
    main()
