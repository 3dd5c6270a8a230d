"""Searches while writers run flat out: how long they take, and whether what was just published finds itself.

    python -m benchmarks index-readers                     # 300 000 vectors, 2 writers

One writer appends, publishes and links, the others link; they step back behind readers as Engram's workers do
(``--niceness 0``: they do not). One reader searches all the time; whenever a batch was published since it last
looked, it searches for some of the batch by their own vectors first: each must come back as the nearest.
"""

from __future__ import annotations

import argparse
import threading
import time
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from benchmarks.index.feeding import LINKED, Linkers, step_back
from benchmarks.support.datasets import Dataset, synthetic
from benchmarks.support.report import publish
from benchmarks.support.steps import progress
from engram.index import HnswIndex, Quality

K = 10


class Writing:
    """A build in the background, and the batch that it published last."""

    def __init__(self, data: Dataset, arguments: argparse.Namespace) -> None:
        self.index = HnswIndex(data.base.shape[1], quality=arguments.quality)
        self.seconds = 0.0
        self.lag_max = 0
        self.published = 0
        self._data = data
        self._arguments = arguments
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        begin = time.perf_counter()
        step_back(self._arguments.niceness)
        with Linkers(self.index, self._arguments.threads - 1, self._arguments.niceness):
            for start in range(0, len(self._data.base), self._arguments.batch):
                rows = self._data.base[start : start + self._arguments.batch]
                self.index.append(rows, start + 1, raw=rows)
                self.index.publish(start + len(rows))
                self.published = start + len(rows)
                self._keep_up()
            while self.index.link(LINKED):
                pass
        self.seconds = time.perf_counter() - begin

    def _keep_up(self) -> None:
        while (lag := self.published - self.index.indexed_generation) > self._arguments.tail:
            self.index.link(LINKED)
        self.lag_max = max(self.lag_max, lag)


def measure(data: Dataset, arguments: argparse.Namespace) -> dict[str, Any]:
    """Build once, and read all the while."""
    writing, rng = Writing(data, arguments), np.random.default_rng(3)
    search_ms: list[float] = []
    asked = found_itself = looked = 0
    writing.thread.start()
    while writing.thread.is_alive():
        published = writing.published
        if published > looked:
            looked = published
            own = published - 1 - rng.integers(0, min(arguments.batch, published), arguments.ask)
            found = [timed_search(writing.index, data.base[row], 1, arguments.ef, search_ms) for row in own]
            asked += len(own)
            found_itself += int((np.array(found) == own + 1).sum())
        timed_search(writing.index, data.queries[len(search_ms) % len(data.queries)], K, arguments.ef, search_ms)
    writing.thread.join()
    progress(f"linked {len(data.base):,} vectors in {writing.seconds:.1f} s, {len(search_ms):,} searches meanwhile")
    p50, p99, p999 = np.percentile(search_ms, [50, 99, 99.9]).tolist()
    return {
        "inserts/s": len(data.base) / writing.seconds,
        "searches": len(search_ms),
        "P50 ms": p50,
        "P99 ms": p99,
        "P99.9 ms": p999,
        "max ms": max(search_ms),
        "asked for itself": asked,
        "found itself": found_itself / max(asked, 1),
        "lag max": writing.lag_max,
    }


def timed_search(index: HnswIndex, query: NDArray[np.float32], k: int, ef: int, search_ms: list[float]) -> int:
    """The nearest one's generation; the time goes to the list."""
    begin = time.perf_counter()
    found, _ = index.search(query, k=k, ef=ef)
    search_ms.append(1e3 * (time.perf_counter() - begin))
    return int(found[0])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks index-readers", description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=300_000, help="vectors (default 300000)")
    parser.add_argument("--dim", type=int, default=768, help="dimension (default 768)")
    parser.add_argument("--clusters", type=int, default=400, help="clusters of the vectors (default 400)")
    parser.add_argument("--batch", type=int, default=1_000, help="vectors published at once (default 1000)")
    parser.add_argument("--ask", type=int, default=10, help="of each batch searched for right away (default 10)")
    parser.add_argument("--tail", type=int, default=20_000, help="vectors that may wait for linking (default 20000)")
    parser.add_argument("--quality", choices=get_args(Quality), default="fast", help="of the graph (default fast)")
    parser.add_argument("--ef", type=int, default=64, help="of the searches (default 64)")
    parser.add_argument("--threads", type=int, default=2, help="writing threads (default 2)")
    parser.add_argument("--niceness", type=int, default=10, help="of the writers (default 10)")
    parser.add_argument("--repeat", type=int, default=3, help="builds (default 3)")
    parser.add_argument("--json", type=Path, help="save the result there")
    arguments = parser.parse_args()
    data = synthetic(arguments.count, arguments.dim, arguments.clusters)
    settings = {"data": data.name, "vectors": len(data.base), "dimension": arguments.dim}
    settings |= {name: getattr(arguments, name) for name in ("batch", "tail", "quality", "ef", "threads", "niceness")}
    rows = [measure(data, arguments) for _ in range(arguments.repeat)]
    publish(f"index readers beside {arguments.threads} writers, {data.name}", settings, rows, arguments.json)


if __name__ == "__main__":
    main()
