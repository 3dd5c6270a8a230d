"""One standing recall: what matched its cue, waiting to be taken."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from engram.store.recall.left_out import LeftOut
from engram.store.recall.search import PreparedCue

# Observations looked at in one step while catching up.
_STEP: Final = 4096


class MatchBacklog(Protocol):
    """Where a follower finds what it was not offered."""

    def rejoin(self, follower: Subscription, missed_from: int) -> None:
        """Have a follower read everything from a generation on, and be offered what comes after that."""
        ...

    def look_up(self, wanted: PreparedCue, first: int, last: int, damaged: list[int]) -> list[tuple[int, float]]:
        """Look for what fits one cue in the log; `damaged` gets the generations that cannot be compared with it."""
        ...


class Subscription:
    """Gets every observation that matches its cue once, in the order of generations.

    What is matched as it commits waits in a bounded queue. A follower too slow for it loses nothing and holds nobody
    up: what finds no room is left to the log, and the follower reads it there, at its own pace, before it joins the
    others again. So is what is damaged and might have matched: the follower comes to it in its turn, and then ends with
    an error or goes on without, as its recall wants it. One thread takes.

    Parameters
    ----------
    backlog
        Where it joined.
    wanted
        The cue.
    count_max
        Matches that may wait.
    left_out
        What to do about damage; used by the thread that takes.
    """

    def __init__(self, backlog: MatchBacklog, wanted: PreparedCue, count_max: int, left_out: LeftOut) -> None:
        self.wanted: Final = wanted
        self._left_out = left_out
        self._backlog = backlog
        self._count_max = count_max
        self._changed = threading.Condition()
        self._waiting: deque[tuple[int, float]] = deque()
        # Matches read in the log, and the generations still to be read there; all come before what waits.
        self._early: deque[tuple[int, float]] = deque()
        self._unread = (1, 0)
        self._missed_from = 0
        self._listener: Callable[[], None] | None = None
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether it wants no more."""
        return self._closed

    @property
    def has_matches(self) -> bool:
        """Whether there may be something to poll."""
        is_behind = self._unread[0] <= self._unread[1] or bool(self._missed_from)
        return not self._closed and (bool(self._waiting or self._early) or is_behind)

    def add_listener(self, listener: Callable[[], None]) -> None:
        """Have `listener` called, on any thread, whenever there may be something to poll."""
        self._listener = listener
        listener()

    def take(self, count: int) -> tuple[NDArray[np.int64], NDArray[np.float32]] | None:
        """Wait for matches and return up to `count` of them, in the order of generations; None once closed.

        Raises as `poll`.
        """
        while True:
            found = self.poll(count)
            if len(found[0]):
                return found
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self.has_matches)
                if self._closed:
                    return None

    def poll(self, count: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Up to `count` matches that are there, without waiting, in the order of generations.

        Raises
        ------
        CorruptData
            If the next match may be one that is damaged, unless that is skipped; what came before has been handed out.
            The next call raises it again.
        """
        found: list[tuple[int, float]] = []
        while not found and not self._closed:
            if self._early:
                found = _taken(self._early, count)
            elif self._unread[0] <= self._unread[1]:
                self._read_log()
            elif not self._waiting and self._missed_from:
                self._backlog.rejoin(self, self._missed_from)
            else:
                found = _taken(self._waiting, count)
                break
        return np.array([g for g, _ in found], dtype=np.int64), np.array([s for _, s in found], dtype=np.float32)

    def close(self) -> None:
        """Want no more; whoever waits in `take` gets None."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()
        self._tell()

    def offer(self, generations: list[int], scores: list[float]) -> None:
        """Queue matches, as far as there is room. Belongs to the matcher."""
        with self._changed:
            if self._closed or self._missed_from:
                return
            room = self._count_max - len(self._waiting)
            self._waiting.extend(zip(generations[:room], scores[:room], strict=True))
            if room < len(generations):
                self._missed_from = generations[room]
            self._changed.notify_all()
        self._tell()

    def leave_to_log(self, generation: int) -> None:
        """Have it read everything from `generation` on in the log. Belongs to the matcher."""
        with self._changed:
            if self._closed or self._missed_from:
                return
            self._missed_from = generation
            self._changed.notify_all()
        self._tell()

    def join(self, unread_first: int, unread_last: int) -> None:
        """Note what is to be read in the log; what is offered from now on is later. Called while nothing is offered."""
        with self._changed:
            self._unread = unread_first, unread_last
            self._missed_from = 0

    def _read_log(self) -> None:
        first, last = self._unread
        until = min(last, first + _STEP - 1)
        lost: list[int] = []
        found = self._backlog.look_up(self.wanted, first, until, lost)
        before = [match for match in found if match[0] < lost[0]] if lost and not self._left_out.skip else []
        if before:
            self._early.extend(before)
            self._unread = lost[0], last
            return
        self._left_out.note(lost)
        self._early.extend(found)
        self._unread = until + 1, last

    def _tell(self) -> None:
        if self._listener is not None:
            self._listener()


def _taken(queue: deque[tuple[int, float]], count: int) -> list[tuple[int, float]]:
    return [queue.popleft() for _ in range(min(count, len(queue)))]
