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


@dataclass(slots=True)
class Heard:
    """What a follower was told behind the generation `since`, without a gap."""

    since: int
    told: list[int] = field(default_factory=list)

    @property
    def last(self) -> int:
        """The generation behind which the follower goes on."""
        return self.told[-1] if self.told else self.since


@dataclass(slots=True, eq=False)
class Life:
    """One space, whatever it is called, and all that was acknowledged of it.

    Attributes
    ----------
    acked
        The highest generation that was acknowledged.
    is_doomed
        Whether it is about to be dropped, or has been: of what happens to it from then on, not all is known.
    sealed
        The highest generation that is known of a space that was dropped. None: it was not dropped.
    known
        By id, the generation of the latest version that was acknowledged, which may have been deleted since.
    followed
        By cue, what was told to who follows it. There are several parts where it had to begin anew, because what it
        missed was no longer retained.
    given
        The generations that somebody was given.
    alive_at
        By generations that nobody was given, what was alive then, as the server tells it when nobody writes to the
        space: ids and their generations. Something that had expired was removed.
    settled
        The newest generation when the server was asked last; all up to it were given to somebody or asked for.
    unsettled
        How many versions were acknowledged since.
    """

    written: list[Written] = field(default_factory=list)
    deleted: list[Deleted] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    followed: dict[int, list[Heard]] = field(default_factory=dict)
    known: dict[str, int] = field(default_factory=dict)
    given: set[int] = field(default_factory=set)
    alive_at: dict[int, dict[str, int]] = field(default_factory=dict)
    acked: int = 0
    settled: int = 0
    unsettled: int = 0
    is_doomed: bool = False
    sealed: int | None = None

    def note_written(self, changes: Sequence[Written]) -> None:
        """Add new versions that were acknowledged."""
        self.written.extend(changes)
        for change in changes:
            self.known[change.id] = max(change.generation, self.known.get(change.id, 0))
            self.given.add(change.generation)
        self.acked = max(self.acked, changes[-1].generation)
        self.unsettled += len(changes)

    def note_deleted(self, change: Deleted) -> None:
        """Add a deletion that was acknowledged, of at least one row.

        It also took a generation for each of its ids that was due, and did not count it.
        """
        self.deleted.append(change)
        self.given.update(range(change.last - change.gone_count + 1, change.last + 1))
        self.acked = max(self.acked, change.last)

    def not_given(self, newest: int) -> list[int]:
        """The generations up to `newest` that nobody was given, behind those that the server was asked for already."""
        return [generation for generation in range(self.settled + 1, newest + 1) if generation not in self.given]

    def note_settled(self, newest: int) -> None:
        """Note that all generations up to `newest` are known."""
        self.settled, self.unsettled = newest, 0
