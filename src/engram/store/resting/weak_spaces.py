"""Functions for threads that look at the spaces of a store again and again, and must not keep it alive."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator

from engram.errors import EngramError
from engram.store.space_engine import SpaceEngine
from engram.store.space_table import SpaceTable


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
        if found is None:
            return None
        rested = found.rests(name)
        try:
            space = found.reopened(name)
        except EngramError:
            return None
        if rested:
            # This is no use that says that it will be used again.
            space.occupancy.touched = False
        return space

    return opened


def waking_spaces(table: SpaceTable) -> Callable[[], Iterator[weakref.ref[SpaceEngine]]]:
    """Return a function that opens the spaces that rest, one after the other, without keeping the store alive."""
    weak, opened = weakref.ref(table), opened_again(table)

    def waking() -> Iterator[weakref.ref[SpaceEngine]]:
        found = weak()
        names = [] if found is None else [summary.config.name for summary in found.resting()]
        del found
        for name in names:
            space = opened(name)
            if space is not None:
                known = weakref.ref(space)
                # Whoever is told of it decides for how long it is kept.
                del space
                yield known

    return waking


def weakly(method: Callable[[SpaceEngine], None]) -> Callable[[SpaceEngine], None]:
    """Return a function that calls `method` without keeping its store alive; the space that is passed does that."""
    weak = weakref.WeakMethod(method)

    def call(space: SpaceEngine) -> None:
        found = weak()
        if found is not None:
            found(space)

    return call
