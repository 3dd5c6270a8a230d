"""How long observations take from their receipt until they are on disk, and until they are in the graph."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from time import perf_counter
from typing import Final
from weakref import WeakKeyDictionary

from engram.metrics import table
from engram.metrics.histogram import Histogram
from engram.metrics.sample import MetricSample
from engram.store.commit.queue import CommitResult
from engram.store.space_engine import SpaceEngine
from engram.streaming.loop.mailbox import Mailbox
from engram.streaming.loop.watermark_relay import WatermarkRelay

UNINDEXED_MAX: Final = 4096
"""Batches of a space that are remembered until they are indexed; further ones count as part of the last of them."""


@dataclass(slots=True, eq=False)
class _Unindexed:
    last_generation: int
    received_s: float
    count: int


class ObservationLatency:
    """The latencies of all observations of a server, a batch at a time. Used on the event loop's thread only.

    Parameters
    ----------
    mailbox
        Delivers the movements of the indexed watermarks.
    """

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._durable: Final = Histogram(table.OBSERVATION_LATENCY, "durable")
        self._indexed: Final = Histogram(table.OBSERVATION_LATENCY, "indexed")
        self._unindexed: Final[WeakKeyDictionary[SpaceEngine, deque[_Unindexed]]] = WeakKeyDictionary()

    def samples(self) -> Iterator[MetricSample]:
        """Yield both histograms."""
        return chain(self._durable.samples(), self._indexed.samples())

    def note_stored(self, space: SpaceEngine, result: CommitResult, received_s: float) -> None:
        """Count the observations of a request that was received at `received_s` and is durable now."""
        if result.duplicate or not result.count:
            return
        self._durable.add(perf_counter() - received_s, result.count)
        waiting = self._unindexed.get(space)
        is_new = waiting is None
        if waiting is None:
            waiting = self._unindexed[space] = deque()
            WatermarkRelay(space, self._mailbox, partial(self._note_indexed, waiting))
        if len(waiting) < UNINDEXED_MAX:
            waiting.append(_Unindexed(result.last_generation, received_s, result.count))
        else:
            waiting[-1].last_generation = result.last_generation
            waiting[-1].count += result.count
        if is_new:
            # Nobody told of the moves before the relay was there.
            self._note_indexed(waiting, space.config.name, space.indexed_generation)

    def _note_indexed(self, waiting: deque[_Unindexed], _: str, generation: int) -> None:
        now_s = perf_counter()
        while waiting and waiting[0].last_generation <= generation:
            done = waiting.popleft()
            self._indexed.add(now_s - done.received_s, done.count)
