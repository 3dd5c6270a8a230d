"""Scrubbing of all spaces at once, also of those that rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from engram.errors import EngramError, OverCapacity
from engram.model.operations.naming_errors import GONE
from engram.store.space_engine import SpaceEngine
from engram.store.space_table import SpaceTable


def scrub_spaces(table: SpaceTable, go_on: Callable[[], None]) -> None:
    """Read and check every space of a table, also those that rest, at full speed.

    Parameters
    ----------
    go_on
        Called between pieces; what it raises ends the work.

    Raises
    ------
    OverCapacity
        At the end, if some spaces could not be opened beside those that are in use.
    """
    crowded: OverCapacity | None = None
    for name in table.names():
        try:
            with _visited(table, name) as space:
                for _ in space.scrub():
                    go_on()
        except OverCapacity as error:
            # It keeps no other from being read.
            crowded = error
        except EngramError as error:
            # What is wrong with it is noted, or it has been dropped or renamed meanwhile.
            if name not in table.refused and error.code not in GONE:
                raise
    if crowded is not None:
        raise crowded


@contextmanager
def _visited(table: SpaceTable, name: str) -> Iterator[SpaceEngine]:
    """Return the engine of a space, which does not come to rest during the body."""
    space = table.opened_beside(name)
    while not space.occupancy.hold(visiting=True):
        space = table.opened_beside(name)
    try:
        yield space
    finally:
        space.occupancy.release(visiting=True)
