"""The batches of one streamed recall. Threads encode them while earlier batches are being sent."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from engram.model.hit import Hits
from engram.model.query import Recalled, RecallQuery
from engram.store.recall.stream import RecallStream
from engram.store.space_engine import SpaceEngine
from engram.store.subscriptions.subscription import Subscription

T = TypeVar("T")
Encode = Callable[[Recalled], T]
"""Makes what is sent of a batch; called on a recall thread."""


class RecallBatches(Generic[T]):
    """The encoded batches of one recall. Any thread may make them, but only one at a time."""

    def __init__(self, stream: RecallStream, encode: Encode[T], start_s: float) -> None:
        self._stream = stream
        self._encode = encode
        self._start_s = start_s
        self._dropped = False

    @property
    def more(self) -> bool:
        """Whether there may be more batches, not counting the matches of a standing recall."""
        return self._stream.more_results

    @property
    def subscription(self) -> Subscription | None:
        """The subscription with which a standing recall continues, or None."""
        return self._stream.subscription

    def make(self, hits_max: int) -> list[T]:
        """Return the next batches: at least one, and further ones until they have at least `hits_max` hits."""
        made = []
        hits = 0
        while True:
            batch = self._stream.next_batch()
            made.append(self._encoded(batch))
            hits += len(batch)
            if not self.more or hits >= hits_max or self._dropped:
                return made

    def poll(self) -> list[T]:
        """Return one batch with matches of the standing recall that were not returned yet."""
        return [self._encoded(self._stream.poll())]

    def close(self) -> None:
        """Close the recall stream, which frees what it holds."""
        self._stream.close()

    def close_after(self, making: Future[Any] | None) -> None:
        """Free everything once `making`, which may be making batches on a thread, is done."""
        self._dropped = True
        if self.subscription is not None:
            # Ends a search of the log that may be under way.
            self.subscription.close()
        if making is None:
            self.close()
        else:
            making.cancel()
            making.add_done_callback(lambda _: self.close())

    def _encoded(self, hits: Hits) -> T:
        elapsed_ms = (time.perf_counter() - self._start_s) * 1000
        more = self._stream.more_results
        return self._encode(Recalled(hits, hits.generation, len(hits), elapsed_ms, hits.incomplete, more))


def begin(space: SpaceEngine, query: RecallQuery, encode: Encode[T]) -> tuple[RecallBatches[T], list[T]]:
    """Return the batches of `query`, and the first of them.

    Both are made in one call, because a round trip to a thread costs time.
    """
    start_s = time.perf_counter()
    batches = RecallBatches(space.open(query), encode, start_s)
    try:
        return batches, batches.make(0)
    except BaseException:
        batches.close()
        raise
