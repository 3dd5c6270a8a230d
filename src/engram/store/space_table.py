"""The spaces of a store: those that are open, those that rest, and those that cannot be opened."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from concurrent.futures import Future
from typing import Final

from engram.errors import EngramError, FailedPrecondition, NotFound, Unavailable
from engram.log.damage import Damages
from engram.metrics import table
from engram.metrics.health import Problem
from engram.metrics.sample import MetricSample
from engram.model.spaces import (
    DEFAULT_SPACE,
    METRIC_DEFAULT,
    VECTORS_DEFAULT,
    Metric,
    SpaceConfig,
    Vectors,
    check_settings_of,
    dimension_of,
)
from engram.store.commit.queue import CommitRequest
from engram.store.commit.tail_budget import SpaceRests
from engram.store.health.unsound_spaces import UnsoundSpaces
from engram.store.resting.left_behind import LeftBehind
from engram.store.resting.open_spaces import OpenSpaces
from engram.store.resting.space_opening import SpaceOpening, being_created, passes
from engram.store.resting.space_summaries import SpaceSummaries, SpaceSummary
from engram.store.space_catalog import SpaceCatalog, StoredSpace
from engram.store.space_engine import SpaceEngine


class SpaceTable:
    """Finds spaces by name, opens them when they are used, and lets others come to rest. Any thread may use it.

    Parameters
    ----------
    catalogue
        The catalogue of the stored spaces.
    summaries
        What is known of the spaces that rest.
    open_space
        Opens a stored space.
    open_max
        Maximum number of open spaces; None: no limit, and no space ever rests.

    Attributes
    ----------
    refused
        The spaces that could not be opened. What is no damage is tried again at the next use.
    left
        What the spaces that rest have left behind.
    """

    def __init__(
        self,
        catalogue: SpaceCatalog,
        summaries: SpaceSummaries,
        open_space: Callable[[StoredSpace], SpaceEngine],
        open_max: int | None,
    ) -> None:
        self.refused: Final = UnsoundSpaces()
        self.left: Final = LeftBehind()
        self._open: Final = OpenSpaces(open_max, summaries, self.left)
        self._catalogue = catalogue
        self._summaries = summaries
        self._opening = SpaceOpening(catalogue, open_space)

    def load(self, at_start_max: int) -> None:
        """Open every stored space that can be opened, or none if there are more than `at_start_max`.

        The errors of those that cannot be opened are recorded in `refused`.
        """
        names = self._catalogue.names
        open_max = self._open.open_max
        if open_max is not None and len(names) > min(at_start_max, open_max):
            self._open.resting.update(names)
            return
        stored, unsound = self._catalogue.load()
        for name, error in unsound.items():
            self._refuse(name, error)
        for one in stored:
            opened: Future[SpaceEngine] = Future()
            try:
                opened.set_result(self._opening.opened(one))
            except EngramError as error:
                self._refuse(one.config.name, error)
            else:
                self._open.by_name[one.config.name] = opened

    def all(self) -> list[SpaceEngine]:
        """Return the open spaces in the order of their names."""
        return self._open.all()

    def has(self, name: str) -> bool:
        """Return whether there is a space called `name`, in whatever state it is."""
        return name in self._open.by_name or name in self._open.resting or name in self.refused

    def names(self) -> list[str]:
        """Return the names of the spaces that can be used, as far as that is known; sorted."""
        with self._open.changed:
            return sorted({*self._open.by_name, *self._open.resting})

    def rests(self, name: str) -> bool:
        """Return whether using the space called `name` would open it, or wait for that."""
        return name in self._open.resting

    def resting_names(self) -> list[str]:
        """Return the names of the spaces that rest, and of those that could not be opened but may be now; sorted."""
        with self._open.changed:
            return sorted({*self._open.resting, *self.refused.passing_names()})

    def resting(self) -> list[SpaceSummary]:
        """Return what is known of the spaces that rest, in the order of their names, without opening them.

        One whose description turns out to be damaged goes to `refused`.
        """
        with self._open.changed:
            names = sorted(self._open.resting)
        found, errors = self._summaries.of_all(names)
        for name, error in errors.items():
            self._refuse(name, error)
        return found

    def damages(self) -> list[Damages]:
        """Return the damage of the list of spaces, of the open spaces, and of those that came to rest."""
        return [self._catalogue.damages, *(space.damages for space in self.all()), *self.left.damages()]

    def commits(self) -> int:
        """Return the number of group commits of all spaces since the store was opened."""
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

    def get(
        self,
        name: str,
        dim: int | None,
        metric: Metric | None,
        embedder: str | None,
        vectors: Vectors | None = None,
        *,
        create: bool,
        wait: bool,
    ) -> SpaceEngine:
        """Return the space called `name`, opened or created if that is allowed; see `MemoryStore.space`.

        A space that another thread is creating or opening is waited for, with `wait`. Without, nothing is opened,
        created or waited for.

        Raises
        ------
        SpaceRests
            Without `wait`, if the space would have to be opened, or created by the caller.
        Unavailable
            Without `wait`, if somebody else is creating it.
        EngramError
            As `MemoryStore.space`.
        """
        has_settings = create or (dim, metric, embedder, vectors) != (None, None, None, None)
        if not has_settings and type(name) is str and name in self._open.by_name:
            # What every call on a server asks for. Nothing is left to check.
            space = self._found(name, None, wait)
        else:
            # All arguments are checked first, even those that an existing space would ignore.
            config = _asked_for(name, dim, metric, embedder, vectors)
            space = self._found(name, config if create or name == DEFAULT_SPACE else None, wait)
            check_settings_of(space.config, dim, metric, embedder, vectors)
        space.occupancy.touched = True
        return space

    def reopened(self, name: str) -> SpaceEngine:
        """Return the engine of a space that exists, opened if it rests."""
        return self.get(name, None, None, None, create=False, wait=True)

    def opened_beside(self, name: str) -> SpaceEngine:
        """Return the engine of a space for work in the background; one that rests is opened beside the others.

        This does not count as a use. A space that was opened for it rests again as soon as nobody works on it.

        Raises
        ------
        OverCapacity
            If there is no room for it now; nobody waits for some.
        EngramError
            As `get`.
        """
        return self._found(name, None, wait=True, beside=True)

    def admit(self, request: CommitRequest) -> None:
        """Have the space of `request` admit it, or the engine that took its place, as `SpaceEngine.admit` does."""
        while True:
            try:
                return request.space.admit(request)
            except SpaceRests:
                request.space = self.reopened(request.space.config.name)

    def look_for_room(self) -> None:
        """Wake somebody who waits for a space to come to rest, because one may have become idle."""
        self._open.look_for_room()

    def close(self) -> None:
        """Refuse to open or create further spaces; return when no thread is doing so, or closes one, any more."""
        self._open.close()

    def save_summaries(self) -> None:
        """Save what is known of spaces that rest, so that the next start can list them; also of the open ones."""
        if self._open.resting:
            for space in self.all():
                self._summaries.note(space.summary())
            self._summaries.save()

    def _found(self, name: str, new: SpaceConfig | None, wait: bool, beside: bool = False) -> SpaceEngine:
        """Return a space, opened if it rests, and created with the settings `new` if there is none."""
        opened, is_mine, is_known = self._find(name, new is not None, wait)
        if not is_mine:
            return opened.result()
        try:
            self._open.take_room(name, beside=beside)
            space = self._wake(name) if is_known or new is None else self._opening.created(new)
        except BaseException as error:
            self._give_up(name, is_known, error)
            opened.set_exception(error)
            raise
        with self._open.changed:
            self.refused.forget(name)
            # From here on, the space says it itself.
            self.left.forget(name)
            self._open.add(name, space)
        return space

    def _find(self, name: str, create: bool, wait: bool) -> tuple[Future[SpaceEngine], bool, bool]:
        """Return the future of a space, whether the caller must open it, and whether it is stored."""
        with self._open.changed:
            if self._open.is_closed:
                raise FailedPrecondition("the store is closed", code="closed")
            is_known = name in self._open.resting or name in self.refused
            opened = self._open.by_name.get(name)
            if opened is not None:
                if not (wait or opened.done()):
                    raise SpaceRests() if is_known or create else being_created(name)
                return opened, False, is_known
            self.refused.check(name)
            if not is_known and not create:
                raise NotFound(f"there is no space {name!r}", code="unknown_space", field="space", value=name)
            if not wait:
                raise SpaceRests
            self._open.by_name[name] = opened = Future()
            return opened, True, is_known

    def _give_up(self, name: str, is_known: bool, error: BaseException) -> None:
        """Let others open a space that could not be opened, and note why, unless that says nothing about the space."""
        with self._open.changed:
            self._open.give_up(name)
            if not is_known and self._catalogue.listed(name).space:
                # It was made, and could not be opened then.
                self._open.resting.add(name)
                is_known = True
        if is_known and isinstance(error, EngramError) and not passes(error):
            # What is no damage is tried again at the next use.
            self._refuse(name, error)

    def _wake(self, name: str) -> SpaceEngine:
        self._open.wait_until_closed(name)
        while True:
            try:
                return self._opening.known(name)
            except Unavailable as error:
                # Others use the descriptors of this process, too.
                if error.code != "too_many_files" or not self._open.free_descriptors():
                    raise

    def _refuse(self, name: str, error: EngramError) -> None:
        with self._open.changed:
            self.refused.refuse(name, error)
            self._open.resting.discard(name)


def _asked_for(
    name: str, dim: int | None, metric: Metric | None, embedder: str | None, vectors: Vectors | None
) -> SpaceConfig:
    return SpaceConfig(
        name,
        dimension_of(dim, vectors),
        METRIC_DEFAULT if metric is None else metric,
        "" if embedder is None else embedder,
        VECTORS_DEFAULT if vectors is None else vectors,
    )
