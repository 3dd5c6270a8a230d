"""The thread that answers a few of the recalls once more, exactly, at no more than a small share of a core."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from engram.metrics import table
from engram.metrics.sample import MetricSample
from engram.model.query import Recalled, RecallQuery
from engram.store.meter.exact_scan import ExactScan
from engram.store.meter.recall_counts import RecallCounts
from engram.store.recall.ranked import Ranked

K_MAX: Final = 100
"""Hits of a recall, above which it is not measured."""

BYTES_MAX: Final = 4 << 30
"""Bytes of the vectors of a space, above which its recalls are not measured: to read them all would fill the memory."""

# However small a space is, no recall notes what it found more often than this.
_PAUSE_S: Final = 0.1
logger: logging.Logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class _Sampled:
    """A recall that was answered, and what answers it exactly."""

    space: str
    scan: ExactScan
    query: RecallQuery
    recalled: Recalled


class RecallMeter:
    """Measures recall@k in use: how much of what the recalls of a store should have found they did find.

    While the meter works or rests, recalls only look at `is_waiting`. The next one after that is measured. The meter
    works in short pieces, and rests after each until it has had no more than its share of a core. It knows nothing that
    keeps a store alive.

    Parameters
    ----------
    share
        Share of one core that the meter may use; 0: nothing is measured.
    """

    def __init__(self, share: float) -> None:
        self.is_waiting: bool = False
        self._share = share
        self._counts: Final[dict[str, RecallCounts]] = {}
        self._sampled: _Sampled | None = None
        self._offered: Final = threading.Event()
        self._stopping: Final = threading.Event()
        self._thread = threading.Thread(target=self._run, name="engram-recall-meter", daemon=True)

    def start(self) -> None:
        """Start the thread, if there is anything for it to do."""
        if self._share > 0:
            self._thread.start()

    def stop(self) -> None:
        """End the thread; what is being measured is dropped."""
        self._stopping.set()
        self._offered.set()
        if self._thread.ident is not None:
            self._thread.join()

    def offer(self, space: str, scan: ExactScan, query: RecallQuery, recalled: Recalled) -> None:
        """Have a recall of `space` measured, if its kind can be; to be called if `is_waiting`, on any thread."""
        cue = query.cue
        if cue.by != "similarity" or not cue.ranks or query.strength is not None or query.k > K_MAX:
            return
        if recalled.incomplete or scan.nbytes(recalled.generation) > BYTES_MAX:
            return
        # Of two that come at the same time, the later one is measured.
        self.is_waiting = False
        self._sampled = _Sampled(space, scan, query, recalled)
        self._offered.set()

    def forget(self, space: str) -> None:
        """Forget what is known of the recalls of a space that is not called `space` any more."""
        self._counts.pop(space, None)

    def samples(self, space: str) -> Iterator[MetricSample]:
        """Yield what is known of the recalls of `space`."""
        counts = self._counts.get(space)
        yield table.RECALLS_MEASURED.sample(0 if counts is None else counts.measured, space)
        estimate = None if counts is None else counts.estimate()
        if estimate is not None:
            for bound, value in estimate._asdict().items():
                yield table.RECALL_AT_K.sample(value, space, bound)

    def _run(self) -> None:
        while True:
            self.is_waiting = True
            self._offered.wait()
            self._offered.clear()
            sampled, self._sampled = self._sampled, None
            try:
                if sampled is not None:
                    self._measure(sampled)
            except Exception:
                logger.exception("measuring a recall failed")
            # Its hits may be large; they are not kept while this thread waits.
            del sampled
            if self._stopping.wait(_PAUSE_S):
                self.is_waiting = False
                return

    def _measure(self, sampled: _Sampled) -> None:
        """Answer a recall exactly, with rests, and count how much of that it had found."""
        scan = sampled.scan.best(sampled.query, sampled.recalled.generation)
        while True:
            begin_s = time.thread_time()
            try:
                next(scan)
            except StopIteration as end:
                self._count(sampled, end.value)
                return
            finally:
                used_s = time.thread_time() - begin_s
                is_stopping = self._stopping.wait(used_s / self._share - used_s)
            if is_stopping:
                return

    def _count(self, sampled: _Sampled, best: Ranked) -> None:
        if best:
            hits = [(hit.generation, hit.score) for hit in sampled.recalled.hits]
            self._counts.setdefault(sampled.space, RecallCounts()).add(found_of(best, hits), len(best))


def found_of(best: Ranked, hits: list[tuple[int, float]]) -> int:
    """Return how many of `hits`, generations and scores, are among `best`, or as near as the last of these."""
    members, last = set(best.generations.tolist()), float(best.scores[-1])
    return min(len(best), sum(generation in members or score >= last for generation, score in hits))
