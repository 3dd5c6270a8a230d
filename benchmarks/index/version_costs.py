"""What linking a vector and searching cost the index, beside another version, in pairs of processes.

    python -m benchmarks index-costs --before OLD/bin/python

`OLD` is an environment with the version to compare with.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.index.version_worker import COUNT, SEARCHES, WORKS
from benchmarks.support.report import publish
from benchmarks.support.versions import COLUMNS, compare

MODULE = "benchmarks.index.version_worker"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks index-costs", description=__doc__.split("\n")[0])
    parser.add_argument("--before", default=sys.executable, help="Python of an environment with the other version")
    parser.add_argument("--pairs", type=int, default=10, help="pairs of processes (default 10)")
    parser.add_argument("--turns", type=int, default=2, help="how often a process does the same work (default 2)")
    parser.add_argument("--json", type=Path, help="save the result there")
    arguments = parser.parse_args()
    rows = compare(MODULE, WORKS, arguments.before, arguments.pairs, arguments.turns)
    settings = {"pairs": arguments.pairs, "turns": arguments.turns, "count": COUNT, "searches": SEARCHES}
    publish("costs of the index, now / before", settings, rows, arguments.json, COLUMNS)


if __name__ == "__main__":
    main()
