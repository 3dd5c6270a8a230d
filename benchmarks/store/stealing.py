"""From how much pending on should an index worker help in another's space? And how much should it link at once?

    python -m benchmarks stealing                     # thresholds
    python -m benchmarks stealing --batches           # batch sizes, at the default threshold

Several spaces share a store in memory; one of them gets most of the observations. Flat out, every worker has something
to do all the time. In bursts, five per second, at a rate that the workers can keep up with, it matters who helps whom:
"burst indexed" is the time from the beginning of a burst until the busiest space is indexed again.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.support.datasets import synthetic_rows
from benchmarks.support.indexed import IndexedWatch
from benchmarks.support.report import publish
from engram.store import MemoryStore, Space, StoreOptions
from engram.store.indexing import workers
from engram.store.indexing.workers import WorkerStatistics

BATCH = 250
BURST_S = 0.2
# Of ten batches, how many go to each space.
SHARES = (6, 1, 1, 1, 1)
FLAT_OUT = 0.0


@dataclass(slots=True)
class Run:
    """What one run observed."""

    count: int = 0
    seconds: float = 0.0
    lag_ms: list[float] = field(default_factory=list)
    workers: Sequence[WorkerStatistics] = ()


def burst(spaces: Sequence[Space], rows: NDArray[np.float32], number: int, batches: int) -> list[int]:
    """Observe so many batches, spread over the spaces; return the last generation of each space."""
    order = np.repeat(np.arange(len(SHARES)), SHARES)
    for batch in range(batches):
        space = spaces[order[(number * batches + batch) % len(order)]]
        start = (number * batches + batch) * BATCH % (len(rows) - BATCH)
        ids = [f"{number}-{batch}-{row}" for row in range(BATCH)]
        space.observe(ids, rows[start : start + BATCH])
    return [space.generation for space in spaces]


def measure(options: StoreOptions, rows: NDArray[np.float32], arguments: argparse.Namespace, rate: float) -> Run:
    """Stream bursts at `rate` observations per second for the given time, or so many observations without pauses."""
    run = Run()
    with MemoryStore(None, options=options) as store:
        spaces = [store.space(f"space-{i}", dim=rows.shape[1]) for i in range(len(SHARES))]
        watches = [IndexedWatch(space) for space in spaces]
        batches = max(1, round(rate * BURST_S / BATCH)) if rate else 40
        interval_s = batches * BATCH / rate if rate else 0.0
        begin = time.perf_counter()
        number = 0
        while time.perf_counter() - begin < arguments.seconds if rate else run.count < arguments.count:
            # The pace of the load, not a wait for anything.
            time.sleep(max(0.0, begin + number * interval_s - time.perf_counter()))
            started = time.perf_counter()
            generations = burst(spaces, rows, number, batches)
            number += 1
            run.count += batches * BATCH
            if rate:
                watches[0].wait(generations[0])
                run.lag_ms.append(1000 * (time.perf_counter() - started))
        for watch, space in zip(watches, spaces, strict=True):
            watch.wait(space.generation)
        run.seconds = time.perf_counter() - begin
        run.workers = store.worker_statistics()
    return run


def figures(paced: Sequence[Run], flat: Sequence[Run]) -> dict[str, Any]:
    """One row: medians of the runs."""
    lags = np.array([lag for run in paced for lag in run.lag_ms])
    return {
        "indexed/s": float(np.median([run.count / run.seconds for run in flat])),
        "balance": float(np.median([balance(run) for run in flat])),
        "stolen": f"{np.median([stolen(run) for run in flat]):.0%}",
        "batch": float(np.median([batch_mean(run) for run in flat])),
        "burst indexed P50 ms": float(np.percentile(lags, 50)),
        "burst indexed P99 ms": float(np.percentile(lags, 99)),
        "burst balance": float(np.median([balance(run) for run in paced])),
        "burst stolen": f"{np.median([stolen(run) for run in paced]):.0%}",
    }


def balance(run: Run) -> float:
    """The most that one worker linked, over the least."""
    linked = [worker.observations for worker in run.workers]
    return max(linked) / max(1, min(linked))


def stolen(run: Run) -> float:
    """Part of all batches."""
    return sum(worker.stolen for worker in run.workers) / max(1, sum(worker.batches for worker in run.workers))


def batch_mean(run: Run) -> float:
    """Observations in a batch."""
    return sum(worker.observations for worker in run.workers) / max(1, sum(worker.batches for worker in run.workers))


def fixed(count: int) -> Callable[[int], int]:
    """Always the same batch size."""
    return lambda pending: count


def shared(pending: int) -> int:
    """Half of one worker's share, within bounds."""
    return min(max(pending // 4, 64), 512)


@contextmanager
def batch_rule(rule: Callable[[int], int]) -> Iterator[None]:
    """Have workers use another rule for the size of their batches."""
    before = workers.batch_size
    vars(workers)["batch_size"] = rule
    try:
        yield
    finally:
        vars(workers)["batch_size"] = before


def variants(arguments: argparse.Namespace) -> Iterator[tuple[str, StoreOptions, Callable[[int], int]]]:
    """What is compared."""
    count = arguments.workers
    if not arguments.batches:
        for threshold in arguments.thresholds:
            yield f"{threshold:,}", StoreOptions(workers=count, steal_threshold=threshold), workers.batch_size
        return
    rules = {"10": fixed(10), "100": fixed(100), "500": fixed(500), "share of what waits": shared}
    for name, rule in (rules | {"10/100/500 by depth": workers.batch_size}).items():
        yield name, StoreOptions(workers=count), rule


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks stealing", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batches", action="store_true", help="compare batch sizes instead of thresholds")
    parser.add_argument("--thresholds", type=int, nargs="+", default=[100, 500, 1000, 2000])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--rate", type=float, default=25_000, help="observations per second of the bursts")
    parser.add_argument("--seconds", type=float, default=2, help="length of a run with bursts")
    parser.add_argument("--count", type=int, default=60_000, help="observations of a run that is flat out")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = synthetic_rows(50_000, arguments.dim)
    compared = list(variants(arguments))
    runs: dict[str, tuple[list[Run], list[Run]]] = {name: ([], []) for name, _, _ in compared}
    # One after the other in rounds, so that what else the machine does meets all alike.
    for _ in range(arguments.repeat):
        for name, options, rule in compared:
            with batch_rule(rule):
                runs[name][0].append(measure(options, rows, arguments, arguments.rate))
                runs[name][1].append(measure(options, rows, arguments, FLAT_OUT))
    first = "batch size" if arguments.batches else "threshold"
    settings = {name: getattr(arguments, name) for name in ("workers", "dim", "rate", "seconds", "count", "repeat")}
    settings |= {"batch": BATCH, "shares": SHARES, "burst_s": BURST_S}
    rows_out = [{first: name} | figures(*both) for name, both in runs.items()]
    publish("batch sizes of index workers" if arguments.batches else "stealing", settings, rows_out, arguments.json)


if __name__ == "__main__":
    main()
