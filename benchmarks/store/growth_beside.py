"""Ingest at a rate while the log is compacted, and the same without compactions, in processes that take turns."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections import deque
from concurrent.futures import Future
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.store.growing import SPACE, Load
from benchmarks.store.growth_rounds import RETENTIONS
from benchmarks.support.paired import ratio_of
from benchmarks.support.steps import in_fresh_process, progress
from engram import Ack, MemoryStore, StoreOptions

# Batches that wait for their acknowledgement at most.
_IN_FLIGHT_MAX: Final = 64


def beside(load: Load, rate: float, seconds: float, pairs: int, folder: Path | None) -> list[dict[str, Any]]:
    """Return one row: the rates with compactions and without, and their ratio."""
    found: dict[bool, list[dict[str, float]]] = {True: [], False: []}
    for pair in range(pairs):
        # Each is first as often as the other.
        for compacts in (True, False) if pair % 2 == 0 else (False, True):
            with tempfile.TemporaryDirectory(prefix="engram-bench-", dir=folder) as scratch:
                measured = in_fresh_process(_ingest, Path(scratch) / "data", load, rate, seconds, compacts)
            found[compacts].append(measured)
        progress(f"pair {pair + 1} of {pairs}")
    rates = {compacts: [one["rate"] for one in runs] for compacts, runs in found.items()}
    ratio = ratio_of(rates[True], rates[False])
    return [
        {
            "asked/s": rate,
            "compacting/s": median(rates[True]),
            "not compacting/s": median(rates[False]),
            **ratio._asdict(),
            "compactions": sum(one["compactions"] for one in found[True]),
            "freed MB": sum(one["freed MB"] for one in found[True]),
            "rates compacting": rates[True],
            "rates not compacting": rates[False],
        }
    ]


def _ingest(data: Path, load: Load, rate: float, seconds: float, compacts: bool) -> dict[str, float]:
    """Observe the same ids again and again; return the rate at which that was acknowledged."""
    options = StoreOptions() if compacts else StoreOptions(log_compaction_bytes_per_s=0)
    waiting: deque[Future[Ack]] = deque()
    count = 0
    with MemoryStore(data, options=options) as store:
        space = store.space(SPACE, dim=load.dim)
        space.set_retention(RETENTIONS["one round"])
        load.write(space, 0)
        begin_s = time.perf_counter()
        for batch in itertools.chain.from_iterable(map(load.batches, itertools.count(1))):
            late_s = begin_s + count / rate - time.perf_counter()
            if time.perf_counter() - begin_s >= seconds:
                break
            time.sleep(max(0.0, late_s))
            waiting.append(batch.submit(space))
            count += len(batch.ids)
            if len(waiting) > _IN_FLIGHT_MAX:
                waiting.popleft().result()
        while waiting:
            waiting.popleft().result()
        taken_s = time.perf_counter() - begin_s
        compaction = space._engine.log_compaction
        freed_mb = compaction.freed_bytes / 1e6
        return {"rate": count / taken_s, "compactions": compaction.compactions, "freed MB": freed_mb}
