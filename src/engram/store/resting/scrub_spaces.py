"""Scrubbing of all spaces at once, also of those that rest."""

from __future__ import annotations

from collections.abc import Callable

from engram.errors import CorruptData, FailedPrecondition, NewerFormat, NotFound
from engram.model.operations.naming_errors import GONE
from engram.store.space_table import SpaceTable


def scrub_spaces(table: SpaceTable, go_on: Callable[[], None]) -> None:
    """Read and check every space of a table, also those that rest, at full speed.

    Parameters
    ----------
    go_on
        Called between pieces; what it raises ends the work.
    """
    for name in table.names():
        try:
            space = table.reopened(name).held()
        except (CorruptData, NewerFormat):
            # It is among the refused ones from now on.
            continue
        except (NotFound, FailedPrecondition) as error:
            if error.code not in GONE:
                raise
            # It has been dropped or renamed meanwhile.
            continue
        try:
            for _ in space.scrub():
                go_on()
        finally:
            space.let_go()
