"""Rows with and without vectors and texts against a model: whatever is written in whatever order, both agree."""

from __future__ import annotations

from random import Random
from typing import Any, Final, NamedTuple

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from engram.model.cue import Cue
from engram.model.values.retention_policy import RetentionPolicy
from engram.store import MemoryStore, Space, StoreOptions
from tests.doubles.batches import DIM, vector_of
from tests.doubles.faulty_storage import FaultyStorage
from tests.doubles.stores import store_on
from tests.doubles.waiting import wait_until_indexed

IDS: Final = [f"n{number}" for number in range(12)]
OPTIONS: Final = StoreOptions(segment_bytes=8192, workers=2, link_count=3, checkpoint_count_min=20)
ROWS: Final = st.lists(
    st.tuples(
        st.sampled_from(IDS),
        st.none() | st.integers(0, 9),
        st.sampled_from([None, "", "one word", "two word"]),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda row: row[0],
)


class Row(NamedTuple):
    """What an observation has."""

    version: int | None
    text: str | None


class ModelledPresence(RuleBasedStateMachine):
    """A space whose observations need no vector, and which crashes now and then."""

    @initialize()
    def start(self) -> None:
        self.storage = FaultyStorage()
        self.rows: dict[str, Row] = {}
        self.begin()

    def begin(self) -> None:
        self.store: MemoryStore = store_on(storage=self.storage, options=OPTIONS)
        self.space: Space = self.store.space("notes", DIM, vectors="optional")

    @rule(rows=ROWS)
    def observe(self, rows: list[tuple[str, int | None, str | None]]) -> None:
        vectors = [None if version is None else vector_of(id, version) for id, version, _ in rows]
        self.space.observe([id for id, _, _ in rows], vectors, [text for _, _, text in rows])
        self.rows |= {id: Row(version, text) for id, version, text in rows}

    @rule(rows=ROWS)
    def observe_one_by_one(self, rows: list[tuple[str, int | None, str | None]]) -> None:
        waiting = [
            self.space.submit(id, None if version is None else vector_of(id, version), text)
            for id, version, text in rows
        ]
        for future in waiting:
            future.result()
        self.rows |= {id: Row(version, text) for id, version, text in rows}

    @rule(ids=st.lists(st.sampled_from(IDS), min_size=1, unique=True), text=st.sampled_from([None, "new text"]))
    def update(self, ids: list[str], text: str | None) -> None:
        alive = [id for id in ids if id in self.rows]
        if alive:
            changes: dict[str, Any] = {"tags": [["x"]] * len(alive)}
            if text is not None:
                changes["contents"] = [text] * len(alive)
            self.space.update(alive, **changes)
            if text is not None:
                self.rows |= {id: self.rows[id]._replace(text=text) for id in alive}

    @rule(ids=st.lists(st.sampled_from(IDS), min_size=1, unique=True))
    def delete(self, ids: list[str]) -> None:
        assert self.space.delete(ids) == sum(id in self.rows for id in ids)
        self.rows = {id: row for id, row in self.rows.items() if id not in ids}

    @rule()
    def link(self) -> None:
        wait_until_indexed(self.space)
        assert self.space.indexed_generation == self.space.generation

    @rule()
    def drop_what_is_dead(self) -> None:
        self.space.set_retention(RetentionPolicy(0.0, 0))

    @rule(random=st.randoms(use_true_random=False), kill=st.booleans())
    def crash(self, random: Random, kill: bool) -> None:
        survivor = self.storage.after_kill() if kill else self.storage.after_power_loss(random)
        self.store.close()
        self.storage = survivor
        self.begin()

    @rule(id=st.sampled_from(IDS), version=st.integers(0, 9))
    def recall(self, id: str, version: int) -> None:
        found = {hit.id for hit in self.space.recall(vector_of(id, version), k=100)}
        assert found == {id for id, row in self.rows.items() if row.version is not None}

    @rule()
    def recall_words(self) -> None:
        found = {hit.id for hit in self.space.recall(Cue(text="word", by="words"), k=100)}
        assert found == {id for id, row in self.rows.items() if "word" in (row.text or "")}

    @invariant()
    def present_agrees(self) -> None:
        assert len(self.space) == self.space.count() == len(self.rows)
        for hit in self.space.scan(include_vectors=True):
            row = self.rows[hit.id]
            assert (hit.content, hit.has_content) == (row.text or "", row.text is not None)
            if row.version is None:
                assert hit.vector is None
            else:
                np.testing.assert_array_equal(np.asarray(hit.vector), vector_of(hit.id, row.version))

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()


TestModelledPresence = ModelledPresence.TestCase
TestModelledPresence.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
