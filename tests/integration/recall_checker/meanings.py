"""Which space a name meant when: names are given, taken and moved while calls that use them are under way.

Moments are numbers that rise with whatever the run sends or receives. Between the moment at which a change is sent and
the one at which its answer is received, nobody knows whether it has been made.
"""

from __future__ import annotations

import itertools
import sys
from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from engram.model.operations.naming_errors import GONE
from tests.integration.recall_checker.life import Life

NEVER: Final = sys.maxsize
ABSENT: Final = frozenset({*GONE, "being_created"})
"""Codes of the errors that a name means no space at this moment."""


@dataclass(slots=True, eq=False)
class Meaning:
    """A name of a space, for as long as it means it.

    Attributes
    ----------
    asked, made
        It may mean the space from the moment `asked` on, and certainly does from `made` on.
    ending, ended
        It certainly means the space until the moment `ending`, and cannot mean it any more after `ended`.
    took_over, handed_over
        Whether the name meant another space before, or means another one afterwards, without a moment in between.
    """

    name: str
    life: Life
    asked: int
    took_over: bool = False
    made: int = NEVER
    ending: int = NEVER
    ended: int = NEVER
    handed_over: bool = False

    @property
    def stands(self) -> bool:
        """Whether it is made, and nothing ends it yet."""
        return self.made < NEVER and self.ending == NEVER

    @property
    def is_over(self) -> bool:
        """Whether something ends it, or has ended it."""
        return self.ending < NEVER


class Meanings:
    """All names and what they meant, in the order of the moments."""

    def __init__(self) -> None:
        self._moments = itertools.count(1)
        self._of_name: defaultdict[str, list[Meaning]] = defaultdict(list)

    def moment(self) -> int:
        """A moment later than all before."""
        return next(self._moments)

    def ask(self, name: str, life: Life, *, took_over: bool = False) -> Meaning:
        """Note that a name is about to be given."""
        meaning = Meaning(name, life, self.moment(), took_over)
        self._of_name[name].append(meaning)
        return meaning

    def make(self, meaning: Meaning) -> None:
        """Note that a name has been given."""
        meaning.made = self.moment()

    def begin_end(self, meaning: Meaning, *, handed_over: bool = False) -> None:
        """Note that a name is about to be taken, or to be moved to another space."""
        meaning.handed_over = handed_over
        meaning.ending = self.moment()

    def end(self, meaning: Meaning) -> None:
        """Note that a name has been taken or moved."""
        meaning.ended = self.moment()

    def standing(self) -> list[Meaning]:
        """The names that mean a space now, and go on to."""
        return [meaning for meaning in self._all() if meaning.stands]

    def open(self) -> list[Meaning]:
        """The names that mean a space now, or did so a moment ago, as far as anybody knows."""
        return [meaning for meaning in self._all() if meaning.made < NEVER and meaning.ended == NEVER]

    def lives(self, name: str, first: int, last: int) -> list[Life]:
        """The spaces that a name may have meant at some time between two moments."""
        may_be = [each for each in self._of_name[name] if each.asked <= last and first <= each.ended]
        return list(dict.fromkeys(meaning.life for meaning in may_be))

    def is_there(self, name: str, first: int, last: int) -> bool:
        """Whether a name certainly meant one space or another all the time between two moments."""
        until = first
        for meaning in self._of_name[name]:
            begin = meaning.asked if meaning.took_over else meaning.made
            end = meaning.ended if meaning.handed_over else meaning.ending
            if begin <= until <= end:
                until = end
        return until >= last

    def _all(self) -> list[Meaning]:
        return [meaning for meanings in self._of_name.values() for meaning in meanings[-2:]]
