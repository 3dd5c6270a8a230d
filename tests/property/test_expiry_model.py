"""Observations that expire against a model made of dictionaries, with a clock that jumps and a space that restarts."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from engram.store import MemoryStore, Space, StoreOptions
from tests.doubles.batches import DIM, vector_of
from tests.doubles.expiry_clock import ExpiryClock, S
from tests.doubles.faulty_storage import FaultyStorage
from tests.doubles.stores import store_on

IDS: Final = ["a", "b", "c", "ä"]
TTLS: Final = st.none() | st.integers(0, 30)
OPTIONS: Final = StoreOptions(segment_bytes=8192, workers=2, link_count=3, mark_interval_s=3600.0)

# The generation of the live version of each id, and when it expires, in microseconds.
State = dict[str, tuple[int, int | None]]


class ModelledExpiry(RuleBasedStateMachine):
    """A space that crashes now and then; the model keeps the state after every generation."""

    @initialize()
    def start(self) -> None:
        self.patch = pytest.MonkeyPatch()
        self.clock = ExpiryClock()
        self.clock.use(self.patch)
        self.storage = FaultyStorage()
        self.states: dict[int, State] = {0: {}}
        self.generation = 0
        self.begin()

    def begin(self) -> None:
        self.store: MemoryStore = store_on(storage=self.storage, options=OPTIONS)
        self.space: Space = self.store.space("notes", dim=DIM)

    @property
    def state(self) -> State:
        return self.states[self.generation]

    def now(self) -> State:
        """What is alive and not due."""
        day_us = self.clock.day_us
        return {id: version for id, version in self.state.items() if version[1] is None or version[1] > day_us}

    def put(self, id: str, expires_us: int | None) -> None:
        self.generation += 1
        self.states[self.generation] = {**self.states[self.generation - 1], id: (self.generation, expires_us)}

    def take(self, id: str) -> None:
        self.generation += 1
        before = self.states[self.generation - 1]
        self.states[self.generation] = {each: version for each, version in before.items() if each != id}

    @rule(written=st.dictionaries(st.sampled_from(IDS), TTLS, min_size=1))
    def observe(self, written: dict[str, int | None]) -> None:
        ttls: list[Any] = list(written.values())
        self.space.observe(list(written), [vector_of(id) for id in written], ttl=ttls)
        for id, ttl in written.items():
            self.put(id, None if ttl is None else self.clock.day_us + ttl * S)

    @rule(id=st.sampled_from(IDS), ttl=TTLS, keeps=st.booleans())
    def update(self, id: str, ttl: int | None, keeps: bool) -> None:
        if id not in self.now():
            return
        _, before_us = self.state[id]
        if keeps:
            self.space.update(id, confidence=0.5)
            self.put(id, before_us)
        elif ttl is None:
            self.space.update(id, expires_at=None)
            self.put(id, None)
        else:
            self.space.update(id, ttl=ttl)
            self.put(id, self.clock.day_us + ttl * S)

    @rule(id=st.sampled_from(IDS))
    def delete(self, id: str) -> None:
        is_seen = id in self.now()
        assert self.space.delete([id]) == int(is_seen)
        if id in self.state:
            self.take(id)

    @rule(id=st.sampled_from(IDS))
    def observe_if_absent(self, id: str) -> None:
        if id not in self.now():
            self.space.observe(id, vector_of(id), if_absent=True)
            self.put(id, None)

    @rule(seconds=st.integers(1, 20))
    def pass_time(self, seconds: int) -> None:
        self.clock.go_on(seconds)

    @rule(seconds=st.integers(1, 20))
    def set_back(self, seconds: int) -> None:
        self.clock.set_by(-seconds)

    @rule()
    def keep_house(self) -> None:
        due = sorted(set(self.state.items()) - set(self.now().items()), key=lambda item: item[1][0])
        self.clock.remove_expired(self.space)
        for id, _ in due:
            self.take(id)

    @rule()
    def restart(self) -> None:
        survivor = self.storage.after_kill()
        self.store.close()
        self.storage = survivor
        self.begin()

    @invariant()
    def what_is_there_now_is_right(self) -> None:
        if not hasattr(self, "space"):
            return
        alive = self.now()
        assert self.space.generation == self.generation
        assert {hit.id: (hit.generation, hit.expires_us) for hit in self.space.scan()} == alive
        assert {hit.id for hit in self.space.recall(vector_of("a"))} == alive.keys()
        assert {id for id in IDS if self.space.get(id) is not None} == alive.keys()
        assert self.space.count() == len(self.space) == len(alive)

    @invariant()
    def the_past_stays_true(self) -> None:
        if not hasattr(self, "space"):
            return
        for generation in {self.generation, self.generation // 2}:
            found = self.space.scan(max_generation=generation)
            wanted = self.states[generation]
            assert {hit.id: (hit.generation, hit.expires_us) for hit in found} == wanted

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.patch.undo()


ModelledExpiry.TestCase.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
TestExpiry = ModelledExpiry.TestCase
