"""What a streamed observation and a recall cost client and server, beside another version, in pairs of processes.

    python -m benchmarks path-costs --before OLD/bin/python

The server's cost is that of the threads that somebody waits for; linking in the background is not counted. `OLD` is an
environment with the version to compare with.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.streaming.path_worker import COUNTS, DIM
from benchmarks.support.report import publish
from benchmarks.support.versions import COLUMNS, compare

MODULE = "benchmarks.streaming.path_worker"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks path-costs", description=__doc__.split("\n")[0])
    parser.add_argument("--before", default=sys.executable, help="Python of an environment with the other version")
    parser.add_argument("--pairs", type=int, default=10, help="pairs of processes (default 10)")
    parser.add_argument("--turns", type=int, default=2, help="how often a process does the same work (default 2)")
    parser.add_argument("--json", type=Path, help="save the result there")
    arguments = parser.parse_args()
    rows = compare(MODULE, COUNTS, arguments.before, arguments.pairs, arguments.turns)
    settings = {"pairs": arguments.pairs, "turns": arguments.turns, "dim": DIM, "counts": COUNTS}
    publish("costs of the path, client and server, now / before", settings, rows, arguments.json, COLUMNS)


if __name__ == "__main__":
    main()
