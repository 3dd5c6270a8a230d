"""The part of an open space by which it comes to rest."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Self
from weakref import ref

from engram.errors import EngramError
from engram.model.following.follow_changes import FollowChanges
from engram.model.query import RecallQuery
from engram.model.spaces import SpaceConfig
from engram.store.commit.tail_budget import TailBudget
from engram.store.indexing.index_maintenance import IndexMaintenance
from engram.store.meter.recall_meter import RecallMeter
from engram.store.naming.space_life import SpaceLife
from engram.store.options import StoreOptions
from engram.store.recall.space_recalls import SpaceRecalls
from engram.store.recall.stream import RecallStream
from engram.store.resting.occupancy import Occupancy
from engram.store.resting.space_summaries import SpaceSummary
from engram.store.space_state import SpaceState
from engram.store.subscriptions.change_stream import ChangeStream

logger: logging.Logger = logging.getLogger(__name__)


@contextmanager
def closed_whatever_fails(name: str) -> Iterator[None]:
    """Close the space `name` in the body; what fails then is logged, and where, if it is no typed error.

    All that is stored is in the log; the next opening finds it.
    """
    try:
        yield
    except EngramError as error:
        logger.warning("space %s was not closed in order: %s", name, error, extra={"space": name})
    except Exception:
        logger.exception("space %s was not closed in order", name, extra={"space": name})


class RestableSpace(SpaceRecalls):
    """A space that can be read, and can come to rest; the base class of `SpaceEngine`.

    An engine that has come to rest is never used again. Whoever still has it, as recalls under way do, reads what it
    has read until then; what is to change the space goes to the engine that took its place.

    Parameters
    ----------
    config, state, options, meter
        As for `SpaceRecalls`.
    published
        Called with the space after a commit.

    Attributes
    ----------
    find_open
        Returns the engine of a space, opened if it rests; None for a space that never rests.
    """

    _rested: Callable[[Any], None] | None = None

    def __init__(
        self,
        config: SpaceConfig,
        state: SpaceState,
        options: StoreOptions,
        published: Callable[[Any], None],
        meter: RecallMeter,
    ) -> None:
        super().__init__(config, state, options, _announcing(ref(self), published), meter)
        self.find_open: Callable[[str], Any] | None = None
        self.tail: TailBudget = TailBudget(
            state.index, options.tail_count_max, options.tail_bytes_max, options.room_timeout_s
        )
        self.indexing: IndexMaintenance = IndexMaintenance(state, options)
        self.indexing.add_listener(self.tail.moved)
        self.occupancy: Occupancy = Occupancy(self.tail, self.indexing, self.subscriptions, self.retention)

    def join(self, find_open: Callable[[str], Any], rested: Callable[[Any], None]) -> None:
        """Become one of the spaces of a store.

        Parameters
        ----------
        find_open
            See the attribute.
        rested
            Called with the space when it comes to rest, so that nothing goes on linking it.
        """
        self.find_open, self._rested = find_open, rested

    @property
    def life(self) -> SpaceLife:
        """What ends when the space is dropped or renamed."""
        return self._state.life

    def held(self) -> Self:
        """Return this engine, or the one that took its place, kept from coming to rest until it is `let_go`.

        Raises
        ------
        EngramError
            As `successor`.
        """
        space = self
        while not space.occupancy.hold():
            space = space.successor()
        return space

    def successor(self) -> Self:
        """Return the engine that took the place of this one, which rests.

        Raises
        ------
        FailedPrecondition
            If the space has been dropped or renamed.
        EngramError
            If the space rests and cannot be opened again.
        """
        find_open, name = self.find_open, self.config.name
        self.life.check()
        assert find_open is not None  # noqa: S101  (for the type checker: only a store lets spaces rest)
        found: Self = self.life.during(partial(find_open, name))
        return found

    def let_go(self) -> None:
        """Take back one `held`."""
        self.occupancy.release()

    @contextmanager
    def kept_open(self) -> Iterator[Self]:
        """Return this engine, or the one that took its place, which does not come to rest during the body.

        Raises
        ------
        EngramError
            As `held`.
        """
        space = self.held()
        try:
            yield space
        finally:
            space.let_go()

    def summary(self) -> SpaceSummary:
        """Return what is to be known of the space while it rests."""
        state = self._state
        identity, generation = state.manifest.identity, state.log.synced_generation
        return SpaceSummary(self.config, identity.space, generation, len(state.versions), state.log.nbytes)

    def rest(self, *, saving: bool = True) -> None:
        """Close a space that has been retired: write a checkpoint if that pays, and let go of files and memory.

        Parameters
        ----------
        saving
            Whether its files will be opened again, for which a checkpoint may pay.

        Raises
        ------
        EngramError
            If the checkpoint cannot be written. The files are closed nevertheless.
        """
        try:
            if self._rested is not None:
                self._rested(self)
            self.indexing.finish(saving=saving)
        finally:
            try:
                self.close()
            finally:
                # Whatever failed, whoever opens the space next is the only one to change it.
                self._state.manifest.retire()

    def close(self) -> None:
        """Close the log and end standing recalls; nobody may write any more.

        Hits that were returned and further recalls stay usable.
        """
        self.subscriptions.close()
        self._state.log.close()

    def follow_changes(self, request: FollowChanges) -> ChangeStream:
        """Return a feed of what changes from now on, or after the generation that the request names.

        Raises
        ------
        InvalidInput
            If the generation is yet to come.
        FailedPrecondition
            If the generation is no longer retained; if the store is closed, or the space has been dropped or renamed.
        OverCapacity
            If there are too many followers.
        """
        with self.kept_open() as space:
            return space.life.during(partial(space._changes, request))

    def _changes(self, request: FollowChanges) -> ChangeStream:
        self._reader.check_process()
        after, retention = request.after_generation, self.retention
        newest = self._state.index.visible_generation
        generation = newest if after is None else retention.check(after, "after_generation")
        feed = self.subscriptions.follow_changes(ChangeStream(self._state, request, generation))
        # From here on the feed keeps what it needs; what was dropped just before is gone.
        return retention.whole(feed, generation, "after_generation")

    def _follow(self, query: RecallQuery) -> RecallStream:
        with self.kept_open() as space:
            return space.life.during(partial(super(RestableSpace, space)._follow, query))


def _announcing(weak: ref[RestableSpace], published: Callable[[Any], None]) -> Callable[[], None]:
    """Return a function that does not keep the space alive, so that its memory is freed when it rests."""

    def announce() -> None:
        space = weak()
        if space is not None:
            published(space)

    return announce
