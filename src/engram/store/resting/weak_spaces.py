"""Functions for threads that look at the spaces of a store again and again, and must not keep it alive."""

from __future__ import annotations

import contextlib
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


def waking_spaces(table: SpaceTable) -> Callable[[], Iterator[SpaceEngine]]:
    """Return a function that opens the spaces that rest, one after the other, without keeping the store alive."""
    weak = weakref.ref(table)

    def waking() -> Iterator[SpaceEngine]:
        found = weak()
        names = [] if found is None else [summary.config.name for summary in found.resting()]
        del found
        for name in names:
            found = weak()
            if found is None:
                return
            with contextlib.suppress(EngramError):
                # What is wrong with it has been noted, or passes until the next round.
                space = found.reopened(name)
                # This is no use that says that it will be used again.
                space.occupancy.touched = False
                yield space
                del space
            del found

    return waking


def weakly(method: Callable[[SpaceEngine], None]) -> Callable[[SpaceEngine], None]:
    """Return a function that calls `method` without keeping its store alive; the space that is passed does that."""
    weak = weakref.WeakMethod(method)

    def call(space: SpaceEngine) -> None:
        found = weak()
        if found is not None:
            found(space)

    return call
