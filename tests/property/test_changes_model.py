"""Feeds of changes against a model: whoever applies what is told, from anywhere on and often cut, has it all."""

from __future__ import annotations

from itertools import islice
from typing import Any, Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from engram import F
from engram.model.following.change import Change
from engram.model.following.follow_changes import FollowChanges
from engram.store import Filter, MemoryStore, Space, StoreOptions
from engram.store.subscriptions.change_stream import ChangeStream
from tests.doubles.batches import DIM, vector_of
from tests.doubles.expiry_clock import ExpiryClock
from tests.doubles.faulty_storage import FaultyStorage
from tests.doubles.stores import store_on

IDS: Final = ["a", "b", "c", "ä"]
# None stands for no filter.
FILTERS: Final[list[Any]] = [None, None, Filter(tags={"x"}), F.n >= 2, ~(F.n >= 2)]
OPTIONS: Final = StoreOptions(segment_bytes=8192, workers=2, link_count=3, mark_interval_s=3600.0)
# After how many seconds an observation expires, its tag, and its number.
COLUMNS: Final = st.tuples(st.none() | st.integers(0, 30), st.sampled_from(["x", "y"]), st.integers(0, 3))


class Copy:
    """What a program has that began with what was there, and applies the changes that it is told."""

    def __init__(self, space: Space, filter: Any, generation: int) -> None:
        self.filter = filter
        self.generation = generation
        self.versions = self.there(space)

    def there(self, space: Space) -> dict[str, int]:
        """The generations of what is in the space, as of the generation of the copy."""
        return {hit.id: hit.generation for hit in space.scan(self.filter, max_generation=self.generation)}

    def take(self, change: Change) -> None:
        assert change.generation > self.generation
        self.generation = change.generation
        if change.hit is None:
            assert self.versions.pop(change.id) == change.replaces
        else:
            assert (change.hit.id, change.hit.generation) == (change.id, change.generation)
            self.versions[change.id] = change.generation

    def go_on(self, space: Space, count: int) -> list[Change]:
        """Take some changes, and go away."""
        with space.changes(self.filter, after_generation=self.generation, timeout_s=0) as feed:
            told = list(islice(feed, count))
            for change in told:
                self.take(change)
            # It may be later than the last change: what came since does not pass.
            assert feed.generation >= self.generation
            self.generation = feed.generation
        return told


class ModelledChanges(RuleBasedStateMachine):
    """A space that crashes now and then; the model notes how each version began and ended."""

    @initialize()
    def start(self) -> None:
        self.patch = pytest.MonkeyPatch()
        self.clock = ExpiryClock()
        self.clock.use(self.patch)
        self.patch.setattr("engram.log.log.now_us", lambda: self.clock.day_us)
        self.storage = FaultyStorage()
        # The generation of the live version of each id, whether or not it is due, and when each expires.
        self.alive: dict[str, int] = {}
        self.expires_us: dict[int, int | None] = {}
        # How each version began, and how it ended.
        self.begun: dict[int, tuple[str, str, int | None]] = {}
        self.ended: dict[int, str] = {}
        self.copies: list[Copy] = []
        self.begin()

    def begin(self) -> None:
        self.store: MemoryStore = store_on(storage=self.storage, options=OPTIONS)
        self.space: Space = self.store.space("notes", dim=DIM)
        self.listening: tuple[ChangeStream, Copy] | None = None

    def note(self) -> None:
        """Note what has begun and ended since."""
        found = {hit.id: hit for hit in self.space.scan(max_generation=self.space.generation)}
        for id, version in self.alive.items():
            if id not in found:
                expires_us = self.expires_us[version]
                is_due = expires_us is not None and expires_us <= self.clock.day_us
                self.ended[version] = "expired" if is_due else "deleted"
        for id, hit in found.items():
            if hit.generation not in self.begun:
                before = self.alive.get(id)
                self.begun[hit.generation] = ("observed" if before is None else "updated", id, before)
                self.expires_us[hit.generation] = hit.expires_us
        self.alive = {id: hit.generation for id, hit in found.items()}

    def check(self, copy: Copy, told: list[Change]) -> None:
        """Compare what a copy was told, and what it has, with the model and the space."""
        assert copy.versions == copy.there(self.space)
        for change in told if copy.filter is None else ():
            if change.hit is not None:
                assert self.begun[change.generation] == (change.kind, change.id, change.replaces)
            else:
                assert change.replaces is not None
                assert self.ended[change.replaces] == change.kind

    @rule(written=st.dictionaries(st.sampled_from(IDS), COLUMNS, min_size=1))
    def observe(self, written: dict[str, tuple[int | None, str, int]]) -> None:
        ttls: list[Any] = [ttl for ttl, _, _ in written.values()]
        self.space.observe(
            list(written),
            [vector_of(id) for id in written],
            ttl=ttls,
            tags=[[tag] for _, tag, _ in written.values()],
            metadata=[{"n": number} for _, _, number in written.values()],
        )
        self.note()

    @rule(id=st.sampled_from(IDS), tag=st.sampled_from(["x", "y"]), number=st.integers(0, 3))
    def update(self, id: str, tag: str, number: int) -> None:
        if self.space.get(id) is not None:
            self.space.update(id, tags=[tag], metadata={"n": number})
            self.note()

    @rule(ids=st.lists(st.sampled_from(IDS), min_size=1, unique=True))
    def delete(self, ids: list[str]) -> None:
        self.space.delete(ids)
        self.note()

    @rule(filter=st.sampled_from(FILTERS[2:]))
    def delete_by_filter(self, filter: Any) -> None:
        self.space.delete(filter=filter)
        self.note()

    @rule(seconds=st.integers(1, 20))
    def pass_time(self, seconds: int) -> None:
        self.clock.go_on(seconds)

    @rule()
    def keep_house(self) -> None:
        self.clock.remove_expired(self.space)
        self.note()

    @rule()
    def restart(self) -> None:
        survivor = self.storage.after_kill()
        self.store.close()
        self.storage = survivor
        self.begin()

    @rule(filter=st.sampled_from(FILTERS), share=st.floats(0, 1))
    def copy(self, filter: Any, share: float) -> None:
        self.copies = [*self.copies[-4:], Copy(self.space, filter, round(share * self.space.generation))]

    @rule(number=st.integers(0, 4), count=st.integers(0, 9))
    def go_on(self, number: int, count: int) -> None:
        if number < len(self.copies):
            copy = self.copies[number]
            self.check(copy, copy.go_on(self.space, count))

    @rule()
    def catch_up(self) -> None:
        for copy in self.copies:
            while copy.generation < self.space.generation:
                self.check(copy, copy.go_on(self.space, 100))
            if copy.filter is None:
                assert copy.versions == self.alive

    @rule(filter=st.sampled_from(FILTERS), share=st.floats(0, 1))
    def listen(self, filter: Any, share: float) -> None:
        copy = Copy(self.space, filter, round(share * self.space.generation))
        request = FollowChanges("notes", copy.generation, *([] if filter is None else [filter]))
        self.listening = self.space._engine.follow_changes(request), copy

    @rule()
    def hear(self) -> None:
        if self.listening is None:
            return
        stream, copy = self.listening
        told = stream.poll()
        for change in told:
            copy.take(change)
        copy.generation = told.generation
        self.check(copy, told)
        assert copy.generation == self.space.generation

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.patch.undo()


ModelledChanges.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestChanges = ModelledChanges.TestCase
