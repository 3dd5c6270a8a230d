"""The spaces of a store: those that are open, those that rest, and those that cannot be opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Final, cast

from engram.errors import EngramError, FailedPrecondition, Unavailable
from engram.model.operations.naming_errors import name_taken, unknown_space
from engram.model.spaces import (
    Metric,
    SpaceConfig,
    Vectors,
    asked_config,
    asks_for_settings,
    check_settings_of,
    may_create,
)
from engram.model.values.expiry import Ttl, checked_ttl_s
from engram.store.commit.queue import CommitRequest
from engram.store.commit.tail_budget import SpaceRests
from engram.store.resting.known_spaces import KnownSpaces
from engram.store.resting.space_opening import SpaceOpening, being_created, passes
from engram.store.resting.space_summaries import SpaceSummaries
from engram.store.space_catalog import SpaceCatalog, StoredSpace
from engram.store.space_engine import SpaceEngine

_LOOK_S: Final = 0.1


class SpaceTable(KnownSpaces):
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
    """

    def __init__(
        self,
        catalogue: SpaceCatalog,
        summaries: SpaceSummaries,
        open_space: Callable[[StoredSpace], SpaceEngine],
        open_max: int | None,
    ) -> None:
        super().__init__(catalogue, summaries, open_max)
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
            name = one.config.name
            try:
                space = self._opening.opened(one)
            except EngramError as error:
                self._refuse(name, error)
            else:
                with self._open.changed:
                    self._open.by_name[name] = Future()
                    self._open.add(name, space)

    def get(
        self,
        name: str,
        dim: int | None,
        metric: Metric | None,
        embedder: str | None,
        vectors: Vectors | None = None,
        ttl: Ttl | None = None,
        *,
        create: bool | None,
        wait: bool,
    ) -> SpaceEngine:
        """Return the space that `name` means, opened or created if that is allowed; see `MemoryStore.space`.

        A space that another thread is creating or opening is waited for, with `wait`. Without, nothing is opened,
        created or waited for.

        Raises
        ------
        SpaceRests
            Without `wait`, if the space would have to be opened, or created by the caller.
        Unavailable
            Without `wait`, if somebody else is creating, dropping or renaming it.
        EngramError
            As `MemoryStore.space`.
        """
        asks = asks_for_settings(dim, metric, embedder, vectors, ttl)
        creates = may_create(name, create, asks)
        if not (asks or creates) and type(name) is str and name in self._open.by_name:
            # What every call on a server asks for. Nothing is left to check.
            found = self._open.engines.get(name)
            space = self._found(name, None, wait) if found is None else found
        else:
            # All arguments are checked first, even those that an existing space would ignore.
            config = asked_config(name, dim, metric, embedder, vectors, checked_ttl_s(ttl))
            meant = self.resolved(name)
            space = self._found(meant, config if creates and meant == name else None, wait)
            check_settings_of(space.config, dim, metric, embedder, vectors, config.ttl_s)
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
                # Only an engine comes to rest.
                request.space = cast("SpaceEngine", request.space).successor()

    def look_for_room(self) -> None:
        """Wake somebody who waits for a space to come to rest, because one may have become idle."""
        self._open.look_for_room()

    def close(self) -> None:
        """Refuse to open, create, drop or rename spaces; return when no thread is doing so, or closes one, any more."""
        self._open.close()

    @contextmanager
    def leaving(self, *names: str) -> Iterator[None]:
        """Keep names for the body, which gives or takes them: nobody opens or creates a space of that name meanwhile.

        One that is open stays open, and can be used. Waits for whoever opens or closes a space of that name.

        Raises
        ------
        FailedPrecondition
            If the store is closed.
        """
        opened = self._open
        with opened.changed:
            opened.settled.wait_for(lambda: opened.is_closed or not any(map(opened.is_busy, names)))
            self._check_open()
            opened.leaving.update(names)
        try:
            yield
        finally:
            with opened.changed:
                opened.leaving.difference_update(names)
                opened.settled.notify_all()

    def take_out(self, name: str) -> SpaceEngine | None:
        """Take a space that is leaving out of the table, whose life has ended; return its engine if it is open.

        What it has left stays in `left` until the engine, which the caller closes, has been taken into account there.
        """
        with self._open.changed:
            space = self._open.remove(name)
            self._lives.pop(name, None)
            self.refused.leave(name)
            if space is not None:
                with suppress(MemoryError):
                    # From here on it is not listed, so that its counters must be.
                    self.left.counters.note(name, space.counters())
        return space

    def add_resting(self, name: str) -> None:
        """Add a stored space that is not open. Its name is one that is leaving."""
        with self._open.changed:
            self._open.resting.add(name)

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
            self._wait_until_given(name, wait)
            is_known = name in self._open.resting or name in self.refused
            opened = self._open.by_name.get(name)
            if opened is not None:
                if not (wait or opened.done()):
                    raise SpaceRests() if is_known or create else being_created(name)
                return opened, False, is_known
            self.refused.check(name)
            if not is_known and not create:
                raise unknown_space(name)
            if not is_known and name in self._catalogue.aliases:
                # It became one just now.
                raise name_taken(name, self._catalogue.aliases[name], "space")
            if not wait:
                raise SpaceRests
            self._open.by_name[name] = opened = Future()
            return opened, True, is_known

    def _wait_until_given(self, name: str, wait: bool) -> None:
        """Return when a name is not leaving, or its space is open. The caller holds the lock.

        Raises
        ------
        FailedPrecondition
            If the store is closed.
        SpaceRests, Unavailable
            Without `wait`, if it is leaving: that of a space that rests, and any other.
        """
        self._check_open()
        while name in self._open.leaving and name not in self._open.by_name:
            if not wait:
                raise SpaceRests() if self.is_space(name) else being_created(name)
            self._open.settled.wait(_LOOK_S)
            self._check_open()

    def _check_open(self) -> None:
        if self._open.is_closed:
            raise FailedPrecondition("the store is closed", code="closed")

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
