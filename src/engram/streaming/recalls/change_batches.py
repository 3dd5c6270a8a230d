"""The batches of one change feed. Threads read and encode them while earlier batches are being sent."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from engram.errors import CorruptData, EngramError
from engram.model.following.change import Changes
from engram.model.following.follow_changes import FollowChanges
from engram.model.operations.results import RESULTS_BYTES
from engram.store.space_engine import SpaceEngine
from engram.store.subscriptions.change_stream import ChangeStream

T = TypeVar("T")


class ChangeBatches(Generic[T]):
    """The encoded batches of one change feed. Any thread may make them, but only one at a time.

    Parameters
    ----------
    stream
        The feed.
    encode
        Makes what is sent of some changes; refuses those that are too large for one message with code
        ``results_bytes``, whose halves come then.
    idle_s
        Seconds after which a batch without changes tells how far the feed got, if it got any further.
    """

    def __init__(self, stream: ChangeStream, encode: Callable[[Changes], T], idle_s: float) -> None:
        self._stream = stream
        self._encode = encode
        self._idle_s = idle_s
        self._told_generation = stream.generation
        self._told_s = time.monotonic()
        self._failure: EngramError | None = None

    @property
    def closed(self) -> bool:
        """Whether the feed was closed."""
        return self._stream.closed

    @property
    def has_matches(self) -> bool:
        """Whether there may be something to poll."""
        return self._failure is not None or self._stream.has_changes

    @property
    def has_moved(self) -> bool:
        """Whether the feed got further than was told."""
        return not self._stream.closed and self._stream.generation > self._told_generation

    def add_listener(self, listener: Callable[[], None]) -> None:
        """Have `listener` called, on any thread, whenever there may be something to poll."""
        self._stream.add_listener(listener)

    def first(self) -> list[T]:
        """Return the first batch, which tells where the feed begins if there are no changes yet."""
        return self._made(self._stream.poll())

    def poll(self) -> list[T]:
        """Return what is next; nothing if there are no changes, and it is too early to say how far the feed got."""
        if self._failure is not None:
            raise self._failure
        changes = self._stream.poll()
        if not changes and time.monotonic() - self._told_s < self._idle_s:
            return []
        return self._made(changes)

    def close_after(self, making: Future[Any] | None) -> None:
        """End the feed, also one that a thread is reading."""
        self._stream.close()
        if making is not None:
            making.cancel()

    def _made(self, changes: Changes) -> list[T]:
        made: list[T] = []
        try:
            self._add(changes, made)
        except EngramError as error:
            if not made:
                raise
            # What came before the damage is told first.
            self._failure = error
        self._told_generation, self._told_s = changes.generation, time.monotonic()
        return made

    def _add(self, changes: Changes, made: list[T]) -> None:
        """Encode changes, as many together as one message takes, and as many of the first of them as can be read."""
        try:
            made.append(self._encode(changes))
            return
        except EngramError as error:
            is_of_some = isinstance(error, CorruptData) or error.code == RESULTS_BYTES
            if not is_of_some or len(changes) < 2:
                raise
        for half in changes.halves():
            self._add(half, made)


def begin_changes(
    space: SpaceEngine, request: FollowChanges, encode: Callable[[Changes], T], idle_s: float
) -> tuple[ChangeBatches[T], list[T]]:
    """Return the batches of a change feed, and the first of them.

    Both are made in one call, because a round trip to a thread costs time.
    """
    batches = ChangeBatches(space.follow_changes(request), encode, idle_s)
    try:
        return batches, batches.first()
    except BaseException:
        batches.close_after(None)
        raise
