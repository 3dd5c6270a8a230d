"""One space, from its creation until it is dropped, and what was acknowledged of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]


class Within(NamedTuple):
    """The times before a call and after its answer, in microseconds since 1970 UTC."""

    asked_us: int
    answered_us: int


ANY_TIME: Final = Within(0, 0)
"""Of a call for which time does not matter, as nothing expires."""


class Written(NamedTuple):
    """A new version of an id. In an update, what is None stays as it was, and metadata are merged.

    `expected` is the generation that the live version had to have, 0 for none; None if nothing was expected.
    `expires_us` is when it expires; None: never, or in an update as before.
    """

    generation: int
    id: str
    vector: Vector | None
    tag: str | None
    metadata: Mapping[str, int] | None
    is_update: bool = False
    expected: int | None = None
    expires_us: int | None = None
    within: Within = ANY_TIME


class Deleted(NamedTuple):
    """A deletion, by ids or of what had a tag as of a generation; the empty tag means everything.

    `last` is the generation of the last of its rows, and `gone_count` the number that was told, which leaves out what
    was due.
    """

    last: int
    gone_count: int
    ids: tuple[str, ...] | None
    tag: str
    as_of: int
    acked_before: int
    within: Within = ANY_TIME


class Refused(NamedTuple):
    """A write that was refused because the live version of an id was another one: `found`, 0 for none."""

    id: str
    found: int
    acked_before: int
    within: Within = ANY_TIME


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
    alive_at
        By generations that nobody was given, what was alive then, as the server tells it when the space is left alone:
        ids and their generations. Something that had expired was removed.
    """

    written: list[Written] = field(default_factory=list)
    deleted: list[Deleted] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    followed: dict[int, list[int]] = field(default_factory=dict)
    known: dict[str, int] = field(default_factory=dict)
    alive_at: dict[int, dict[str, int]] = field(default_factory=dict)
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

    def not_given(self) -> list[int]:
        """The generations up to the highest acknowledged one that nobody was given, as far as this is known.

        A deletion also took one for each of its ids that was due, and did not count it.
        """
        given = {change.generation for change in self.written}
        for change in self.deleted:
            given.update(range(change.last - change.gone_count + 1, change.last + 1))
        return [generation for generation in range(1, self.acked + 1) if generation not in given]
