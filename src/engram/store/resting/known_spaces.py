"""What is known of the spaces of a store without opening any: which there are, in what state, and what is wrong."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

from engram.errors import EngramError
from engram.log.damage import Damages
from engram.metrics import table
from engram.metrics.health import Problem
from engram.metrics.sample import MetricSample
from engram.store.health.unsound_spaces import UnsoundSpaces
from engram.store.naming.space_life import SpaceLife
from engram.store.resting.left_behind import LeftBehind
from engram.store.resting.space_summaries import SpaceSummaries, SpaceSummary
from engram.store.space_catalog import SpaceCatalog

if TYPE_CHECKING:
    from engram.store.space_engine import SpaceEngine


class KnownSpaces:
    """The spaces of a store, as far as they are known; the base class of `SpaceTable`. Any thread may use it.

    Parameters
    ----------
    catalogue
        The catalogue of the stored spaces.
    summaries
        What is known of the spaces that rest.

    Attributes
    ----------
    refused
        The spaces that could not be opened. What was a shortage is tried again at the next use.
    left
        What the spaces that rest have left behind.
    """

    def __init__(self, catalogue: SpaceCatalog, summaries: SpaceSummaries) -> None:
        self.refused: Final = UnsoundSpaces()
        self.left: Final = LeftBehind()
        self._catalogue = catalogue
        self._summaries = summaries
        # By name, about the least recently used first. While a space is opened, its future keeps others from doing so.
        self._spaces: dict[str, Future[SpaceEngine]] = {}
        self._resting: set[str] = set()
        # What the engines, handles and sessions of a space share, for as long as there are any.
        self._lives: WeakValueDictionary[str, SpaceLife] = WeakValueDictionary()
        self._changed = threading.Condition()
        self._came_to_rest = 0

    def all(self) -> list[SpaceEngine]:
        """Return the open spaces in the order of their names."""
        with self._changed:
            opened = sorted(self._spaces.items())
        return [future.result() for _, future in opened if future.done() and future.exception() is None]

    def is_space(self, name: str) -> bool:
        """Return whether a space is called `name`, in whatever state it is. Takes no lock."""
        return name in self._spaces or name in self._resting or name in self.refused

    def resolved(self, name: str) -> str:
        """Return the name of the space that `name` means: itself, unless it is an alias. Takes no lock."""
        return name if self.is_space(name) else self._catalogue.aliases.get(name, name)

    def has(self, name: str) -> bool:
        """Return whether there is a space called `name`, or with that alias, in whatever state it is."""
        return self.is_space(self.resolved(name))

    def names(self) -> list[str]:
        """Return the names of the spaces that can be used, as far as that is known; sorted."""
        with self._changed:
            return sorted({*self._spaces, *self._resting})

    def all_names(self) -> list[str]:
        """Return the names of all spaces, also of those that cannot be used; sorted."""
        return sorted({*self.names(), *self.refused.names()})

    def rests(self, name: str) -> bool:
        """Return whether using the space called `name` would open it, or wait for that. Takes no lock."""
        return self.resolved(name) in self._resting

    def life(self, name: str) -> SpaceLife:
        """Return the life of the space called `name`, which everybody shares who uses it."""
        with self._changed:
            life = self._lives.get(name)
            if life is None:
                life = self._lives[name] = SpaceLife()
            return life

    def resting(self) -> list[SpaceSummary]:
        """Return what is known of the spaces that rest, in the order of their names, without opening them.

        One whose description turns out to be damaged goes to `refused`.
        """
        with self._changed:
            names = sorted(self._resting)
        found, errors = self._summaries.of_all(names)
        for name, error in errors.items():
            with self._changed:
                # It may have been dropped while it was looked for.
                if name in self._resting:
                    self._refuse(name, error)
        return found

    def damages(self) -> list[Damages]:
        """Return the damage of the list of spaces, of the open spaces, and of those that came to rest."""
        return [self._catalogue.damages, *(space.damages for space in self.all()), *self.left.damages()]

    def samples(self) -> Iterator[MetricSample]:
        """Yield the metrics of the table, of the spaces that cannot be used, and of the list of spaces."""
        yield from self.refused.samples()
        yield from self.left.samples()
        yield table.OPEN_SPACES.sample(len(self._spaces))
        yield table.RESTING_SPACES.sample(len(self._resting))
        yield table.SPACES_RESTED.sample(self._came_to_rest)
        yield table.DAMAGED_PLACES.sample(self._catalogue.damages.count, self._catalogue.damages.space)

    def problems(self) -> tuple[Problem, ...]:
        """Return the problems of the spaces that could not be opened, and of those that rest, which are not opened."""
        return (*self.refused.problems(), *self.left.problems())

    def save_summaries(self) -> None:
        """Save what is known of spaces that rest, so that the next start can list them; also of the open ones."""
        if self._resting:
            for space in self.all():
                self._summaries.note(space.summary())
            self._summaries.save()

    def _refuse(self, name: str, error: EngramError) -> None:
        with self._changed:
            self.refused.refuse(name, error)
            self._resting.discard(name)
