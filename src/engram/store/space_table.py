"""The spaces of a store: those that are open, those that rest, and those that cannot be opened."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import Final, cast

from engram.errors import CorruptData, EngramError, FailedPrecondition, NewerFormat, Unavailable
from engram.model.limits import DIMENSION_DEFAULT
from engram.model.operations.naming_errors import name_taken, unknown_space
from engram.model.spaces import DEFAULT_SPACE, METRIC_DEFAULT, Metric, SpaceConfig, check_settings_of
from engram.store.commit.queue import CommitRequest
from engram.store.commit.tail_budget import SpaceRests
from engram.store.resting.known_spaces import KnownSpaces
from engram.store.resting.open_limit import too_many_open
from engram.store.resting.space_opening import SpaceOpening, being_created
from engram.store.resting.space_summaries import SpaceSummaries
from engram.store.space_catalog import SpaceCatalog, StoredSpace
from engram.store.space_engine import SpaceEngine

# How long whoever opens a space waits for another one to come to rest.
_ROOM_TIMEOUT_S: Final = 2.0
_LOOK_S: Final = 0.1
logger: logging.Logger = logging.getLogger(__name__)


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
        super().__init__(catalogue, summaries)
        self.open_max: Final = open_max
        self._opening = SpaceOpening(catalogue, open_space)
        # The spaces that are being closed: whoever opens one again waits for its future.
        self._closing: dict[str, Future[None]] = {}
        # The spaces that are being opened and for which there is room; others wait for it, and take none meanwhile.
        self._admitted: set[str] = set()
        # Names that are being given or taken: nobody opens a space of that name meanwhile, unless it is open already.
        self._leaving: set[str] = set()
        self._waiting = 0
        self._closed = False
        self.commits_before: int = 0

    def load(self, at_start_max: int) -> None:
        """Open every stored space that can be opened, or none if there are more than `at_start_max`.

        The errors of those that cannot be opened are recorded in `refused`.
        """
        names = self._catalogue.names
        if self.open_max is not None and len(names) > min(at_start_max, self.open_max):
            self._resting.update(names)
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
                self._spaces[one.config.name] = opened

    def get(
        self, name: str, dim: int | None, metric: Metric | None, embedder: str | None, *, create: bool, wait: bool
    ) -> SpaceEngine:
        """Return the space that `name` means, opened or created if that is allowed; see `MemoryStore.space`.

        A space that another thread is creating or opening is waited for, with `wait`; otherwise it is `Unavailable` for
        now.
        """
        if not create and (dim, metric, embedder) == (None, None, None) and type(name) is str and name in self._spaces:
            # What every call on a server asks for. Nothing is left to check.
            space = self._found(name, None, wait)
        else:
            # All arguments are checked first, even those that an existing space would ignore.
            config = _asked_for(name, dim, metric, embedder)
            meant = self.resolved(name)
            may_create = meant == name and (create or name == DEFAULT_SPACE)
            space = self._found(meant, config if may_create else None, wait)
            check_settings_of(space.config, dim, metric, embedder)
        space.occupancy.touched = True
        return space

    def reopened(self, name: str) -> SpaceEngine:
        """Return the engine of a space that exists, opened if it rests."""
        return self.get(name, None, None, None, create=False, wait=True)

    def admit(self, request: CommitRequest) -> None:
        """Have the space of `request` admit it, or the engine that took its place, as `SpaceEngine.admit` does."""
        while True:
            try:
                return request.space.admit(request)
            except SpaceRests:
                # Only an engine comes to rest.
                request.space = cast("SpaceEngine", request.space).successor()

    def look_for_room(self) -> None:
        """Wake whoever waits for a space to come to rest, because one may have become idle."""
        if self._waiting:
            with self._changed:
                self._changed.notify_all()

    def close(self) -> None:
        """Refuse to open, create, drop or rename spaces; return when no thread is doing so, or closes one, any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._leaving)
        wait(list(self._spaces.values()))
        wait(list(self._closing.values()))

    @contextmanager
    def leaving(self, *names: str) -> Iterator[None]:
        """Keep names for the body, which gives or takes them: nobody opens or creates a space of that name meanwhile.

        One that is open stays open, and can be used. Waits for whoever opens or closes a space of that name.

        Raises
        ------
        FailedPrecondition
            If the store is closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not any(map(self._is_moving, names)))
            self._check_open()
            self._leaving.update(names)
        try:
            yield
        finally:
            with self._changed:
                self._leaving.difference_update(names)
                self._changed.notify_all()

    def take_out(self, name: str) -> SpaceEngine | None:
        """Take a space that is leaving out of the table, whose life has ended; return its engine if it is open."""
        with self._changed:
            opened = self._spaces.pop(name, None)
            self._resting.discard(name)
            self._lives.pop(name, None)
            self.refused.leave(name)
            self.left.forget(name)
        return None if opened is None else opened.result()

    def add_resting(self, name: str) -> None:
        """Add a stored space that is not open. Its name is one that is leaving."""
        with self._changed:
            self._resting.add(name)

    def _found(self, name: str, new: SpaceConfig | None, wait: bool) -> SpaceEngine:
        """Return a space, opened if it rests, and created with the settings `new` if there is none."""
        opened, is_mine, is_known = self._find(name, new is not None, wait)
        if not is_mine:
            if not (wait or opened.done()):
                raise being_created(name)
            return opened.result()
        try:
            self._make_room(name)
            space = self._wake(name) if is_known or new is None else self._opening.created(new)
        except BaseException as error:
            with self._changed:
                self._admitted.discard(name)
                del self._spaces[name]
                if is_known and isinstance(error, CorruptData | NewerFormat):
                    # Anything else passes, and is tried again at the next use.
                    self._refuse(name, error)
                self._changed.notify_all()
            opened.set_exception(error)
            raise
        with self._changed:
            self.refused.forget(name)
            # From here on, the space says it itself.
            self.left.forget(name)
            opened.set_result(space)
            # As long as it is there, the event loop of a server does not wait for the space.
            self._resting.discard(name)
            self._admitted.discard(name)
            self._changed.notify_all()
        return space

    def _find(self, name: str, create: bool, wait: bool) -> tuple[Future[SpaceEngine], bool, bool]:
        """Return the future of a space, whether the caller must open it, and whether it is stored."""
        with self._changed:
            while True:
                self._check_open()
                opened = self._spaces.get(name)
                if opened is not None:
                    return opened, False, True
                if name not in self._leaving:
                    break
                if not wait:
                    raise being_created(name)
                self._changed.wait(_LOOK_S)
            self.refused.check(name)
            is_known = name in self._resting or name in self.refused
            if not is_known and not create:
                raise unknown_space(name)
            if not is_known and name in self._catalogue.aliases:
                # It became one just now.
                raise name_taken(name, self._catalogue.aliases[name], "space")
            self._spaces[name] = opened = Future()
            return opened, True, is_known

    def _is_moving(self, name: str) -> bool:
        """Return whether a thread opens, closes or renames a space called `name`."""
        opened = self._spaces.get(name)
        return name in self._leaving or name in self._closing or (opened is not None and not opened.done())

    def _check_open(self) -> None:
        if self._closed:
            raise FailedPrecondition("the store is closed", code="closed")

    def _wake(self, name: str) -> SpaceEngine:
        closing = self._closing.get(name)
        if closing is not None:
            closing.result()
        while True:
            try:
                return self._opening.known(name)
            except Unavailable as error:
                leaving = self._retire_one() if error.code == "too_many_files" and self.open_max else None
                if leaving is None:
                    raise
                # Others use the descriptors of this process, too.
                self._close(leaving)

    def _make_room(self, name: str) -> None:
        """Let spaces come to rest until there is room for `name`, and take it.

        Raises
        ------
        OverCapacity
            If too many spaces are in use for too long.
        """
        deadline_s = time.monotonic() + _ROOM_TIMEOUT_S
        while not self._has_taken_room(name):
            leaving = self._retire_one()
            if leaving is not None:
                self._close(leaving)
                continue
            left_s = deadline_s - time.monotonic()
            with self._changed:
                self._check_open()
                if left_s <= 0 and self.open_max is not None:
                    raise too_many_open(name, self.open_max)
                self._waiting += 1
                # The workers wake this thread; other uses end unheard.
                self._changed.wait(min(_LOOK_S, left_s))
                self._waiting -= 1

    def _has_taken_room(self, name: str) -> bool:
        """Take room for one more space, unless too many are open, without those on which threads of the store work."""
        with self._changed:
            opened = [one.result() for one in self._spaces.values() if one.done()]
            taken = len(self._admitted) + len(self._closing) + sum(not one.occupancy.is_visited for one in opened)
            if self.open_max is not None and taken >= self.open_max:
                return False
            self._admitted.add(name)
            return True

    def _retire_one(self) -> SpaceEngine | None:
        """Take an open space that is not in use out of the table, if there is one: about the least recently used."""
        with self._changed:
            # In the first pass, a space that was used since it was last passed is passed again, and goes to the end. In
            # the last one, a little may still have to be linked, which takes long on a machine that is busy otherwise.
            for number in range(3):
                for name, future in list(self._spaces.items()):
                    if not future.done() or name in self._leaving:
                        continue
                    space = future.result()
                    if space.occupancy.touched and not number:
                        space.occupancy.touched = False
                        self._spaces[name] = self._spaces.pop(name)
                    elif space.retire(unlinked=number == 2):
                        del self._spaces[name]
                        self._resting.add(name)
                        self._closing[name] = Future()
                        return space
        return None

    def _close(self, space: SpaceEngine) -> None:
        """Close a space that was taken out of the table; from then on it rests."""
        name = space.config.name
        try:
            self._summaries.note(space.summary())
            self.commits_before += space.stats().commits
            space.health.look()
            space.rest()
        except Exception:
            # All that is stored is in the log; the next opening finds it.
            logger.exception("space %s was not closed in order", name, extra={"space": name})
        finally:
            with self._changed:
                self.left.note(name, space.damages, space.health.problems.all(), space.retention.leases)
                self._came_to_rest += 1
                closing = self._closing.pop(name)
                self._changed.notify_all()
            closing.set_result(None)


def _asked_for(name: str, dim: int | None, metric: Metric | None, embedder: str | None) -> SpaceConfig:
    return SpaceConfig(
        name,
        DIMENSION_DEFAULT if dim is None else dim,
        METRIC_DEFAULT if metric is None else metric,
        "" if embedder is None else embedder,
    )
