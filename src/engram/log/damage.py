"""The damage that was found in a space: named, counted, and told once."""

from __future__ import annotations

import logging
import threading
from typing import Final

from engram.model.damage import Damage

# More places are counted and not remembered: somebody who has a hundred must repair the space anyway.
_REMEMBERED_MAX: Final = 100
logger = logging.getLogger(__name__)


class Damages:
    """The damage of one space since it was opened. Any thread may report and look.

    Parameters
    ----------
    space
        The space's name.
    remembered_max
        How many places are remembered one by one; others are only counted.
    """

    def __init__(self, space: str = "", remembered_max: int = _REMEMBERED_MAX) -> None:
        self.space: Final = space
        self._remembered_max = remembered_max
        self._guard = threading.Lock()
        self._found: dict[tuple[str, int], Damage] = {}
        self._count = 0

    @property
    def count(self) -> int:
        """Distinct damaged places found, including those that are not remembered one by one."""
        return self._count

    def all(self) -> tuple[Damage, ...]:
        """The first damaged places found, in the order of finding."""
        with self._guard:
            return tuple(self._found.values())

    def report(self, file: str, offset: int, first_generation: int, last_generation: int, what: str) -> Damage:
        """Note a damaged place and return it; what is known already is not counted again."""
        damage = Damage(self.space, file, offset, first_generation, last_generation, what)
        with self._guard:
            if (file, offset) in self._found:
                return damage
            self._count += 1
            if len(self._found) < self._remembered_max:
                self._found[file, offset] = damage
        logger.error("%s", damage.message)
        return damage
