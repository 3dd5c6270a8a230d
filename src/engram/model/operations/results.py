"""The results of operations that have no other home: those of recalls, writes and look-ups are with their nouns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self

from engram.errors import InvalidInput
from engram.model.limits import ANSWER_HITS_MAX, MESSAGE_BYTES_MAX
from engram.model.operations.status import SpaceStatus, UnsoundSpace
from engram.model.scans.facets import Facets

RESULTS_BYTES: Final = "results_bytes"
"""Code of the error that a result is too large for one message; a stream of it is not."""


def result_too_large(result: object, nbytes: int) -> InvalidInput:
    """Return the error that a result without hits is too large for an answer. Retrying does not help."""
    is_of_facets = isinstance(result, Facets)
    which, advice = ("facets", ": ask for fewer values or facets") if is_of_facets else ("results", "")
    return InvalidInput(
        f"the {which} are {nbytes} bytes, and an answer has at most {MESSAGE_BYTES_MAX}{advice}",
        code=RESULTS_BYTES,
        field="limit" if is_of_facets else "",
        limit=MESSAGE_BYTES_MAX,
        value=nbytes,
    )


def too_many_hits(hits: int, cues: int) -> InvalidInput:
    """Return the error that `cues` cues have found too many hits for one answer. Retrying does not help."""
    return InvalidInput(
        f"the first {cues} cues have {hits} hits, and an answer has at most {ANSWER_HITS_MAX}: ask for fewer cues at "
        "once, or a smaller k",
        code=RESULTS_BYTES,
        field="cues",
        limit=ANSWER_HITS_MAX,
        value=hits,
    )


def answer_too_large(nbytes: int, cues: int) -> InvalidInput:
    """Return the error that the hits of `cues` cues are too large for one answer. Retrying does not help."""
    return InvalidInput(
        f"the hits of the first {cues} cues are {nbytes} bytes, and an answer has at most {MESSAGE_BYTES_MAX}: ask for "
        "fewer cues at once, or a smaller k",
        code=RESULTS_BYTES,
        field="cues",
        limit=MESSAGE_BYTES_MAX,
        value=nbytes,
    )


@dataclass(frozen=True, slots=True)
class SnapshotTaken:
    """The generation of a snapshot.

    Parameters
    ----------
    generation
        The generation, as of which recalls and look-ups can be answered while the server retains it.
    """

    generation: int


@dataclass(frozen=True, slots=True)
class SpaceList:
    """The spaces of a server.

    Parameters
    ----------
    spaces
        The spaces that can be used.
    unsound
        The spaces that exist but could not be opened.
    """

    spaces: tuple[SpaceStatus, ...]
    unsound: tuple[UnsoundSpace, ...] = ()


class Counted(int):
    """The answer to `count`. As a number, it says how many observations pass.

    Parameters
    ----------
    count
        Number of observations.
    generation
        Generation as of which they were counted.
    """

    generation: int

    def __new__(cls, count: int, generation: int) -> Self:
        """Make the answer to one count."""
        counted = super().__new__(cls, count)
        counted.generation = generation
        return counted

    def __repr__(self) -> str:
        return f"Counted({int(self)}, generation={self.generation})"

    def __str__(self) -> str:
        return int.__repr__(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return Counted, (int(self), self.generation)
