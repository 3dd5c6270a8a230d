"""A subscription: the matches of one standing recall that wait to be taken."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from engram.store.filters.selection import Unreadable
from engram.store.recall.left_out import LeftOut
from engram.store.recall.ranked import NOTHING, Ranked
from engram.store.recall.search import PreparedCue
from engram.store.scans.leases import LEASE_S

# Number of observations that a subscription matches in one step while it catches up.
_STEP: Final = 4096


class MatchBacklog(Protocol):
    """The source of the observations that a subscription was not offered."""

    @property
    def matched_generation(self) -> int | None:
        """Generation up to which all matches have been offered."""
        ...

    def rejoin(self, subscription: Subscription, missed_from: int) -> None:
        """Let a subscription read the log from `missed_from` on, and offer it what comes after that."""
        ...

    def look_up(
        self, prepared: PreparedCue, first: int, last: int, damaged: list[int], unclear: list[Unreadable]
    ) -> Ranked:
        """Match one cue against the log.

        `damaged` receives the generations that cannot be compared with the cue, and `unclear` those for which damage
        decides whether they pass the filter; both ascend.
        """
        ...


class Subscription:
    """Delivers every observation that matches its cue once, in the order of generations.

    Matches of committed observations wait in a bounded queue. If the queue is full, the subscription misses nothing and
    delays nobody: it reads further matches from the log, at its own pace, and then is offered new matches again
    (docs/decisions/0006). It also reads from the log where an observation is damaged and may match. When it reaches
    that observation, it ends with an error or skips it, as its recall demands. Only one thread takes matches.

    Parameters
    ----------
    backlog
        The registry that the subscription belongs to.
    prepared
        The cue.
    count_max
        Maximum number of matches that may wait.
    left_out
        Decides what to do about damage; used only by the thread that takes matches.
    """

    def __init__(self, backlog: MatchBacklog, prepared: PreparedCue, count_max: int, left_out: LeftOut) -> None:
        self.prepared: Final = prepared
        self._left_out = left_out
        self._backlog = backlog
        self._count_max = count_max
        self._changed = threading.Condition()
        # All matches are in the order of generations.
        self._waiting = NOTHING
        # Matches read from the log, and the range of generations still to be read there. All of them precede those in
        # `_waiting`.
        self._early = NOTHING
        self._unread = (1, 0)
        self._first = 1
        self._queued = 0
        self._missed_from = 0
        self._taken_generation = 0
        self._listener: Callable[[], None] | None = None
        self._closed = False
        self._used_s = time.monotonic()

    @property
    def closed(self) -> bool:
        """Whether the subscription was closed."""
        return self._closed

    @property
    def has_matches(self) -> bool:
        """Whether there may be something to poll."""
        is_behind = self._unread[0] <= self._unread[1] or bool(self._missed_from)
        return not self._closed and (bool(self._waiting) or bool(self._early) or is_behind)

    @property
    def unread_generation(self) -> int | None:
        """Generation behind which there are matches to take or to look up; None if there are none.

        Also None if the subscription was not polled for long: what it needs need not be retained any more.
        """
        with self._changed:
            if self._closed or time.monotonic() - self._used_s > LEASE_S:
                return None
            firsts = [int(matches.generations[0]) for matches in (self._early, self._waiting) if matches]
            if self._unread[0] <= self._unread[1]:
                firsts.append(self._unread[0])
            if self._missed_from:
                firsts.append(self._missed_from)
        return min(firsts) - 1 if firsts else None

    @property
    def taken_generation(self) -> int:
        """Generation up to which all matches have been returned, as of the last `poll`."""
        return self._taken_generation

    @property
    def has_moved(self) -> bool:
        """Whether the next `poll` reaches a later generation, even if nothing matches. Any thread may ask."""
        return not self._closed and (self._backlog.matched_generation or 0) > self._taken_generation

    def add_listener(self, listener: Callable[[], None]) -> None:
        """Have `listener` called, on any thread, whenever there may be something to poll."""
        self._listener = listener
        listener()

    def take(self, count: int, until_s: float | None = None) -> Ranked | None:
        """Wait for matches and return up to `count` of them, in the order of generations; None once closed.

        Also None if there are none by `until_s`, a time of the monotonic clock in seconds.

        Raises
        ------
        CorruptData
            As for `poll`.
        """
        while True:
            if found := self.poll(count):
                return found
            with self._changed:
                left_s = None if until_s is None else until_s - time.monotonic()
                is_told = self._changed.wait_for(lambda: self._closed or self.has_matches, left_s)
                if self._closed or not is_told:
                    return None

    def poll(self, count: int) -> Ranked:
        """Return up to `count` available matches without waiting, in the order of generations.

        Raises
        ------
        CorruptData
            If the next observation is damaged and may match, unless damage is skipped. All matches before it have been
            returned. The next call raises the error again.
        """
        self._used_s = time.monotonic()
        # Read before what waits is looked at: whatever matches up to this generation waits already.
        matched = self._backlog.matched_generation or 0
        found = NOTHING
        while not found and not self._closed:
            if self._early:
                found, self._early = self._early.head(count), self._early.rest(count)
            elif self._unread[0] <= self._unread[1]:
                self._read_log()
            elif not self._waiting and self._missed_from:
                self._backlog.rejoin(self, self._missed_from)
            else:
                with self._changed:
                    found, self._waiting = self._waiting.head(count), self._waiting.rest(count)
                break
        self._taken_generation = max(self._taken_generation, self._reached(found, matched))
        return found

    def close(self) -> None:
        """Close the subscription; a thread that waits in `take` gets None."""
        with self._changed:
            self._closed = True
            self._waiting = NOTHING
            self._changed.notify_all()
        self._tell()

    def offer(self, matches: Ranked) -> None:
        """Queue matches, in the order of generations, as far as there is room. Belongs to the matcher thread."""
        with self._changed:
            # A matcher that lags behind offers what was committed before the subscription began; one that failed at
            # another subscription offers the same once more.
            matches = matches.rest(matches.count_before(max(self._first, self._queued + 1)))
            if self._closed or self._missed_from or not matches:
                return
            room = self._count_max - len(self._waiting)
            self._waiting = self._waiting.then(matches.head(room))
            if room:
                self._queued = int(self._waiting.generations[-1])
            if room < len(matches):
                self._missed_from = int(matches.generations[room])
            self._changed.notify_all()
        self._tell()

    def leave_to_log(self, generation: int) -> None:
        """Make the subscription read everything from `generation` on from the log. Belongs to the matcher thread."""
        with self._changed:
            if self._closed or self._missed_from:
                return
            self._missed_from = max(generation, self._first)
            self._changed.notify_all()
        self._tell()

    def join(self, unread_first: int, unread_last: int) -> None:
        """Set the range of generations to read from the log; of what is offered later, only later ones are taken.

        Called while nothing is offered.
        """
        with self._changed:
            self._first = unread_first
            self._unread = unread_first, unread_last
            self._missed_from = 0
        # What comes before is known to the follower already.
        self._taken_generation = max(self._taken_generation, unread_first - 1)

    def _reached(self, found: Ranked, matched: int) -> int:
        """Return the generation up to which all matches have been returned, `found` being the last of them."""
        last = int(found.generations[-1]) if found else 0
        if self._early:
            return last
        if self._unread[0] <= self._unread[1]:
            return max(last, self._unread[0] - 1)
        with self._changed:
            # Closing drops what waits.
            if self._waiting or self._closed:
                return last
            if self._missed_from:
                return max(last, self._missed_from - 1)
        return max(last, matched, self._unread[1], self._first - 1)

    def _read_log(self) -> None:
        first, last = self._unread
        until = min(last, first + _STEP - 1)
        lost: list[int] = []
        unclear: list[Unreadable] = []
        found = self._backlog.look_up(self.prepared, first, until, lost, unclear)
        damaged = min([*lost[:1], *(generation for generation, _ in unclear[:1])], default=0)
        before = found.head(found.count_before(damaged)) if damaged and not self._left_out.skip else NOTHING
        if before:
            self._early = before
            self._unread = damaged, last
            return
        self._left_out.note(lost)
        self._left_out.add(unclear)
        self._early = found
        self._unread = until + 1, last

    def _tell(self) -> None:
        if self._listener is not None:
            self._listener()
