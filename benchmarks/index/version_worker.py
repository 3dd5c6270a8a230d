"""A process of `benchmarks.index.version_costs`: builds an index and searches it, on one thread.

It reads names of work, a line each, and answers each with a line of JSON: processor time in microseconds for a vector
that is linked and for a search. It also runs in an environment with an older version.
"""

from __future__ import annotations

import json
import sys
import time
from functools import cache
from typing import cast

import numpy as np
from numpy.typing import NDArray

from benchmarks.support.datasets import synthetic_rows
from engram.index import HnswIndex
from engram.model.spaces import Metric

COUNT = 8_000
SEARCHES = 2_000
WORKS = ("cosine 128", "cosine 768", "ip 128", "ip 768", "l2 128", "l2 768")
_K = 10


@cache
def _rows(dim: int) -> NDArray[np.float32]:
    """Vectors of different lengths; with equal ones all metrics would be the same."""
    count = SEARCHES + COUNT
    lengths = np.random.default_rng(3).uniform(0.5, 2.0, (count, 1)).astype(np.float32)
    return synthetic_rows(count, dim, 400) * lengths


def measure(work: str) -> dict[str, float]:
    """Build and search once."""
    metric, _, dim = work.partition(" ")
    rows = _rows(int(dim))
    index = HnswIndex(int(dim), metric=cast("Metric", metric))
    begin_s = time.process_time()
    index.add(rows[SEARCHES:], threads=1)
    link_s = time.process_time() - begin_s
    begin_s = time.process_time()
    for query in rows[:SEARCHES]:
        index.search(query, _K)
    return {"link": link_s * 1e6 / COUNT, "search": (time.process_time() - begin_s) * 1e6 / SEARCHES}


def main() -> None:
    """Do what is asked until nothing more is."""
    for line in sys.stdin:
        print(json.dumps(measure(line.strip())), flush=True)


if __name__ == "__main__":
    main()
