"""The batches of one streamed recall. Threads encode them while earlier batches are being sent."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, Generic, TypeVar

from engram.errors import InvalidInput
from engram.model.hit import Hits
from engram.model.operations.results import RESULTS_BYTES
from engram.model.query import Recalled, RecallQuery
from engram.store.recall.stream import RecallStream
from engram.store.space_engine import SpaceEngine
from engram.store.subscriptions.subscription import Subscription

T = TypeVar("T")
Encode = Callable[[Recalled], T]
"""Makes what is sent of a batch; called on a recall thread.

A batch of several hits that is too large for one message is refused with code ``results_bytes``; its halves come then.
"""

# What is sent of several hits is small, but one hit may be as large as a message. Behind one of so many characters, no
# further batch is made before it is sent.
_LARGE_CHARACTERS: Final = 1 << 18


class RecallBatches(Generic[T]):
    """The encoded batches of one recall. Any thread may make them, but only one at a time."""

    def __init__(self, stream: RecallStream, encode: Encode[T], start_s: float) -> None:
        self._stream = stream
        self._encode = encode
        self._start_s = start_s
        self._dropped = False
        # Hits that were found and are still to be sent, because those before them filled a message; the next ones last.
        self._waiting: list[Hits] = []

    @property
    def more(self) -> bool:
        """Whether there may be more batches, not counting what `poll` finds."""
        return bool(self._waiting) or self._stream.more_results

    @property
    def subscription(self) -> Subscription | None:
        """The subscription with which a standing recall continues, or None."""
        return self._stream.subscription

    def make(self, hits_max: int) -> list[T]:
        """Return the next batches: at least one, and further ones until they have at least `hits_max` hits.

        Raises
        ------
        EngramError
            As `RecallStream.next_batch`, and if a hit is larger than a message may be.
        """
        made = []
        hits = 0
        while True:
            batch = self._waiting.pop() if self._waiting else self._stream.next_batch()
            encoded, sent = self._encoded(batch)
            made.append(encoded)
            hits += len(sent)
            if not self.more or hits >= hits_max or self._dropped or self._waiting or _is_large(sent):
                return made

    def poll(self) -> T:
        """Return one batch with matches of the standing recall that were not returned yet.

        While `more` is true, they go on. Raises as `make`.
        """
        batch = self._waiting.pop() if self._waiting else self._stream.poll()
        return self._encoded(batch, follows=True)[0]

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

    def _encoded(self, hits: Hits, *, follows: bool = False) -> tuple[T, Hits]:
        """Return what is sent of the first of `hits`, as many as one message takes, and these; the others wait."""
        while True:
            elapsed_ms = (time.perf_counter() - self._start_s) * 1000
            more = self.more and not follows
            try:
                encoded = self._encode(Recalled(hits, hits.generation, len(hits), elapsed_ms, hits.incomplete, more))
            except InvalidInput as error:
                if error.code != RESULTS_BYTES or len(hits) < 2:
                    raise
            else:
                return encoded, hits
            middle = len(hits) // 2
            self._waiting.append(Hits(hits[middle:], hits.generation, hits.incomplete))
            # Matches come in the order of generations, and no later one has been returned.
            generation = hits[middle - 1].generation if follows else hits.generation
            hits = Hits(hits[:middle], generation, hits.incomplete)


def _is_large(hits: Hits) -> bool:
    if len(hits) != 1:
        return False
    row = hits[0].row()
    return len(row.content) + len(row.metadata_json) > _LARGE_CHARACTERS


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
