"""Retention: which states of a space can be recalled, by generation or by time."""

from __future__ import annotations

import threading
from typing import TypeVar
from weakref import WeakValueDictionary

from engram.errors import FailedPrecondition, InvalidInput
from engram.lifecycle.living import living
from engram.model.query import GENERATION_MAX, RecallQuery, check_range
from engram.model.times import now_us
from engram.model.values.retention_policy import RetentionPolicy
from engram.store.age_clock import AgeClock
from engram.store.options import StoreOptions
from engram.store.recall.executor import RecallExecutor
from engram.store.recall.snapshot import Snapshot
from engram.store.recall.stream import RecallStream
from engram.store.scans.leases import Leases
from engram.store.space_settings import policy_in, record, with_policy
from engram.store.space_state import SpaceState
from engram.store.subscriptions.registry import Subscriptions

T = TypeVar("T")


class Retention:
    """The retained generations of a space. Any thread may use it.

    Parameters
    ----------
    state
        State of the space.
    options
        Settings of the store, which say how far back recalls may go.
    subscriptions
        Subscriptions that may still have to match versions that were superseded.

    Attributes
    ----------
    leases
        The generations that scans hold between their pages. They outlive the engine of a space that comes to rest.
    clock
        Judges ages. It outlives the engine, too, since it knows what the time of day did before.
    """

    def __init__(self, state: SpaceState, options: StoreOptions, subscriptions: Subscriptions) -> None:
        self._state = state
        self._subscriptions = subscriptions
        self._held: WeakValueDictionary[int, Snapshot] = WeakValueDictionary()
        # Any thread makes snapshots, and what grows cannot be listed.
        self._guard = threading.Lock()
        self.leases: Leases = Leases()
        self._count = options.retained_count
        self._seconds = options.retained_s
        self.clock: AgeClock = AgeClock()
        self._advancing = threading.Lock()
        # Compactions of the log and of the graph have dropped what ended before.
        self._expired = max(state.log.horizon.generation, state.manifest.horizon)

    @property
    def policy(self) -> RetentionPolicy:
        """How much history is retained on the disk."""
        return policy_in(self._state.manifest.settings)

    def set_policy(self, policy: RetentionPolicy) -> None:
        """Record how much of its history the space retains from now on.

        Raises
        ------
        Unavailable
            If it cannot be recorded; the old policy holds then.
        """
        record(self._state.manifest, lambda settings: with_policy(settings, policy))
        self.advance()

    def go_on(self, clock: AgeClock, leases: Leases | None) -> None:
        """Go on where the engine of the space before this one was, in the same store, before anybody uses this one.

        What was no longer retained before the space rested is not again.
        """
        self.clock = clock
        if leases is not None:
            self.leases = leases
        self.advance()

    def advance(self) -> None:
        """Let expire what the policy does not retain any more."""
        with self._advancing:
            self._advance()

    def _advance(self) -> None:
        policy, ended = self.policy, self._state.attributes.ended
        newest = self._state.index.visible_generation
        oldest = self._expired
        if policy.history_s is not None:
            oldest = max(oldest, self._state.log.generation_surely_before(self.clock.us_ago(policy.history_s)))
            ended.forget(min(oldest, newest))
        if policy.dead_count is not None:
            oldest = max(oldest, ended.horizon(len(self._state.versions) + policy.dead_count))
        self._expired = min(oldest, newest)

    @property
    def expired(self) -> int:
        """What ended at or before this generation may be dropped from the disk."""
        return min([self._expired, *self._held_generations()])

    @property
    def oldest(self) -> int:
        """Oldest generation that can be recalled."""
        return self._oldest(self._state.index.visible_generation)

    def _oldest(self, newest: int) -> int:
        oldest = self._expired
        if self._count:
            oldest = max(oldest, newest - self._count)
        if self._seconds:
            # Judged with care: what is not retained may be gone for good.
            before = self._state.log.generation_surely_before(self.clock.us_ago(self._seconds))
            oldest = max(oldest, min(before, newest))
        return oldest

    @property
    def horizon(self) -> int:
        """Versions that ended at or before this generation can no longer be recalled; compaction may drop them."""
        return min([self.oldest, *self._held_generations()])

    def held_s(self) -> float:
        """Return the seconds since the oldest snapshot or standing recall was overtaken by a newer generation.

        0 if none was, or if there is none.
        """
        visible = self._state.index.visible_generation
        oldest = min(self._held_for_long(), default=visible)
        if oldest >= visible:
            return 0.0
        overtaken = next(self._state.log.records_from(oldest + 1), None)
        return 0.0 if overtaken is None else max(0.0, (now_us() - overtaken.committed_us) / 1e6)

    @property
    def is_held(self) -> bool:
        """Whether there are snapshots."""
        return bool(self._held)

    def _held_generations(self) -> list[int]:
        """Return what must be retained, for as long as it is held or for the lease of what is being read."""
        unread = self._subscriptions.unread_generation
        return [*self._held_for_long(), *self.leases.generations(), *([] if unread is None else [unread])]

    def _held_for_long(self) -> list[int]:
        with self._guard:
            snapshots = living(self._held)
        held = [snapshot.generation for snapshot in snapshots]
        matched = self._subscriptions.matched_generation
        return held if matched is None else [*held, matched]

    def hold_stream(self, stream: RecallStream) -> RecallStream:
        """Return `stream`; what it sees is retained for as long as it is read."""
        self.leases.add(stream)
        return stream

    def hold(self, reader: RecallExecutor, max_generation: int | None, snapshot_us: int | None) -> Snapshot:
        """Return a snapshot; what it sees is retained for as long as it is referenced.

        Parameters
        ----------
        reader
            Answers the recalls of the snapshot.
        max_generation, snapshot_us
            The generation of the snapshot, or its time in microseconds since 1970 UTC; None for the newest.

        Raises
        ------
        InvalidInput
            If the generation is yet to come.
        FailedPrecondition
            If the generation is no longer retained.
        """
        # Everything is held until the generation is known, so that compaction cannot drop what it needs meanwhile.
        snapshot = self._held_at(reader, 0)
        if snapshot_us is not None:
            snapshot.generation = self.generation_at(snapshot_us)
        elif max_generation is not None:
            snapshot.generation = self.check(max_generation)
        else:
            snapshot.generation = self._state.index.visible_generation
        return snapshot

    def lease(self, reader: RecallExecutor, generation: int | None) -> Snapshot:
        """Return a snapshot, as `hold` does, that can be leased again for a while after it is no longer referenced.

        Parameters
        ----------
        reader
            Answers the recalls of the snapshot.
        generation
            Generation of the snapshot; None for the newest. One that is held by a lease need not be retained otherwise.

        Raises
        ------
        InvalidInput, FailedPrecondition
            As for `hold`.
        """
        if generation is not None and self.leases.renew_held(generation):
            return self._held_at(reader, generation)
        snapshot = self.hold(reader, generation, None)
        self.leases.renew(snapshot.generation)
        return snapshot

    def renew(self, held: Snapshot) -> None:
        """Let the generation of a snapshot that the caller refers to be leased for a while from now on."""
        self.leases.renew(held.generation)

    def _held_at(self, reader: RecallExecutor, generation: int) -> Snapshot:
        snapshot = Snapshot(reader, generation)
        with self._guard:
            self._held[id(snapshot)] = snapshot
        return snapshot

    def generation_at(self, time_us: int) -> int:
        """Return the generation that was current at `time_us`, microseconds since 1970 UTC.

        Raises
        ------
        FailedPrecondition
            If the generation is no longer retained.
        """
        log, newest = self._state.log, self._state.index.visible_generation
        generation, horizon = log.generation_at(time_us), log.horizon
        if time_us >= horizon.committed_us:
            # The record that was current then may have been dropped.
            generation = max(generation, horizon.generation)
        following = next(log.records_from(generation + 1), None)
        if generation >= log.horizon.generation:
            # What is missing behind the horizon was erased. All generations of such a gap are the same state, of which
            # the last is retained for as long as the state is: ages are judged by the record that follows.
            generation = newest if following is None else max(generation, following.first_generation - 1)
        # Generations that are written but not visible yet do not count.
        return self._check(min(generation, newest), newest)

    def generation_of(self, query: RecallQuery) -> int:
        """Return the generation as of which `query` is answered.

        Raises
        ------
        InvalidInput
            If the generation is yet to come.
        FailedPrecondition
            If the generation is no longer retained.
        """
        if query.snapshot_us is not None:
            return self.generation_at(query.snapshot_us)
        if query.max_generation is not None:
            return self.check(query.max_generation)
        return self._state.index.visible_generation

    def check(self, generation: int, field: str = "max_generation") -> int:
        """Return `generation`, which the caller passed as `field`, if it can be recalled.

        Raises
        ------
        InvalidInput
            If it is negative or yet to come; a snapshot must not change while it is held.
        FailedPrecondition
            If it is no longer retained.
        """
        generation = check_range(field, generation, 0, GENERATION_MAX)
        return self._check(generation, self._state.index.visible_generation, field)

    def _check(self, generation: int, newest: int, field: str = "max_generation") -> int:
        # `newest` is read once: what was the newest a moment ago is not of the past because others write.
        if generation > newest:
            raise InvalidInput(
                f"{field} is {generation}, which is yet to come; the newest is {newest}, and None means now",
                code=f"invalid_{field}",
                field=field,
                limit=f"0..{newest}",
                value=generation,
            )
        oldest = self._oldest(newest)
        if generation < oldest:
            raise _expired(generation, oldest, field)
        return generation

    def whole(self, answer: T, generation: int, field: str = "max_generation") -> T:
        """Return `answer`, which was made as of `generation`, the argument `field`, if nothing it needs was dropped.

        Raises
        ------
        FailedPrecondition
            If something may have been.
        """
        dropped = self._state.dropped_generation
        if generation < dropped:
            raise _expired(generation, dropped, field)
        return answer


def _expired(generation: int, oldest: int, field: str = "max_generation") -> FailedPrecondition:
    return FailedPrecondition(
        f"generation {generation} is no longer retained; the oldest that is, is {oldest}",
        code="snapshot_expired",
        field=field,
        limit=oldest,
        value=generation,
    )
