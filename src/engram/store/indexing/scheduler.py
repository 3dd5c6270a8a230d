"""The schedule of index workers: a worker serves its own spaces first, then spaces whose own worker cannot keep up."""

from __future__ import annotations

import zlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple
from weakref import WeakKeyDictionary, WeakSet

if TYPE_CHECKING:
    from engram.store.space_engine import SpaceEngine


class IndexTask(NamedTuple):
    """The task of one worker: to link a batch of observations into the graph of one space.

    Parameters
    ----------
    space
        The space in which to link.
    pending
        Number of observations that waited there when it was last counted.
    call
        Number of the `WorkStealingScheduler.add` call that made the space due.
    stolen
        Whether another worker is the home of the space.
    """

    space: SpaceEngine
    pending: int
    call: int
    stolen: bool


@dataclass(slots=True)
class _Due:
    pending: int
    call: int


class WorkStealingScheduler:
    """The spaces that are due, grouped by their home worker.

    It has no threads and no lock; `Workers` guards it with its own lock. Each space has a home: a worker, chosen by the
    hash of the space's name among the workers with the fewest homes. A worker serves its own due spaces in
    turn. A worker with none steals: it serves in turn the due spaces of other workers that have more than
    `steal_threshold` observations pending. Several workers may link in one space; the graph hands each of them its own
    part of the tail.

    Parameters
    ----------
    workers
        Number of workers.
    steal_threshold
        Only a space with more pending observations than this is shared with other workers.
    """

    def __init__(self, workers: int, steal_threshold: int) -> None:
        self._steal_threshold: Final = steal_threshold
        # Weak references: worker threads keep this object alive, and a space keeps its store alive. A space that is not
        # due must remain collectable.
        self._homes: Final[WeakKeyDictionary[SpaceEngine, int]] = WeakKeyDictionary()
        self._homes_of: Final = [0] * workers
        self._due: Final[list[OrderedDict[SpaceEngine, _Due]]] = [OrderedDict() for _ in range(workers)]
        self._over_threshold: Final[OrderedDict[SpaceEngine, None]] = OrderedDict()
        self._removed: Final[WeakSet[SpaceEngine]] = WeakSet()
        self._calls = 0

    def __bool__(self) -> bool:
        """Whether any space is due."""
        return any(self._due)

    def home_of(self, space: SpaceEngine) -> int:
        """Return the number of the worker that is the home of `space`."""
        home = self._homes.get(space)
        if home is None:
            preferred, count = zlib.crc32(space.config.name.encode()), len(self._homes_of)
            home = min(range(count), key=lambda number: (self._homes_of[number], (number - preferred) % count))
            self._homes[space] = home
            self._homes_of[home] += 1
        return home

    def add(self, space: SpaceEngine, pending: int) -> bool:
        """Make `space` due; return whether a waiting worker must be woken for it."""
        self._calls += 1
        return self._set_due(space, _Due(pending, self._calls))

    def remove(self, space: SpaceEngine) -> None:
        """Make `space` due no more, now and later."""
        if space in self._removed:
            return
        self._removed.add(space)
        home = self._homes.get(space)
        if home is not None:
            self._homes_of[home] -= 1
            self._due[home].pop(space, None)
            self._over_threshold.pop(space, None)

    def next_for(self, worker: int) -> IndexTask | None:
        """Return the next task of `worker`; None if there is nothing for it to do."""
        own = bool(self._due[worker])
        queue: OrderedDict[SpaceEngine, _Due] | OrderedDict[SpaceEngine, None] = (
            self._due[worker] if own else self._over_threshold
        )
        if not queue:
            return None
        space = next(iter(queue))
        # Moved to the end, so that the next worker takes another space first.
        queue.move_to_end(space)
        due = self._due[self._homes[space]][space]
        return IndexTask(space, due.pending, due.call, stolen=not own)

    def finish(self, task: IndexTask, linked: int, pending: int) -> bool:
        """Record how many observations a task linked and how many are pending now; return what `add` returns.

        If the task linked nothing, the space is no longer due, unless it became due again meanwhile. If the task linked
        something, the space stays due even if another worker has found nothing in the meantime: that worker could not
        see what this task was linking.
        """
        space = task.space
        dues = self._due[self._homes[space]]
        due = dues.get(space)
        if linked:
            return self._set_due(space, _Due(pending, due.call if due else task.call))
        if due is not None and due.call == task.call:
            del dues[space]
            self._over_threshold.pop(space, None)
        return False

    def _set_due(self, space: SpaceEngine, due: _Due) -> bool:
        if space in self._removed:
            return False
        dues = self._due[self.home_of(space)]
        was_due, was_over = space in dues, space in self._over_threshold
        dues[space] = due
        if due.pending > self._steal_threshold:
            self._over_threshold.setdefault(space)
        else:
            self._over_threshold.pop(space, None)
        # A home worker waits only while none of its spaces is due; the others wait only while no space is over the
        # threshold.
        return not was_due or (space in self._over_threshold and not was_over)
