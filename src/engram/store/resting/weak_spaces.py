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
        Whether what keeps it from being opened is noted as a problem of the space.
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


def waking_spaces(table: SpaceTable) -> Callable[[], Iterator[WokenSpace]]:
    """Return a function that opens the spaces that rest, one after the other, without keeping the store alive."""
    weak, opened = weakref.ref(table), opened_again(table)

    def waking() -> Iterator[WokenSpace]:
        found = weak()
        names = [] if found is None else found.resting_names()
        del found
        for name in names:
            space = opened(name)
            known = None if space is None else weakref.ref(space)
            # Whoever is told of it decides for how long it is kept.
            del space
            found = weak()
            is_refused = found is not None and name in found.refused
            del found
            yield WokenSpace(name, known, is_refused)

    return waking


def weakly(method: Callable[[SpaceEngine], None]) -> Callable[[SpaceEngine], None]:
    """Return a function that calls `method` without keeping its store alive; the space that is passed does that."""
    weak = weakref.WeakMethod(method)

    def call(space: SpaceEngine) -> None:
        found = weak()
        if found is not None:
            found(space)

    return call
