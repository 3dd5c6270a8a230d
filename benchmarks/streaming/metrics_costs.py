"""What counting and telling the metrics costs: processor time for each batch, commit, recall and scrape.

    python -m benchmarks metrics-costs --before OLD/bin/python

Each cost is measured alone, many times in one thread, and multiplied by how often a busy server pays it: that gives the
share of a core. The recall meter works piece by piece, and rests until it has had no more than its share. With
`--before`, an environment with a version that lacks these metrics, whole servers are compared as well, in pairs of
processes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter, thread_time
from typing import Any, Final

import numpy as np

from benchmarks.streaming.path_worker import COUNTS
from benchmarks.support.report import publish, show
from benchmarks.support.versions import COLUMNS, compare
from engram.metrics import table
from engram.metrics.histogram import Histogram
from engram.metrics.prometheus import Exposition
from engram.model.cue import Cue
from engram.model.observations import make_batch
from engram.model.priority import Priority
from engram.model.query import RecallQuery
from engram.model.spaces import SpaceConfig
from engram.server.engine import Engine
from engram.server.metrics import server_metrics, traffic_metrics
from engram.server.options import ServerOptions
from engram.store.commit.queue import CommitResult
from engram.store.meter.exact_scan import STEP
from engram.store.store_engine import StoreEngine

MODULE: Final = "benchmarks.streaming.path_worker"
# A server that takes in 64 000 observations a second in batches of 64, and answers as many recalls as it can beside.
RATES: Final = {"batch": 1000.0, "commit": 300.0, "recall": 1000.0, "scrape": 1 / 15}
_DIM: Final = 16
_SCANNED_DIM: Final = 768
_SCANNED_PIECES: Final = 16
_OPENMETRICS: Final = "application/openmetrics-text"
Rows = list[dict[str, Any]]


def us_each(call: Callable[[], object], count: int, rounds: int) -> float:
    """Processor time of this thread for one `call`, in microseconds: the median of `rounds` rounds of `count` calls."""
    taken = []
    for _ in range(rounds):
        begin_s = thread_time()
        for _ in range(count):
            call()
        taken.append((thread_time() - begin_s) * 1e6 / count)
    return median(taken)


def counted_calls(engine: Engine) -> dict[str, Callable[[], object]]:
    """What is done for a batch, a commit and a recall, and would not be without metrics."""
    space = engine.store.space("default", create=False)
    counts, latency = engine.counters.observations, engine.ingest.latency
    waited, took, size = (Histogram(family) for family in (table.QUEUE_WAIT, table.COMMIT_TIME, table.BATCH_SIZE))
    recalled = Histogram(table.RECALL_LATENCY)
    # It is beyond what can be indexed, so each batch also pays for its place among those that wait.
    result = CommitResult(2**40, 2**40 + 63, 64)

    def batch() -> None:
        received_s, queued_s = perf_counter(), perf_counter()
        waited.add(perf_counter() - queued_s)
        counts.accept("default", Priority.NORMAL, 64)
        latency.note_stored(space, result, received_s)

    def commit() -> None:
        size.add(sum((64, 64, 64)))
        took.add(perf_counter() - perf_counter())

    def recall() -> None:
        recalled.add(perf_counter() - perf_counter())

    return {"batch": batch, "commit": commit, "recall": recall}


def finished(work: Coroutine[None, None, object]) -> None:
    """Run `work`, which only lets others run in between."""
    with contextlib.suppress(StopIteration):
        while True:
            work.send(None)


def scrape_calls(engine: Engine) -> Iterator[tuple[str, Callable[[], object]]]:
    """What a scrape does: on the event loop, and in all."""
    exposition = Exposition(engine.options.metrics_spaces_max)
    yield "on the event loop", lambda: finished(traffic_metrics(engine))
    yield "in all, as text", lambda: exposition.text(server_metrics(engine), "")
    yield "in all, OpenMetrics", lambda: exposition.text(server_metrics(engine), _OPENMETRICS)


async def alone(spaces: Sequence[int], count: int, rounds: int) -> Rows:
    """Every cost by itself, with so many spaces in the store."""
    rows: Rows = []
    engine = Engine.open(ServerOptions(None, default_space=SpaceConfig("default", _DIM), metrics_spaces_max=10_000))
    try:
        for what, call in counted_calls(engine).items():
            rows.append(_row(what, "", us_each(call, count, rounds)))
        for number in spaces:
            for name in range(len(engine.store.spaces()), number):
                engine.store.space(f"space-{name}", dim=_DIM)
            for part, call in scrape_calls(engine):
                us = us_each(call, max(1, count // (1000 * number)), rounds)
                rows.append(_row("scrape", f"{part}, {number} spaces", us))
        us = meter_us(engine.store)
        share = engine.options.store.recall_meter_share
        rows.append(
            {"what": "meter", "part": f"{STEP} vectors of {_SCANNED_DIM}", "us": us}
            | {"per s": share * 1e6 / us, "% of a core": 100 * share}
        )
    finally:
        await engine.close()
    return rows


def meter_us(store: StoreEngine) -> float:
    """Processor time of one piece of work of the recall meter, after which it rests for its share."""
    space = store.space("scanned", dim=_SCANNED_DIM)
    random = np.random.default_rng(3)
    for piece in range(_SCANNED_PIECES):
        vectors = random.standard_normal((STEP, _SCANNED_DIM), dtype=np.float32)
        batch = make_batch(ids=[f"{piece}-{row}" for row in range(STEP)], vectors=vectors)
        space.submit(space.prepare(batch)).result()
    taken = []
    scan = space.exact_scan.best(RecallQuery(Cue(vectors[0])), space.generation)
    for _ in range(_SCANNED_PIECES):
        begin_s = thread_time()
        next(scan)
        taken.append((thread_time() - begin_s) * 1e6)
    return median(taken)


def _row(what: str, part: str, us: float) -> dict[str, Any]:
    return {"what": what, "part": part, "us": us, "per s": RATES[what], "% of a core": us * 1e-4 * RATES[what]}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks metrics-costs", description=__doc__.split("\n")[0])
    parser.add_argument("--spaces", type=int, nargs="+", default=[1, 10, 100], help="spaces of the store, rising")
    parser.add_argument("--count", type=int, default=100_000, help="calls in a round (default 100000)")
    parser.add_argument("--rounds", type=int, default=9, help="rounds, of which the median counts (default 9)")
    parser.add_argument("--before", help="Python of an environment with a version without these metrics")
    parser.add_argument("--pairs", type=int, default=10, help="pairs of processes (default 10)")
    parser.add_argument("--turns", type=int, default=2, help="how often a process does the same work (default 2)")
    parser.add_argument("--json", type=Path, help="save the result there")
    arguments = parser.parse_args()
    rows = asyncio.run(alone(arguments.spaces, arguments.count, arguments.rounds))
    if arguments.before:
        pairs = compare(MODULE, COUNTS, arguments.before, arguments.pairs, arguments.turns)
        show("costs of the path, client and server, with / without metrics", pairs, COLUMNS)
        rows += [{"what": "with / without", "part": f"{row['work']}, {row['cost']}", **row} for row in pairs]
    settings = {name: getattr(arguments, name) for name in ("spaces", "count", "rounds", "pairs", "turns")}
    columns = ["what", "part", "us", "per s", "% of a core"]
    publish("costs of metrics", {**settings, "rates": RATES}, rows, arguments.json, columns)


if __name__ == "__main__":
    main()
