"""Many cues in one call: on one thread, on one for each core, and as many recalls, one after the other.

    python -m benchmarks recall-many                                            # 1 000 cues, 100 000 x 768 numbers
    python -m benchmarks recall-many --count 1000000 --dim 384 --keep FOLDER    # the store that filter-trees kept there

A store is filled once, and opened in turns for each number of threads. Every way has to find the same.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.support.filled import SPACE, cues_of, filled
from benchmarks.support.report import publish
from benchmarks.support.steps import progress
from engram import Condition, Cue, F, Hits, MemoryStore, Space, StoreOptions

K = 10

Answer = Callable[[Space, NDArray[np.float32], Condition | None], list[Hits]]
Filters = Mapping[str, Condition | None]


def filters_of(count: int) -> Filters:
    """Filters that everything, a tenth, and so few of `count` pass that each of them is compared."""
    return {"none": None, "a tenth passes": F.crew.deck == 3, "about 500 pass": F.rank < 500 / count}


def one_by_one(space: Space, cues: NDArray[np.float32], filter: Condition | None) -> list[Hits]:
    """A recall for each cue."""
    return [space.recall(Cue(cue, filter=filter), K) for cue in cues]


def together(space: Space, cues: NDArray[np.float32], filter: Condition | None) -> list[Hits]:
    """One recall for all cues."""
    return space.recall_many(cues, K, filter=filter)


class Way(NamedTuple):
    """A way to answer many cues.

    Parameters
    ----------
    name
        What it is called.
    threads
        Threads of a search; 0: one for each core.
    answer
        Answers them.
    """

    name: str
    threads: int
    answer: Answer


ALONE = Way("a recall for each", 1, one_by_one)
ONE_THREAD = Way("recall_many, 1 thread", 1, together)
WAYS = (ALONE, ONE_THREAD, Way("recall_many, a thread per core", 0, together))

Times = dict[tuple[str, Way], list[float]]
Found = dict[str, list[list[int]]]


def measure(path: Path, cues: NDArray[np.float32], filters: Filters, threads: int, times: Times, found: Found) -> None:
    """Answer all cues once in every way with so many threads."""
    with MemoryStore(path, options=StoreOptions(search_threads=threads)) as store:
        space = store.space(SPACE)
        for name, filter in filters.items():
            # The first answers would read the log and the graph into memory.
            together(space, cues, filter)
            for way in WAYS:
                if way.threads == threads:
                    begin = time.perf_counter()
                    answers = way.answer(space, cues, filter)
                    times[name, way].append(time.perf_counter() - begin)
                    generations = [[hit.generation for hit in hits] for hits in answers]
                    assert found.setdefault(name, generations) == generations, f"{way.name} has found something else"


def rows_of(times: Times, count: int) -> list[dict[str, Any]]:
    """One row for each filter and way, with the median of its times."""
    rates = {case: count / float(np.median(each)) for case, each in times.items()}
    return [
        {
            "filter": filter,
            "way": way.name,
            "threads": StoreOptions(search_threads=way.threads).search_thread_count,
            "cues/s": rate,
            "of one thread": rate / rates[filter, ONE_THREAD],
            "of recalls one by one": rate / rates[filter, ALONE],
            "seconds": times[filter, way],
        }
        for (filter, way), rate in rates.items()
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks recall-many", description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=100_000, help="observations (default 100000)")
    parser.add_argument("--dim", type=int, default=768, help="dimension (default 768)")
    parser.add_argument("--cues", type=int, default=1000, help="cues of one call (default 1000)")
    parser.add_argument("--repeat", type=int, default=5, help="rounds, of which the median counts (default 5)")
    parser.add_argument("--keep", type=Path, help="folder that keeps the store, or has it from another run")
    parser.add_argument("--json", type=Path, help="save the result there")
    arguments = parser.parse_args()
    cues, filters = cues_of(arguments.cues, arguments.dim), filters_of(arguments.count)
    times: Times = defaultdict(list)
    found: Found = {}
    with filled(arguments.keep, arguments.count, arguments.dim) as path:
        for number in range(arguments.repeat):
            for threads in (1, 0):
                measure(path, cues, filters, threads, times, found)
            progress(f"round {number + 1} of {arguments.repeat}")
    settings = {
        "count": arguments.count,
        "dim": arguments.dim,
        "cues": arguments.cues,
        "k": K,
        "repeat": arguments.repeat,
        "cores": os.cpu_count(),
    }
    publish(f"recall-many, {os.cpu_count()} cores", settings, rows_of(times, len(cues)), arguments.json)


if __name__ == "__main__":
    main()
