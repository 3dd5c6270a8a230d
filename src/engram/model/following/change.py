"""The changes of a space, as a change feed tells them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from engram.model.hit import Hit
from engram.showing import one_line

ChangeKind = Literal["observed", "updated", "deleted", "expired", "left"]
KINDS: Final[tuple[ChangeKind, ...]] = get_args(ChangeKind)
WITH_HIT: Final[frozenset[ChangeKind]] = frozenset({"observed", "updated"})
"""The kinds that come with the new version of the observation."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a space, which is a version that began or ended at one generation.

    Parameters
    ----------
    kind
        ``"observed"``: the id was not alive before. ``"updated"``: a version that was alive is superseded, by an
        observation of the same id or an update. ``"deleted"``. ``"expired"``: it was due when it was removed.
        ``"left"``, of a feed with a filter: a version that passed is superseded by one that does not pass.
    id
        Id of the observation.
    generation
        Generation of the change. Going on after it, nothing is missed and nothing is told twice.
    replaces
        Generation of the version that ended; None if there was none, or nothing is left of it.
    hit
        The new version of what was observed or updated; None for the other kinds.
    """

    kind: ChangeKind
    id: str
    generation: int
    replaces: int | None = None
    hit: Hit | None = None

    def __repr__(self) -> str:
        return one_line(self)


class Changes(list[Change]):
    """Some changes of a space, in the order of generations.

    Attributes
    ----------
    generation
        Generation up to which everything has been told, with these changes.
    incomplete
        Whether changes were left out, now or before, because stored bytes are damaged.
    """

    def __init__(self, changes: Iterable[Change] = (), generation: int = 0, incomplete: bool = False) -> None:
        super().__init__(changes)
        self.generation = generation
        self.incomplete = incomplete

    def __reduce__(self) -> tuple[Any, ...]:
        return Changes, (list(self), self.generation, self.incomplete)

    @property
    def hits(self) -> list[Hit]:
        """The new versions, in the order of their changes."""
        return [change.hit for change in self if change.hit is not None]

    def halves(self) -> tuple[Changes, Changes]:
        """Return the first half of the changes, of which there are several, and the others."""
        middle = len(self) // 2
        return (
            Changes(self[:middle], self[middle - 1].generation, self.incomplete),
            Changes(self[middle:], self.generation, self.incomplete),
        )


def with_hits(told: Iterable[tuple[ChangeKind, str, int, int | None]], hits: Iterable[Hit]) -> list[Change]:
    """Return changes that were sent apart from their hits.

    Parameters
    ----------
    told
        The kind, the id, the generation and the replaced generation of each change.
    hits
        The hits of those changes that have one, in their order.
    """
    left = iter(hits)
    return [
        Change(kind, id, generation, replaces, next(left, None) if kind in WITH_HIT else None)
        for kind, id, generation, replaces in told
    ]
