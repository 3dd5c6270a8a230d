"""The limit on the observations of a space that are not linked into its graph yet."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from engram.errors import OverCapacity, Unavailable
from engram.index import HnswIndex
from engram.store.commit.service_rate import ServiceRate

_FLOAT_BYTES: Final = 4
_LOOK_S: Final = 0.05


class SpaceRests(Exception):
    """Raised inside the engine to whoever uses a space that rests and does not wait: the engine opens it again."""


class TailBudget:
    """Counts the observations that are admitted and not indexed yet, against a limit.

    An observation counts from its admission on, before it waits for the committer, so the tail cannot outgrow its limit
    however many callers there are. Any thread may call any method. The lock covers a few additions and never a wait for
    a disk.

    Parameters
    ----------
    index
        The index whose watermarks are read.
    count_max, bytes_max
        The limits. All vectors of a space have the same size, so the tighter of the two is a number of observations.
    room_timeout_s
        Seconds for which `hold_back` holds a caller back.
    clock
        Returns seconds, monotonic.
    """

    def __init__(
        self,
        index: HnswIndex,
        count_max: int,
        bytes_max: int,
        room_timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        vector_bytes = _FLOAT_BYTES * index.dim
        count_of_bytes = max(1, bytes_max // vector_bytes)
        self.limit: Final = min(count_max, count_of_bytes)
        self.field: Final = "tail_observations" if count_max <= count_of_bytes else "tail_bytes"
        self.unit_bytes: Final = 1 if count_max <= count_of_bytes else vector_bytes
        self._index = index
        self._room_timeout_s = room_timeout_s
        self._reserved = 0
        # Requests that are admitted and not answered. Deletions reserve nothing, and are among them.
        self._requests = 0
        # The visible generation as of the last `release`. What became visible since then still counts as reserved;
        # counting it here too would count it twice.
        self._visible = index.visible_generation
        self._indexed = index.indexed_generation
        self._drain_rate = ServiceRate(clock)
        self._changed = threading.Condition()
        self._waiting = 0
        self._closed = False
        self._rests = False

    @property
    def count(self) -> int:
        """Number of observations that are admitted and not indexed."""
        with self._changed:
            return self._count()

    def reserve(self, count: int) -> None:
        """Add `count` observations of a request that is about to be queued; 0 for a deletion.

        Raises
        ------
        OverCapacity
            If they do not fit; nothing was added.
        Unavailable
            After `close`.
        """
        with self._changed:
            if self._rests:
                raise SpaceRests
            if self._closed:
                raise Unavailable("the store is closing and takes no more writes", code="shutting_down")
            used = self._count()
            if count and used + count > self.limit:
                raise self._full(used, count)
            self._reserved += count
            self._requests += 1

    def release(self, count: int, requests: int = 1) -> None:
        """Release `count` observations of `requests` that were answered: they are visible now or never will be."""
        with self._changed:
            self._reserved -= count
            self._requests -= requests
            self._visible = self._index.visible_generation
            self._wake()

    def moved(self, indexed_generation: int) -> None:
        """Record that everything up to `indexed_generation` is linked, and wake callers that wait for room."""
        with self._changed:
            if indexed_generation > self._indexed:
                linked, self._indexed = indexed_generation - self._indexed, indexed_generation
                self._drain_rate.finish()
                if self._index.visible_generation > indexed_generation:
                    # Linking continues, and the next step will be about as large as this one.
                    self._drain_rate.start(linked)
            self._wake()

    def hold_back(self, submit: Callable[[], None], count: int) -> None:
        """Call `submit`, which reserves `count` observations, as soon as there is room in the tail and in the queue.

        Raises
        ------
        OverCapacity
            If there is no room in the tail or in the queue in time, or there can never be room for `count`.
        EngramError
            Whatever else `submit` raises.
        """
        deadline_s = time.monotonic() + self._room_timeout_s
        while True:
            try:
                return submit()
            except OverCapacity as error:
                left_s = deadline_s - time.monotonic()
                if error.retry_after_ms is None or left_s <= 0:
                    raise
                if error.code == "queue_full":
                    # Other spaces share the queue, and their answers, which free room in it, are not seen here.
                    self._wait_for_answer(min(error.retry_after_ms / 1000, left_s))
                elif error.code == "tail_full" and self._rests:
                    # It is another engine's tail that is full, and what leaves it is not seen here either.
                    self._wait_for_answer(min(_LOOK_S, left_s))
                elif error.code != "tail_full" or not self._wait_for_room(count, left_s):
                    raise

    def close(self) -> None:
        """Admit nothing more, and stop waiting for room."""
        with self._changed:
            self._closed = True
            self._wake()

    def drained(self, timeout_s: float) -> bool:
        """Admit nothing more, and wait until all that was admitted is answered; return whether it was in time.

        From then on, `reserve` raises `SpaceRests`.
        """
        with self._changed:
            self._closed = self._rests = True
            self._wake()
            self._waiting += 1
            try:
                return self._changed.wait_for(lambda: not self._requests, timeout_s)
            finally:
                self._waiting -= 1

    def retire(self) -> bool:
        """Admit nothing more, as the space comes to rest; return False, and change nothing, if somebody writes.

        From then on, `reserve` raises `SpaceRests`.
        """
        with self._changed:
            if self._closed or self._waiting or self._requests:
                return False
            self._closed = self._rests = True
            return True

    def unretire(self) -> None:
        """Admit again: the space does not come to rest after all."""
        with self._changed:
            self._closed = self._rests = False

    def time_to_drain_ms(self, count: int) -> int:
        """Return the milliseconds that linking `count` observations takes, at the measured rate."""
        with self._changed:
            return self._drain_rate.time_ms(count)

    def _count(self) -> int:
        return self._reserved + self._visible - self._index.indexed_generation

    def _wait_for_room(self, count: int, timeout_s: float) -> bool:
        with self._changed:
            self._waiting += 1
            try:
                return self._changed.wait_for(lambda: self._closed or self._count() + count <= self.limit, timeout_s)
            finally:
                self._waiting -= 1

    def _wait_for_answer(self, timeout_s: float) -> None:
        with self._changed:
            self._waiting += 1
            try:
                self._changed.wait(timeout_s)
            finally:
                self._waiting -= 1

    def _wake(self) -> None:
        if self._waiting:
            self._changed.notify_all()

    def _full(self, used: int, more: int) -> OverCapacity:
        return OverCapacity(
            f"{used} observations of at most {self.limit} are not indexed yet; {more} more do not fit",
            code="tail_full",
            field=self.field,
            limit=self.limit * self.unit_bytes,
            value=(used + more) * self.unit_bytes,
            # A request larger than the whole tail will not fit later either.
            retry_after_ms=None if more > self.limit else self._drain_rate.time_ms(used + more - self.limit),
        )
