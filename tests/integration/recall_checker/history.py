"""Everything that a run was told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from engram import RetentionPolicy
from tests.integration.recall_checker.content import Found
from tests.integration.recall_checker.life import Life, Within
from tests.integration.recall_checker.meanings import Meanings


@dataclass(frozen=True, slots=True)
class Recalled:
    """An answered recall.

    Attributes
    ----------
    name, first, last
        The name that was asked for, and the moments before the call and after the answer.
    within
        The times before the call and after the answer.
    life, acked_before
        The space that the name meant before the call, and what was acknowledged in it by then; 0 if the recall named a
        generation.
    cue
        The number of the cue; None if everything was asked for, in the order of generations.
    generation
        The generation that was named; None for the newest.
    snapshots
        The generations that the answer says it is of; none if a stream ended without a batch.
    hides_each
        Whether what is due is left out one by one, as of the times at which each was found, and not as of one time.
    """

    name: str
    first: int
    last: int
    within: Within
    life: Life = field(repr=False)
    acked_before: int
    cue: int | None
    tag: str
    count_max: int
    generation: int | None
    snapshots: frozenset[int]
    hits: Sequence[Found]
    hides_each: bool = False


@dataclass(frozen=True, slots=True)
class TooOld:
    """A call that was refused because its generation was no longer retained.

    Attributes
    ----------
    name, first, last
        As of `Recalled`.
    answered_us
        The time after the answer.
    generation, oldest
        What was asked for, and the oldest generation that was retained, according to the refusal.
    """

    name: str
    first: int
    last: int
    answered_us: int
    generation: int
    oldest: int


@dataclass(slots=True)
class History:
    """Everything that was acknowledged or answered in one run.

    Attributes
    ----------
    retention
        How much history the spaces retain.
    turned_away
        How many calls found no space by the name, or another one than they meant, while names changed.
    dropped, renamed, moved
        How many spaces were dropped and renamed, and how often the alias was moved.
    """

    retention: RetentionPolicy = field(default_factory=RetentionPolicy)
    names: Meanings = field(default_factory=Meanings)
    lives: list[Life] = field(default_factory=list)
    recalled: list[Recalled] = field(default_factory=list)
    too_old: list[TooOld] = field(default_factory=list)
    turned_away: int = 0
    dropped: int = 0
    renamed: int = 0
    moved: int = 0
