"""The health of a space, a store or a server: the problems that it has, each with a name and a level."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from engram.showing import one_line

OK: Final = "ok"
DEGRADED: Final = "degraded"
FAILED: Final = "failed"
LEVELS: Final = (OK, DEGRADED, FAILED)
"""The levels of health, the best first."""


class Problem(NamedTuple):
    """Something that is wrong and stays so until somebody, or a later attempt, ends it.

    Attributes
    ----------
    name
        What is wrong, for programs, such as ``"log_failed"``.
    space
        Name of the space; empty if it concerns the store or the server as a whole.
    level
        ``"degraded"``: everything is answered, but not all of it as it should be. ``"failed"``: writes are refused, or
        the space is not served.
    since_us
        When it was first seen, in microseconds since 1970 UTC.
    message
        What is wrong, in a sentence.
    advice
        What to do about it, in a sentence.
    """

    name: str
    space: str
    level: str
    since_us: int
    message: str
    advice: str

    def __repr__(self) -> str:
        return one_line(self)


def health_of(problems: Iterable[Problem]) -> str:
    """Return the level of the worst problem; ``"ok"`` if there is none.

    A level that only a later version knows counts as the worst.
    """
    return max((problem.level for problem in problems), key=severity, default=OK)


def severity(level: str) -> int:
    """Return a level as a number: 0 ok, 1 degraded, 2 failed."""
    return LEVELS.index(level) if level in LEVELS else len(LEVELS) - 1
