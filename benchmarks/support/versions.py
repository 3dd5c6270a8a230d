"""Two versions doing the same work in processes that take turns, and the ratio of what it costs them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from statistics import median
from typing import Any

from benchmarks.support.paired import Worker, ratio_of, take_turns

COLUMNS = ["work", "cost", "us", "before us", "ratio", "low", "high", "pairs"]


def compare(module: str, works: Iterable[str], before: str, pairs: int, turns: int) -> list[dict[str, Any]]:
    """The ratio of now to before, for each work and each of its costs.

    Parameters
    ----------
    module
        What a process runs; it reads names of work and answers each with its costs, see `Worker`.
    before
        Python of an environment with the other version.
    """
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for pair in range(pairs):
        with Worker([sys.executable, "-m", module]) as now, Worker([before, "-m", module]) as old:
            for work in works:
                taken, of = take_turns(now, old, work, turns, pair=pair)
                for cost in taken:
                    found.setdefault((work, cost), []).append((taken[cost], of[cost]))
        print(f"pair {pair + 1} of {pairs}", file=sys.stderr, flush=True)
    rows = []
    for (work, cost), costs in found.items():
        here, there = ([both[side] for both in costs] for side in (0, 1))
        ratio = ratio_of(here, there)._asdict()
        rows.append({"work": work, "cost": cost, "us": median(here), "before us": median(there), **ratio})
    return rows
