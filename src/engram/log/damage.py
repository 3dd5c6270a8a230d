"""The damage found in one space: recorded by place, counted, and logged."""

from __future__ import annotations

import logging
import threading
from typing import Final

from engram.model.damage import Damage

# Further places are only counted: a space with a hundred damaged places has to be repaired anyway.
_REMEMBERED_MAX: Final = 100
# The places of further ones are known up to this number, so that reading them again does not count them again.
_KNOWN_MAX: Final = 100_000
logger: logging.Logger = logging.getLogger(__name__)


class Damages:
    """The damage found in one space since it was opened. Any thread may call the methods.

    Parameters
    ----------
    space
        The space's name.
    remembered_max
        Number of places that are recorded individually; further ones are only counted.
    """

    def __init__(self, space: str = "", remembered_max: int = _REMEMBERED_MAX) -> None:
        self.space: Final = space
        self._remembered_max = remembered_max
        self._guard = threading.Lock()
        self._found: dict[tuple[str, int], Damage] = {}
        self._known: set[tuple[str, int]] = set()
        self._count = 0
        self._is_over = False

    @property
    def count(self) -> int:
        """Number of distinct damaged places found."""
        return self._count

    def all(self) -> tuple[Damage, ...]:
        """Return the recorded damaged places, in the order in which they were found."""
        with self._guard:
            return tuple(self._found.values())

    def renamed(self, space: str) -> Damages:
        """Return the same damage as found in the space under its new name. This is not logged again."""
        renamed = Damages(space, self._remembered_max)
        with self._guard:
            renamed._found = {place: damage._replace(space=space) for place, damage in self._found.items()}
            renamed._known, renamed._count = set(self._known), self._count
        return renamed

    def end(self) -> None:
        """Record nothing more: the files belong to nobody any more, and may be removed or moved."""
        with self._guard:
            self._is_over = True

    def report(self, file: str, offset: int, first_generation: int, last_generation: int, what: str) -> Damage:
        """Record a damaged place and return it. A place that is already known is not counted or logged again."""
        damage = Damage(self.space, file, offset, first_generation, last_generation, what)
        with self._guard:
            if self._is_over or (file, offset) in self._known:
                return damage
            self._count += 1
            if len(self._known) < _KNOWN_MAX:
                self._known.add((file, offset))
            if len(self._found) < self._remembered_max:
                self._found[file, offset] = damage
        logger.error("%s", damage.message, extra={"space": self.space})
        return damage
