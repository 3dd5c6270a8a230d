"""Functions for threads that look at the spaces of a store again and again, and must not keep it alive."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import NamedTuple

from engram.errors import EngramError
from engram.store.space_engine import SpaceEngine
from engram.store.space_table import SpaceTable


class WokenSpace(NamedTuple):
    """A space that rested and was to be opened.

    Parameters
    ----------
    name
        Name of the space.
    opened
        Its engine; None if it could not be opened.
    is_refused
        Whether what keeps it from being opened is noted as a problem of the space, or it has been dropped or renamed.
    """

    name: str
    opened: weakref.ref[SpaceEngine] | None
    is_refused: bool


def open_spaces(table: SpaceTable) -> Callable[[], list[SpaceEngine]]:
    """Return a function that lists the spaces without keeping the store alive; it lists none once the store is gone."""
    weak = weakref.ref(table)

    def spaces() -> list[SpaceEngine]:
        found = weak()
        return [] if found is None else found.all()

    return spaces


def opened_again(table: SpaceTable) -> Callable[[str], SpaceEngine | None]:
    """Return a function that opens a space for work in the background, without keeping the store alive.

    It returns None if the space cannot be opened: what is wrong with it has been noted, or passes until it is opened
    next. It also does once the store is gone.
    """
    weak = weakref.ref(table)

    def opened(name: str) -> SpaceEngine | None:
        found = weak()
        try:
            return None if found is None else found.opened_beside(name)
        except (EngramError, MemoryError):
            return None

    return opened


class RestingSpaces:
    """What the housekeeping does with spaces that rest. It does not keep their store alive, and is nothing without it.

    Parameters
    ----------
    table
        The spaces of the store.
    compact
        Has the log of a space compacted, on another thread, after what was begun to be erased from it.
    """

    def __init__(self, table: SpaceTable, compact: Callable[[str], None] = lambda name: None) -> None:
        self._table = weakref.ref(table)
        self._opened = opened_again(table)
        self._compact = compact

    def waking(self) -> Iterator[WokenSpace]:
        """Open the spaces that rest, one after the other, for work in the background."""
        table = self._table()
        names = [] if table is None else table.resting_names()
        del table
        for name in names:
            space = self._opened(name)
            known = None if space is None else weakref.ref(space)
            # Whoever is told of it decides for how long it is kept.
            del space
            yield WokenSpace(name, known, self._is_refused(name))

    def retry(self) -> None:
        """Open what could not be opened, if it can be by now. It is sound again then, and rests until it is used."""
        table = self._table()
        names = [] if table is None else table.refused.passing_names()
        del table
        for name in names:
            space = self._opened(name)
            if space is not None and space.occupancy.hold(visiting=True):
                space.occupancy.release(visiting=True)

    def resume(self) -> None:
        """Have those compactions and erasures go on that did not end before their spaces came to rest."""
        table = self._table()
        names = [] if table is None else table.left.due_names()
        del table
        for name in names:
            self._compact(name)

    def save(self) -> None:
        """Save what is known of the spaces, so that the next start can list them."""
        table = self._table()
        if table is not None:
            table.save_summaries()

    def _is_refused(self, name: str) -> bool:
        table = self._table()
        return table is not None and (name in table.refused or not table.is_space(name))


def weakly(method: Callable[[SpaceEngine], None]) -> Callable[[SpaceEngine], None]:
    """Return a function that calls `method` without keeping its store alive; the space that is passed does that."""
    weak = weakref.WeakMethod(method)

    def call(space: SpaceEngine) -> None:
        found = weak()
        if found is not None:
            found(space)

    return call
