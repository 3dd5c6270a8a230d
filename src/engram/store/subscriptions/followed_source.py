"""What an embedded follower is told, until it is closed or its time is over."""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from engram.lifecycle.forking import check_process
from engram.model.following.change import Change, Changes
from engram.model.following.options import naming_after_generation
from engram.model.following.told import OfGeneration, Told
from engram.model.hit import Hit, Hits
from engram.store.recall.stream import RecallStream
from engram.store.subscriptions.change_stream import ChangeStream

T = TypeVar("T", bound=OfGeneration)


class FollowedSource(ABC, Generic[T]):
    """The source of an embedded `Following`.

    Parameters
    ----------
    timeout_s
        Seconds after which there is nothing more, counted from the first `take`; None: it goes on.
    """

    def __init__(self, timeout_s: float | None) -> None:
        self._process = os.getpid()
        self._timeout_s = timeout_s
        self._until_s: float | None = None
        self._is_over = False

    def check(self) -> None:
        """Refuse to work in a forked child, with `FailedPrecondition` (code ``forked``)."""
        check_process(self._process, "follower")

    def take(self) -> Told[T] | None:
        """Wait for what is next, and return it; None once there is nothing more, or the time is over.

        Raises
        ------
        EngramError
            Why it cannot go on.
        """
        if self._is_over:
            return None
        if self._until_s is None and self._timeout_s is not None:
            self._until_s = time.monotonic() + self._timeout_s
        told = None if self._is_late else self._next(self._until_s)
        if told is None:
            if self._is_late and not self._is_over:
                # How far it got is told also where nothing was found.
                told = self._rest()
            self.close()
        return told

    def close(self) -> None:
        """End it. Whoever waits in `take` gets None."""
        self._is_over = True
        # In a forked child, a thread of the parent may have held a lock, and there is nothing to end.
        if os.getpid() == self._process:
            self._end()

    @abstractmethod
    def _end(self) -> None:
        """End what it is told by. Any thread may call this, several times."""

    @abstractmethod
    def _next(self, until_s: float | None) -> Told[T] | None:
        """Wait for what is next; return None once it is closed, or at `until_s`."""

    @abstractmethod
    def _rest(self) -> Told[T] | None:
        """Return what is there without waiting."""

    @property
    def _is_late(self) -> bool:
        return self._until_s is not None and time.monotonic() >= self._until_s


class FollowedHits(FollowedSource[Hit]):
    """What a standing recall tells.

    Parameters
    ----------
    stream
        The stream of the recall.
    only_new
        Whether what it finds first is left out.
    timeout_s
        As for `FollowedSource`.
    """

    def __init__(self, stream: RecallStream, *, only_new: bool, timeout_s: float | None) -> None:
        super().__init__(timeout_s)
        self._stream = stream
        self._only_new = only_new

    def take(self) -> Told[Hit] | None:
        """Wait for what is next, and return it; errors name what a follower was passed. See `FollowedSource.take`."""
        with naming_after_generation():
            return super().take()

    def _end(self) -> None:
        if self._stream.subscription is not None:
            self._stream.subscription.close()

    def _next(self, until_s: float | None) -> Told[Hit] | None:
        if self._stream.more_results:
            return self._found()
        matches = self._stream.take(until_s)
        return None if matches is None else _told_hits(matches)

    def _rest(self) -> Told[Hit] | None:
        while self._stream.more_results:
            found = self._found()
            if not self._only_new:
                return found
        return _told_hits(self._stream.poll())

    def _found(self) -> Told[Hit]:
        """Return a batch of what is there already."""
        found = self._stream.next_batch()
        generation = 0 if self._stream.more_results else found.generation
        return Told(() if self._only_new else found, generation, in_order=False, incomplete=found.incomplete)


class FollowedChanges(FollowedSource[Change]):
    """What a change feed tells.

    Parameters
    ----------
    stream
        The feed.
    timeout_s
        As for `FollowedSource`.
    """

    def __init__(self, stream: ChangeStream, timeout_s: float | None) -> None:
        super().__init__(timeout_s)
        self._stream = stream

    def _end(self) -> None:
        self._stream.close()

    def _next(self, until_s: float | None) -> Told[Change] | None:
        changes = self._stream.take(until_s)
        return None if changes is None else _told_changes(changes)

    def _rest(self) -> Told[Change] | None:
        return _told_changes(self._stream.poll())


def _told_hits(hits: Hits) -> Told[Hit]:
    return Told(hits, hits.generation, incomplete=hits.incomplete)


def _told_changes(changes: Changes) -> Told[Change]:
    return Told(changes, changes.generation, incomplete=changes.incomplete)
