"""Searches while writers run flat out: how long they take, and whether what was just published finds itself.

    python -m benchmarks.index_readers                     # 300 000 vectors, 2 linking threads

One thread appends and publishes batches, some link, one reads. After each batch, part of it is searched for by its
own vectors: each must come first. In between, the reader measures ordinary searches over what there is so far.
"""

from __future__ import annotations

import argparse
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets import Dataset, synthetic
from benchmarks.index_feeding import Linkers
from benchmarks.index_process import progress
from benchmarks.report import publish
from engram.index import HnswIndex, Quality

K = 10


@dataclass(slots=True)
class Seen:
    """What the reader and the writer observed."""

    search_ms: list[float] = field(default_factory=list)
    self_ms: list[float] = field(default_factory=list)
    asked: int = 0
    found_itself: int = 0
    lag_max: int = 0


def read(index: HnswIndex, queries: NDArray[np.float32], ef: int, done: threading.Event, seen: Seen) -> None:
    """Search one query after the other until everything is linked."""
    while not done.is_set():
        for query in queries:
            begin = time.perf_counter()
            index.search(query, k=K, ef=ef)
            seen.search_ms.append(1e3 * (time.perf_counter() - begin))
            if done.is_set():
                return


def write(index: HnswIndex, data: Dataset, batch: int, ask: int, ef: int, tail: int, seen: Seen) -> None:
    """Publish batch after batch, no further ahead of the graph than `tail`; look for some of each right away."""
    rng = np.random.default_rng(3)
    for start in range(0, len(data.base), batch):
        rows = data.base[start : start + batch]
        index.append(rows, start + 1, raw=rows)
        index.publish(start + len(rows))
        for place in rng.integers(0, len(rows), ask):
            begin = time.perf_counter()
            found, _ = index.search(rows[place], k=1, ef=ef)
            seen.self_ms.append(1e3 * (time.perf_counter() - begin))
            seen.found_itself += int(found[0]) == start + place + 1
        seen.asked += ask
        while (lag := index.visible_generation - index.indexed_generation) > tail:
            time.sleep(0.001)
        seen.lag_max = max(seen.lag_max, lag)


def measure(data: Dataset, quality: Quality, arguments: argparse.Namespace) -> dict[str, Any]:
    """Build once with readers beside it."""
    index, seen, done = HnswIndex(data.base.shape[1], quality=quality), Seen(), threading.Event()
    reader = threading.Thread(target=read, args=(index, data.queries, arguments.ef, done, seen))
    begin = time.perf_counter()
    reader.start()
    with Linkers(index, arguments.threads):
        write(index, data, arguments.batch, arguments.ask, arguments.ef, arguments.tail, seen)
    seconds = time.perf_counter() - begin
    done.set()
    reader.join()
    progress(f"linked {len(data.base):,} vectors in {seconds:.1f} s, {len(seen.search_ms):,} searches meanwhile")
    p50, p99, p999 = np.percentile(seen.search_ms, [50, 99, 99.9]).tolist()
    return {
        "inserts/s": len(data.base) / seconds,
        "searches": len(seen.search_ms),
        "P50 ms": p50,
        "P99 ms": p99,
        "P99.9 ms": p999,
        "max ms": max(seen.search_ms),
        "asked for itself": seen.asked,
        "found itself": seen.found_itself / seen.asked,
        "asking P99 ms": float(np.percentile(seen.self_ms, 99)),
        "lag max": seen.lag_max,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.index_readers", description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=300_000, help="vectors (default 300000)")
    parser.add_argument("--dim", type=int, default=768, help="dimension (default 768)")
    parser.add_argument("--clusters", type=int, default=400, help="clusters of the vectors (default 400)")
    parser.add_argument("--batch", type=int, default=1_000, help="vectors published at once (default 1000)")
    parser.add_argument("--ask", type=int, default=10, help="of each batch searched for right away (default 10)")
    parser.add_argument("--tail", type=int, default=20_000, help="vectors that may wait for linking (default 20000)")
    parser.add_argument("--quality", choices=get_args(Quality), default="fast", help="of the graph (default fast)")
    parser.add_argument("--ef", type=int, default=64, help="of the searches (default 64)")
    parser.add_argument("--threads", type=int, default=2, help="linking threads (default 2)")
    parser.add_argument("--repeat", type=int, default=3, help="builds (default 3)")
    parser.add_argument("--json", type=Path, help="save the result there")
    arguments = parser.parse_args()
    data = synthetic(arguments.count, arguments.dim, arguments.clusters)
    settings = {"data": data.name, "vectors": len(data.base), "dimension": arguments.dim}
    settings |= {name: getattr(arguments, name) for name in ("batch", "tail", "quality", "ef", "threads")}
    rows = [measure(data, arguments.quality, arguments) for _ in range(arguments.repeat)]
    publish(f"index readers beside {arguments.threads} writers, {data.name}", settings, rows, arguments.json)


if __name__ == "__main__":
    main()
