"""What is known of the spaces of a store without opening any: which there are, in what state, and what is wrong."""

from __future__ import annotations

from collections.abc import Container, Iterator
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
from engram.store.resting.open_spaces import OpenSpaces
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
    open_max
        Maximum number of open spaces; None: no limit, and no space ever rests.

    Attributes
    ----------
    refused
        The spaces that could not be opened. What is no damage is tried again at the next use.
    left
        What the spaces that rest have left behind.
    """

    def __init__(self, catalogue: SpaceCatalog, summaries: SpaceSummaries, open_max: int | None) -> None:
        self.refused: Final = UnsoundSpaces()
        self.left: Final = LeftBehind()
        self._open: Final = OpenSpaces(open_max, summaries, self.left)
        self._catalogue = catalogue
        self._summaries = summaries
        # What the engines, handles and sessions of a space share, for as long as there are any.
        self._lives: WeakValueDictionary[str, SpaceLife] = WeakValueDictionary()

    def all(self) -> list[SpaceEngine]:
        """Return the open spaces in the order of their names."""
        return self._open.all()

    def is_space(self, name: str) -> bool:
        """Return whether a space is called `name`, in whatever state it is. Takes no lock."""
        return name in self._open.by_name or name in self._open.resting or name in self.refused

    def resolved(self, name: str) -> str:
        """Return the name of the space that `name` means: itself, unless it is an alias. Takes no lock."""
        return name if self.is_space(name) else self._catalogue.aliases.get(name, name)

    def has(self, name: str) -> bool:
        """Return whether there is a space called `name`, or with that alias, in whatever state it is."""
        return self.is_space(self.resolved(name))

    def names(self) -> list[str]:
        """Return the names of the spaces that can be used, as far as that is known; sorted."""
        with self._open.changed:
            return sorted({*self._open.by_name, *self._open.resting})

    def all_names(self) -> list[str]:
        """Return the names of all spaces, also of those that cannot be used; sorted."""
        return sorted({*self.names(), *self.refused.names()})

    def rests(self, name: str) -> bool:
        """Return whether using the space called `name` would open it, or wait for that. Takes no lock."""
        return self.resolved(name) in self._open.resting

    def resting_names(self) -> list[str]:
        """Return the names of the spaces that rest, and of those that could not be opened but may be now; sorted."""
        with self._open.changed:
            return sorted({*self._open.resting, *self.refused.passing_names()})

    def life(self, name: str) -> SpaceLife:
        """Return the life of the space called `name`, which everybody shares who uses it."""
        with self._open.changed:
            life = self._lives.get(name)
            if life is None:
                life = self._lives[name] = SpaceLife()
            return life

    def resting(self) -> list[SpaceSummary]:
        """Return what is known of the spaces that rest, in the order of their names, without opening them.

        One whose description turns out to be damaged goes to `refused`.
        """
        with self._open.changed:
            names = sorted(self._open.resting)
        found, errors = self._summaries.of_all(names)
        for name, error in errors.items():
            with self._open.changed:
                # It may have been dropped while it was looked for.
                if name in self._open.resting:
                    self._refuse(name, error)
        return found

    def damages(self) -> list[Damages]:
        """Return the damage of the list of spaces, of the open spaces, and of those that came to rest."""
        return [self._catalogue.damages, *(space.damages for space in self.all()), *self.left.damages()]

    def commits(self) -> int:
        """Return the number of group commits of all spaces since the store was opened, dropped ones included."""
        spaces = self.all()
        at_rest = self.left.counters.total(table.COMMITS.name, {space.config.name for space in spaces})
        return int(at_rest) + sum(space.stats().commits for space in spaces)

    def samples(self, open_names: Container[str]) -> Iterator[MetricSample]:
        """Yield the metrics of the table, of all spaces but the open ones, and of the list of spaces.

        Parameters
        ----------
        open_names
            Names of the spaces that are open, as the caller has listed them before.
        """
        yield from self.refused.samples()
        yield from self.left.samples(open_names, self.refused.errors)
        yield table.OPEN_SPACES.sample(len(self._open.by_name))
        yield table.RESTING_SPACES.sample(len(self._open.resting))
        yield table.SPACES_RESTED.sample(self._open.came_to_rest)
        yield table.DAMAGED_PLACES.sample(self._catalogue.damages.count, self._catalogue.damages.space)

    def problems(self) -> tuple[Problem, ...]:
        """Return the problems of the spaces that could not be opened, and of those that rest, which are not opened."""
        return (*self.refused.problems(), *self.left.problems())

    def save_summaries(self) -> None:
        """Save what is known of spaces that rest, so that the next start can list them; also of the open ones."""
        if self._open.resting:
            for space in self.all():
                self._summaries.note(space.summary())
            self._summaries.save()

    def _refuse(self, name: str, error: EngramError) -> None:
        with self._open.changed:
            self.refused.refuse(name, error)
            self._open.resting.discard(name)
