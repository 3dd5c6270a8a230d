"""Which space an index worker turns to next: first its own, then those that have more than their worker can manage."""

from __future__ import annotations

import zlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from engram.store.space import Space


class IndexTask(NamedTuple):
    """A worker's turn at a space.

    Parameters
    ----------
    space
        Where to link.
    pending
        How much waited there when somebody looked last.
    call
        The number of the call that made the space due.
    stolen
        Whether the space is another worker's.
    """

    space: Space
    pending: int
    call: int
    stolen: bool


@dataclass(slots=True)
class _Due:
    pending: int
    call: int


class WorkStealingScheduler:
    """The spaces that are due, by their home worker. `Workers` guards it with its lock; no thread in here.

    Each space has a home: a worker, found by the hash of the space's name among those with the fewest homes. A worker
    takes turns among its own due spaces. One with none steals: it takes turns among the due spaces of others that have
    more than `steal_threshold` pending. Several workers may be at one space; the graph hands each of them its own
    part of the tail.

    Parameters
    ----------
    workers
        How many there are.
    steal_threshold
        See above.
    """

    def __init__(self, workers: int, steal_threshold: int) -> None:
        self._steal_threshold: Final = steal_threshold
        # Workers keep the board, and a space its store: those that are not due must be free to go.
        self._homes: Final[WeakKeyDictionary[Space, int]] = WeakKeyDictionary()
        self._homes_of: Final = [0] * workers
        self._due: Final[list[OrderedDict[Space, _Due]]] = [OrderedDict() for _ in range(workers)]
        self._crowded: Final[OrderedDict[Space, None]] = OrderedDict()
        self._calls = 0

    def __bool__(self) -> bool:
        """Whether any space is due."""
        return any(self._due)

    def home_of(self, space: Space) -> int:
        """Return the number of the worker whose space it is."""
        home = self._homes.get(space)
        if home is None:
            wanted, count = zlib.crc32(space.config.name.encode()), len(self._homes_of)
            home = min(range(count), key=lambda number: (self._homes_of[number], (number - wanted) % count))
            self._homes[space] = home
            self._homes_of[home] += 1
        return home

    def add(self, space: Space, pending: int) -> bool:
        """Make `space` due; return whether that is news for somebody who waits for work."""
        self._calls += 1
        return self._set_due(space, _Due(pending, self._calls))

    def next_for(self, worker: int) -> IndexTask | None:
        """Return the next turn of `worker`, or None if there is nothing for it."""
        own = bool(self._due[worker])
        line: OrderedDict[Space, _Due] | OrderedDict[Space, None] = self._due[worker] if own else self._crowded
        if not line:
            return None
        space = next(iter(line))
        # To the end of the line, where the next worker finds it again.
        line.move_to_end(space)
        due = self._due[self._homes[space]][space]
        return IndexTask(space, due.pending, due.call, stolen=not own)

    def finish(self, turn: IndexTask, linked: int, pending: int) -> bool:
        """Note what came of a turn: how much was linked, and what is pending now; return what `add` does.

        A space in which nothing was left to link is done with, unless it became due again meanwhile. If something was
        linked there may be more, also if another worker has found nothing since: what it did not find was at work.
        """
        space = turn.space
        dues = self._due[self._homes[space]]
        due = dues.get(space)
        if linked:
            return self._set_due(space, _Due(pending, due.call if due else turn.call))
        if due is not None and due.call == turn.call:
            del dues[space]
            self._crowded.pop(space, None)
        return False

    def _set_due(self, space: Space, due: _Due) -> bool:
        dues = self._due[self.home_of(space)]
        was_due, was_crowded = space in dues, space in self._crowded
        dues[space] = due
        if due.pending > self._steal_threshold:
            self._crowded.setdefault(space)
        else:
            self._crowded.pop(space, None)
        # A home worker waits only while none of its spaces is due, the others while none is crowded.
        return not was_due or (space in self._crowded and not was_crowded)
