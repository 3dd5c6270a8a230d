"""Conditions and updates against a model made of dictionaries: whatever is written in whatever order, both agree."""

from __future__ import annotations

from random import Random
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from engram.errors import EngramError, FailedPrecondition, InvalidInput, NotFound
from engram.model.observations import make_batch
from engram.store import Hit, MemoryStore, Space, StoreOptions
from tests.doubles.batches import DIM, vector_of
from tests.doubles.faulty_storage import FaultyStorage
from tests.doubles.stores import store_on

# Few ids and few values, so that they meet again and again.
IDS: Final = ["a", "b", "c", "ä"]
SHARES: Final = st.sampled_from([0.0, 0.25, 0.5, 1.0])
OBJECTS: Final = st.dictionaries(st.sampled_from("xyz"), st.none() | st.integers(0, 3) | st.just({"deep": [1]}))
VALUES: Final[dict[str, st.SearchStrategy[Any]]] = {
    "vectors": st.integers(0, 9).map(lambda version: vector_of("v", version)),
    "contents": st.sampled_from(["", "one", "zwei ä"]),
    "timestamps": st.integers(0, 9),
    "confidences": SHARES,
    "importances": SHARES,
    "metadata": st.none() | OBJECTS,
    "tags": st.lists(st.sampled_from(["t", "u"]), unique=True),
}
# The attributes of a hit that hold the columns, and what an observation has if nothing is named.
ATTRIBUTES: Final = {
    "vectors": "vector",
    "contents": "content",
    "timestamps": "time_us",
    "confidences": "confidence",
    "importances": "importance",
    "metadata": "metadata",
    "tags": "tags",
}
DEFAULTS: Final[dict[str, Any]] = {"content": "", "confidence": 1.0, "importance": 0.5, "metadata": {}, "tags": []}
OPTIONS: Final = StoreOptions(segment_bytes=8192, workers=2, link_count=3, checkpoint_count_min=20)

# Of one call: the ids, each once, and the columns that are named.
Call = tuple[list[str], dict[str, list[Any]]]
# What an observation has, and its generation, by its id.
State = dict[str, dict[str, Any]]


@st.composite
def calls(draw: st.DrawFn, always: tuple[str, ...] = ()) -> Call:
    ids = draw(st.lists(st.sampled_from(IDS), min_size=1, unique=True))
    named = {*always, *draw(st.sets(st.sampled_from(sorted(VALUES))))}
    return ids, {name: [draw(VALUES[name]) for _ in ids] for name in sorted(named)}


# A vector must be there, and the time of the arrival would not be known.
OBSERVED: Final = calls(("timestamps", "vectors"))
# What is expected of the versions of some ids: nothing, what is there, that there are none, or anything.
EXPECTED: Final = st.none() | st.just("right") | st.just("absent") | st.integers(0, 6) | st.lists(st.integers(0, 6))


def arguments_of(columns: dict[str, list[Any]]) -> dict[str, Any]:
    return {name: np.array(values) if name == "vectors" else values for name, values in columns.items()}


