"""A space against a model made of dictionaries: whatever is done in whatever order, both say the same."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from random import Random

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

from engram.store import Hit, MemoryStore, Snapshot, Space, StoreOptions
from engram.store.commit.queue import CommitRequest
from tests.doubles.batches import DIM, batch_of, content_of, vector_of
from tests.doubles.faulty_storage import FaultyStorage
from tests.doubles.stores import store_on
from tests.doubles.waiting import Outcomes, wait_until_indexed

# Few ids, so that they meet again and again.
IDS = st.sampled_from(["a", "b", "aa", "ab", "c", "ä", "记忆", "d"])
SESSIONS = st.sampled_from(["s", "t"])
OPTIONS = StoreOptions(segment_bytes=8192, workers=2, link_count=3, checkpoint_count_min=20)

# The live versions at one generation: id -> (generation, version of the content).
State = dict[str, tuple[int, int]]


class ModelledSpace(RuleBasedStateMachine):
    """The rules that hold for every kind of storage; the model keeps the state at every generation."""

    snapshots = Bundle("snapshots")

    @initialize()
    def start(self) -> None:
        self.states: list[State] = [{}]
        self.sequences: dict[str, int] = {}
        self.version = 0
        self.store = self.open_first()
        self.space = self.open_space()

    def open_first(self) -> MemoryStore:
        raise NotImplementedError

    def open_space(self) -> Space:
        return self.store.space("notes", dim=DIM)

    @rule(ids=st.lists(IDS, min_size=1, max_size=6))
    def observe(self, ids: list[str]) -> None:
        self.version += 1
        batch = batch_of(ids, self.version)
        generation = self.space.observe(ids, batch.vectors, batch.contents, metadata=batch.metadata, tags=batch.tags)
        self.model_observe(ids)
        assert generation == len(self.states) - 1

    @rule(ids=st.lists(IDS, min_size=1, max_size=6))
    def delete(self, ids: list[str]) -> None:
        distinct = [id for id in dict.fromkeys(ids) if id in self.states[-1]]
        assert self.space.delete(ids) == len(distinct)
        for id in distinct:
            state = dict(self.states[-1])
            del state[id]
            self.states.append(state)

    @rule(session=SESSIONS, ids=st.lists(IDS, min_size=1, max_size=4), back=st.integers(0, 6))
    def observe_in_session(self, session: str, ids: list[str], back: int) -> None:
        last = self.sequences.get(session, 0)
        first = max(1, last + 1 - back)
        self.version += 1
        outcomes = Outcomes()
        batch = batch_of(ids, self.version)
        self.store._engine.submit(
            CommitRequest(space=self.space._engine, batch=batch, session=session, first_sequence=first, done=outcomes)
        )
        fresh = ids[last + 1 - first :]
        result = outcomes.result()
        assert (result.count, result.duplicate) == (len(fresh), not fresh)
        self.model_observe(fresh)
        self.sequences[session] = max(last, first + len(ids) - 1)

    @rule(target=snapshots)
    def take_snapshot(self) -> Snapshot:
        return self.space.snapshot()

    @rule(snapshot=snapshots, id=IDS)
    def look_at_snapshot(self, snapshot: Snapshot, id: str) -> None:
        state = self.states[snapshot.generation]
        self.check_hits(snapshot.recall(vector_of(id), k=50), state)
        self.check_hit(snapshot.get(id), id, state)

    @precondition(lambda self: len(self.states) > 1)
    @rule(data=st.data(), id=IDS)
    def look_back(self, data: st.DataObject, id: str) -> None:
        generation = data.draw(st.integers(0, len(self.states) - 1))
        state = self.states[generation]
        self.check_hits(self.space.recall(vector_of(id), k=50, max_generation=generation), state)
        self.check_hit(self.space.get(id, max_generation=generation), id, state)

    @rule(id=IDS, k=st.integers(1, 9), batch_size=st.integers(1, 4))
    def recall(self, id: str, k: int, batch_size: int) -> None:
        state = self.states[-1]
        generation, version = state.get(id, (0, 0))
        batches = list(self.space.recall_stream(vector_of(id, version), k, batch_size))
        assert all(len(batch) == batch_size for batch in batches[:-1])
        hits = [hit for batch in batches for hit in batch]
        assert len(hits) == min(k, len(state))
        if generation:
            assert hits[0].generation == generation

    @rule()
    def wait_for_index(self) -> None:
        wait_until_indexed(self.space)

    @invariant()
    def present_agrees(self) -> None:
        state = self.states[-1]
        assert self.space.generation == self.space.durable_generation == len(self.states) - 1
        assert self.space.indexed_generation <= self.space.generation
        assert self.space.stats().live_count == len(state)
        for id in ("a", "记忆"):
            self.check_hit(self.space.get(id), id, state)
        for session in ("s", "t"):
            assert self.space._engine.durable_sequence(session) == self.sequences.get(session, 0)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.check_hits(self.space.recall(vector_of("a"), k=50), self.states[-1])
            self.store.close()

    def model_observe(self, ids: list[str]) -> None:
        for id in ids:
            self.states.append({**self.states[-1], id: (len(self.states), self.version)})

    def check_hits(self, hits: list[Hit], state: State) -> None:
        assert {hit.id: hit.generation for hit in hits} == {id: generation for id, (generation, _) in state.items()}
        assert len(hits) == len(state)
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        for hit in hits:
            self.check_hit(hit, hit.id, state)

    @staticmethod
    def check_hit(hit: Hit | None, id: str, state: State) -> None:
        if id not in state:
            assert hit is None
            return
        assert hit is not None
        generation = state[id][0]
        assert (hit.id, hit.generation) == (id, generation)
        # A batch with an id twice has one version for both; its rows have the same content and vector.
        assert hit.content == content_of(id, state[id][1])
        np.testing.assert_array_equal(hit.vector, vector_of(id, state[id][1]))


class SpaceInFiles(ModelledSpace):
    """Closed and opened again, with checkpoints that may be lost."""

    def open_first(self) -> MemoryStore:
        self.directory = Path(tempfile.mkdtemp())
        return MemoryStore(self.directory, options=OPTIONS)

    @rule(lose_checkpoints=st.booleans(), take_snapshot=st.booleans())
    def reopen(self, lose_checkpoints: bool, take_snapshot: bool) -> None:
        older = self.space.snapshot() if take_snapshot else None
        self.store.close()
        if older is not None:
            self.check_hits(older.recall(vector_of("a"), k=50), self.states[older.generation])
        if lose_checkpoints:
            shutil.rmtree(self.directory / "spaces/notes/checkpoints")
        self.store = MemoryStore(self.directory, options=OPTIONS)
        self.space = self.open_space()

    @rule()
    def checkpoint(self) -> None:
        self.store.checkpoint()

    def teardown(self) -> None:
        super().teardown()
        if hasattr(self, "directory"):
            shutil.rmtree(self.directory)


class SpaceThatCrashes(ModelledSpace):
    """Everything that was answered survives a crash, whatever was being written."""

    def open_first(self) -> MemoryStore:
        self.storage = FaultyStorage()
        return store_on(storage=self.storage, options=OPTIONS)

    @rule(random=st.randoms(use_true_random=False), kill=st.booleans())
    def crash(self, random: Random, kill: bool) -> None:
        survivor = self.storage.after_kill() if kill else self.storage.after_power_loss(random)
        self.store.close()
        self.storage = survivor
        self.store = store_on(storage=survivor, options=OPTIONS)
        self.space = self.open_space()


TestSpaceInFiles = SpaceInFiles.TestCase
TestSpaceInFiles.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestSpaceThatCrashes = SpaceThatCrashes.TestCase
TestSpaceThatCrashes.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
