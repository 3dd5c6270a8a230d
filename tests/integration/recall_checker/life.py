"""One space, from its creation until it is dropped, and what was acknowledged of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]


class Written(NamedTuple):
    """A new version of an id. In an update, what is None stays as it was, and metadata are merged.

    `expected` is the generation that the live version had to have, 0 for none; None if nothing was expected.
    """

    generation: int
    id: str
    vector: Vector | None
    tag: str | None
    metadata: Mapping[str, int] | None
    is_update: bool = False
    expected: int | None = None


class Deleted(NamedTuple):
    """A deletion, by ids or of what had a tag as of a generation; the empty tag means everything.

    `last` is the generation of the last of its rows, and `count` the number that was told.
    """

    last: int
    count: int
    ids: tuple[str, ...] | None
    tag: str
    as_of: int
    acked_before: int


class Refused(NamedTuple):
    """A write that was refused because the live version of an id was another one: `found`, 0 for none."""

    id: str
    found: int
    acked_before: int


@dataclass(slots=True, eq=False)
class Life:
    """One space, whatever it is called, and all that was acknowledged of it.

    Attributes
    ----------
    acked
        The highest generation that was acknowledged.
    sealed
        The highest generation that was acknowledged before it was dropped; what was written later is not known. None:
        it was not dropped.
    known
        By id, the generation of the latest version that was acknowledged, which may have been deleted since.
    followed
        By cue, the generations that were told to who follows it.
    """

    written: list[Written] = field(default_factory=list)
    deleted: list[Deleted] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    followed: dict[int, list[int]] = field(default_factory=dict)
    known: dict[str, int] = field(default_factory=dict)
    acked: int = 0
    sealed: int | None = None

    def note_written(self, changes: Sequence[Written]) -> None:
        """Add new versions that were acknowledged."""
        self.written.extend(changes)
        for change in changes:
            self.known[change.id] = max(change.generation, self.known.get(change.id, 0))
        self.acked = max(self.acked, changes[-1].generation)

    def note_deleted(self, change: Deleted) -> None:
        """Add a deletion that was acknowledged, of at least one row."""
        self.deleted.append(change)
        self.acked = max(self.acked, change.last)