class ModelledUpdates(RuleBasedStateMachine):
    """A space that crashes now and then; the model keeps the state after every call."""

    @initialize()
    def start(self) -> None:
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

    @rule(call=OBSERVED, expected=EXPECTED)
    def observe(self, call: Call, expected: Any) -> None:
        ids, columns = call
        conditions: dict[str, Any] = {"if_absent": True}
        if expected != "absent":
            conditions = {"expected_generations": self.right(ids, expected)}

        def write() -> int:
            return self.space.observe(ids, **arguments_of(columns), **conditions)

        if isinstance(expected, list) and len(expected) != len(ids):
            self.refused(InvalidInput, "column_length", write)
            return
        row = self.unmet(ids, expected)
        if row is not None:
            error = self.refused(FailedPrecondition, "condition_failed", write)
            assert (error.field, error.value) == (f"expected_generations[{row}]", str(self.alive(ids[row])))
            return
        self.stored(ids, columns)
        assert write() == self.generation

    @rule(several=st.lists(st.tuples(OBSERVED, EXPECTED.filter(lambda each: not isinstance(each, list))), max_size=5))
    def observe_together(self, several: list[tuple[Call, Any]]) -> None:
        """Requests that wait in a queue, so that many of them are of one commit."""
        engine = self.space._engine
        waiting: list[tuple[Any, int | None, int]] = []
        for (ids, columns), expected in several:
            # What is right now, will be when its turn comes: the queue keeps the order.
            generations = [0] * len(ids) if expected == "absent" else self.right(ids, expected)
            batch = engine.prepare(make_batch(ids, **arguments_of(columns)))
            wanted = [generations] * len(ids) if isinstance(generations, int) else generations
            row = self.unmet(ids, expected)
            if row is None:
                self.stored(ids, columns)
            waiting.append((engine.submit(batch, wanted), row, self.generation))
        for future, row, generation in waiting:
            if row is None:
                assert future.result().last_generation == generation
            else:
                with pytest.raises(FailedPrecondition) as refused:
                    future.result()
                assert refused.value.field == f"expected_generations[{row}]"

    @rule(call=calls(), merge=st.booleans())
    def update(self, call: Call, merge: bool) -> None:
        ids, columns = call

        def write() -> int:
            return self.space.update(ids, merge=merge, **arguments_of(columns))

        missing = [row for row, id in enumerate(ids) if id not in self.state]
        if not columns:
            self.refused(InvalidInput, "missing_field", write)
        elif missing:
            assert self.refused(NotFound, "missing_ids", write).field == f"ids[{missing[0]}]"
        else:
            self.updated(ids, columns, merge)
            assert write() == self.generation

    @rule(id=st.sampled_from(IDS))
    def delete(self, id: str) -> None:
        assert int(self.space.delete([id])) == int(id in self.state)
        if id in self.state:
            state = {other: row for other, row in self.state.items() if other != id}
            self.generation += 1
            self.states[self.generation] = state

    @rule(data=st.data())
    def look_back(self, data: st.DataObject) -> None:
        generation = data.draw(st.sampled_from(sorted(self.states)))
        for id in IDS:
            self.check(self.space.get(id, max_generation=generation), self.states[generation].get(id))

    @rule(random=st.randoms(use_true_random=False), kill=st.booleans())
    def crash(self, random: Random, kill: bool) -> None:
        survivor = self.storage.after_kill() if kill else self.storage.after_power_loss(random)
        self.store.close()
        self.storage = survivor
        self.begin()

    @invariant()
    def present_agrees(self) -> None:
        assert self.space.generation == self.space.durable_generation == self.generation
        assert len(self.space) == len(self.state)
        for id in IDS:
            self.check(self.space.get(id), self.state.get(id))

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()

    def alive(self, id: str) -> int:
        return int(self.state[id]["generation"]) if id in self.state else 0

    def right(self, ids: list[str], expected: Any) -> Any:
        """What is expected, as a caller passes it."""
        return [self.alive(id) for id in ids] if expected == "right" else expected

    def unmet(self, ids: list[str], expected: Any) -> int | None:
        """The first row of which the condition does not hold."""
        if expected is None or expected == "right":
            return None
        wanted = expected if isinstance(expected, list) else [0 if expected == "absent" else expected] * len(ids)
        return next((row for row, id in enumerate(ids) if self.alive(id) != wanted[row]), None)

    def refused(self, kind: type[EngramError], code: str, write: Any) -> EngramError:
        with pytest.raises(kind) as refused:
            write()
        assert refused.value.code == code
        return refused.value

    def stored(self, ids: list[str], columns: dict[str, list[Any]]) -> None:
        self.changed({id: {**DEFAULTS, **self.named(columns, row)} for row, id in enumerate(ids)})

    def updated(self, ids: list[str], columns: dict[str, list[Any]], merge: bool) -> None:
        rows: State = {}
        for row, id in enumerate(ids):
            named = self.named(columns, row)
            if merge and "metadata" in named:
                given = named["metadata"]
                stays = {key: value for key, value in self.state[id]["metadata"].items() if key not in given}
                named["metadata"] = {**stays, **{key: value for key, value in given.items() if value is not None}}
            rows[id] = {**self.state[id], **named}
        self.changed(rows)

    def changed(self, rows: State) -> None:
        state = dict(self.state)
        for id, row in rows.items():
            self.generation += 1
            state[id] = {**row, "generation": self.generation}
        self.states[self.generation] = state

    @staticmethod
    def named(columns: dict[str, list[Any]], row: int) -> dict[str, Any]:
        """What a hit has of what is named for one row."""
        named = {ATTRIBUTES[name]: values[row] for name, values in columns.items()}
        if "time_us" in named:
            named["time_us"] *= 1_000_000
        if "metadata" in named:
            named["metadata"] = named["metadata"] or {}
        return named

    @staticmethod
    def check(hit: Hit | None, row: dict[str, Any] | None) -> None:
        if hit is None or row is None:
            assert (hit is None) == (row is None)
            return
        np.testing.assert_array_equal(np.asarray(hit.vector), row["vector"])
        told = {name: getattr(hit, name) for name in row if name != "vector"}
        assert told == {name: value for name, value in row.items() if name != "vector"}


TestModelledUpdates = ModelledUpdates.TestCase
TestModelledUpdates.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
