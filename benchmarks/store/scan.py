"""Scans of a whole space in this process, in each order, with and without reading columns; facets: rows a second."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.support.report import publish
from engram import Filter, MemoryStore, Space, StoreOptions
from engram.model.scans.options import ORDERS

_BATCH: Final = 10_000
_DIM: Final = 8
_ROOMS: Final = 7


def main() -> None:
    """Run the benchmark as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks scan", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000, help="observations in the space")
    parser.add_argument("--page-size", type=int, default=1000, help="observations of a page")
    parser.add_argument("--repeat", type=int, default=3, help="times that each is measured; the best counts")
    parser.add_argument("--json", type=Path, help="file to save the result in")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        # What is not linked yet is scanned like the rest, so nobody has to wait for the graph.
        options = StoreOptions(tail_count_max=2 * arguments.count + 1, workers=1, drain_s=0, checkpoint_count_min=2**31)
        with MemoryStore(folder, options=options) as store:
            space = store.space("scan", dim=_DIM)
            _fill(space, arguments.count)
            rows = list(_measured(space, arguments.count, arguments.page_size, arguments.repeat))
    publish("scan", {"count": arguments.count, "page_size": arguments.page_size, "dim": _DIM}, rows, arguments.json)


def _fill(space: Space, count: int) -> None:
    vectors = np.random.default_rng(1).standard_normal((_BATCH, _DIM)).astype(np.float32)
    for start in range(0, count, _BATCH):
        numbers = range(start, min(start + _BATCH, count))
        space.observe(
            ids=[f"observation-{number:09}" for number in numbers],
            vectors=vectors[: len(numbers)],
            contents=[f"what was seen the {number}th time" for number in numbers],
            timestamps=[1.7e9 + number for number in numbers],
            metadata=[{"room": f"room {number % _ROOMS}", "deck": number % 11} for number in numbers],
            tags=[["even"] if number % 2 == 0 else [] for number in numbers],
        )


def _measured(space: Space, count: int, page_size: int, repeat: int) -> Iterator[dict[str, Any]]:
    even = Filter(tags={"even"})
    works: dict[str, tuple[int, Callable[[], object]]] = {
        "pages": (count, lambda: sum(len(page) for page in space.scan(page_size=page_size).pages())),
        **{f"rows by {order}": (count, _rows(space, None, page_size, order)) for order in ORDERS},
        "rows of a filter that half pass": ((count + 1) // 2, _rows(space, even, page_size, "generation")),
        "rows, reading id, content and metadata": (count, lambda: _read(space, page_size)),
        "facets of two keys": (count, lambda: space.facets(["room", "deck"])),
    }
    for name, (rows, work) in works.items():
        best_s, best_cpu_s = float("inf"), float("inf")
        for _ in range(repeat):
            begin_s, begin_cpu_s = time.perf_counter(), time.thread_time()
            work()
            best_s = min(best_s, time.perf_counter() - begin_s)
            best_cpu_s = min(best_cpu_s, time.thread_time() - begin_cpu_s)
        yield {
            "work": name,
            "rows": rows,
            "rows_per_s": round(rows / best_s),
            "rows_per_cpu_s": round(rows / best_cpu_s),
        }


def _rows(space: Space, filter: Filter | None, page_size: int, order: Any) -> Callable[[], int]:
    return lambda: sum(1 for _ in space.scan(filter, page_size=page_size, order=order))


def _read(space: Space, page_size: int) -> int:
    read = 0
    for hit in space.scan(page_size=page_size):
        read += len(hit.id) + len(hit.content) + len(hit.metadata)
    return read


if __name__ == "__main__":
    main()
