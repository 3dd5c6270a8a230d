"""The same ids observed again and again, for years: ``python -m benchmarks growth PART``.

rounds    disk and memory after each round, and what is left at rest, for three retentions
beside    ingest at a rate while the log is compacted, beside the same without compactions
counter   the same data with generations from 1 on, and from 10**9 on: memory, start, recalls with filters
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.store.growing import Load
from benchmarks.store.growth_beside import beside
from benchmarks.store.growth_counter import counter
from benchmarks.store.growth_rounds import COLUMNS, RETENTIONS, grow, panels
from benchmarks.support.chart import chart
from benchmarks.support.report import publish


class Part(NamedTuple):
    """What measures a part, and the columns of its table; None: all."""

    measure: Callable[[Load, argparse.Namespace], list[dict[str, Any]]]
    columns: Sequence[str] | None = None


PARTS: dict[str, Part] = {
    "rounds": Part(lambda load, given: grow(load, given.rounds, given.retained, given.data), COLUMNS),
    "beside": Part(lambda load, given: beside(load, given.rate, given.seconds, given.pairs, given.data)),
    "counter": Part(lambda load, given: counter(load, given.pairs, given.data)),
}


def main() -> None:
    """Measure and print."""
    description, _, epilog = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks growth",
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--ids", type=int, default=20_000, help="different ids (default 20000)")
    parser.add_argument("--dim", type=int, default=384, help="dimension (default 384)")
    parser.add_argument("--rounds", type=int, default=50, help="how often each id is observed (default 50)")
    parser.add_argument(
        "--retained",
        nargs="+",
        choices=RETENTIONS,
        default=list(RETENTIONS),
        metavar="NAME",
        help=f"what the rounds retain, of {', '.join(map(repr, RETENTIONS))} (default all)",
    )
    parser.add_argument("--rate", type=float, default=20_000, help="observations a second (default 20000)")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long to observe at that rate (default 30)")
    parser.add_argument("--pairs", type=int, default=5, help="pairs of runs that are compared (default 5)")
    parser.add_argument("--data", type=Path, help="folder on the disk to measure; default: a temporary one")
    parser.add_argument("--json", type=Path, help="save the result there")
    parser.add_argument("--plot", type=Path, help="draw the rounds there, as SVG")
    arguments = parser.parse_args()
    if arguments.plot is not None and arguments.part != "rounds":
        parser.error("only the rounds can be drawn")
    part = PARTS[arguments.part]
    rows = part.measure(Load(arguments.ids, arguments.dim), arguments)
    given = ("ids", "dim", "rounds", "retained", "rate", "seconds", "pairs")
    settings = {name: getattr(arguments, name) for name in given} | {"cores": os.cpu_count()}
    publish(f"growth, {arguments.part}", settings, rows, arguments.json, part.columns)
    if arguments.plot is not None:
        arguments.plot.write_text(chart(panels(rows)), encoding="utf-8")


if __name__ == "__main__":
    main()
