"""Which states of a space can be recalled: now, one by its generation, or the one of some time."""

from __future__ import annotations

from weakref import WeakSet

from engram.errors import FailedPrecondition, InvalidInput
from engram.model.observations import now_us
from engram.model.query import GENERATION_MAX, RecallQuery, check_range
from engram.store.options import StoreOptions
from engram.store.recall.snapshot import Snapshot
from engram.store.space_state import SpaceState
from engram.store.subscriptions.registry import Subscriptions


class Retention:
    """The retained generations of a space; usable from any thread.

    Parameters
    ----------
    state
        The space.
    options
        How far back recalls may go.
    followers
        Who may still have to be told of what was superseded.
    """

    def __init__(self, state: SpaceState, options: StoreOptions, followers: Subscriptions) -> None:
        self._state = state
        self._followers = followers
        self._held: WeakSet[Snapshot] = WeakSet()
        self._count = options.retained_count
        self._seconds = options.retained_s

    @property
    def oldest(self) -> int:
        """The oldest generation that can be recalled."""
        oldest = 0
        newest = self._state.index.visible_generation
        if self._count:
            oldest = max(0, newest - self._count)
        if self._seconds:
            before = self._state.log.generation_at(now_us() - round(self._seconds * 1e6))
            oldest = max(oldest, min(before, newest))
        return oldest

    @property
    def horizon(self) -> int:
        """What died at or before this generation nobody will ask for any more."""
        held = [snapshot.generation for snapshot in list(self._held)]
        matched = self._followers.matched_generation
        return min([self.oldest, *held, *([] if matched is None else [matched])])

    def hold(self, snapshot: Snapshot) -> Snapshot:
        """Keep what `snapshot` sees for as long as it is referenced, and return it."""
        self._held.add(snapshot)
        return snapshot

    def generation_at(self, time_us: int) -> int:
        """The generation that was current at a time.

        Raises
        ------
        FailedPrecondition
            If it is no longer retained.
        """
        # What is written and not yet visible does not count as there.
        return self.check(min(self._state.log.generation_at(time_us), self._state.index.visible_generation))

    def generation_of(self, query: RecallQuery) -> int:
        """The generation that `query` is to be answered as of. Raises as `check`."""
        if query.snapshot_us is not None:
            return self.generation_at(query.snapshot_us)
        if query.max_generation is not None:
            return self.check(query.max_generation)
        return self._state.index.visible_generation

    def check(self, generation: int) -> int:
        """Return `generation`.

        Raises
        ------
        InvalidInput
            If it is negative, or yet to come: a snapshot must not change while it is held.
        FailedPrecondition
            If it is no longer retained.
        """
        generation = check_range("max_generation", generation, 0, GENERATION_MAX)
        newest = self._state.index.visible_generation
        if generation > newest:
            raise InvalidInput(
                f"max_generation is {generation}, which is yet to come; the newest is {newest}, and None means now",
                code="invalid_max_generation",
                field="max_generation",
                limit=f"0..{newest}",
                value=generation,
            )
        oldest = self.oldest
        if generation < oldest:
            raise FailedPrecondition(
                f"generation {generation} is no longer retained; the oldest that is, is {oldest}",
                code="snapshot_expired",
                field="max_generation",
                limit=oldest,
                value=generation,
            )
        return generation
