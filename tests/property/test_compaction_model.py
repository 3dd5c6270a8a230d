"""Compaction of the log as a property: at every retained generation, recalls answer as if nothing had been dropped."""

from __future__ import annotations

import tempfile
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from engram import F, Own
from engram.errors import FailedPrecondition
from engram.maintenance.verify import verify
from engram.model.values.retention_policy import EVERYTHING, RetentionPolicy
from engram.store import Cue, Filter, MemoryStore, Snapshot, Space, StoreOptions
from engram.store.compaction.pace import Pace
from engram.store.filters import columns, plans
from engram.store.meter import exact_scan
from engram.store.recall import full_text
from tests.doubles.batches import DIM, vector_of

_IDS = [f"id-{number}" for number in range(6)]
# Segments are small, so that a few batches close one; and nothing happens by itself.
_OPTIONS = StoreOptions(
    segment_bytes=16 << 10, workers=1, mark_interval_s=3600.0, log_compaction_bytes_per_s=0, compaction_count_min=20
)
_CUE = vector_of("a cue")
_ODD = Cue(_CUE, filter=Filter(tags={"odd"}))
_WORD = Cue(text="odd", by="words")
# Longer than what the filter index keeps of a text.
_LONG = "long " * 200


def _number_of(text: str) -> int:
    return int(text.split()[2])


def _metadata_of(text: str) -> dict[str, Any]:
    tag = text.split()[1]
    return {"by": tag, "n": _number_of(text), "deep": {"by": tag}, "long": _LONG + tag, "both": [tag, "each", tag]}


class Compacted(RuleBasedStateMachine):
    """A space that is written, held, compacted and reopened, beside a model that forgets nothing."""

    @initialize()
    def begin(self) -> None:
        self.directory = tempfile.TemporaryDirectory()
        # Chunks of the filter index are small, too, so that they are thinned out.
        self.patches = pytest.MonkeyPatch()
        for module in (columns, plans, exact_scan):
            self.patches.setattr(module, "CHUNK_BITS", 3, raising=False)
            self.patches.setattr(module, "CHUNK_ROWS", 1 << 3, raising=False)
        # As is the index of words, which begins anew.
        self.patches.setattr(full_text, "_DROPPED_MIN", 20)
        # What is alive after each generation: the texts by id.
        self.states: list[dict[str, str]] = [{}]
        self.held: list[Snapshot] = []
        self.written = 0
        self.open()
        self.space.set_retention(RetentionPolicy(None, 0))

    def open(self) -> None:
        self.store = MemoryStore(self.directory.name, options=_OPTIONS)
        self.space: Space = self.store.space("notes", dim=DIM)

    @rule(ids=st.lists(st.sampled_from(_IDS), min_size=1, max_size=8), tag=st.sampled_from(["even", "odd"]))
    def observe(self, ids: list[str], tag: str) -> None:
        texts = []
        for id in ids:
            self.written += 1
            texts.append(f"{id} {tag} {self.written} " + "words " * 20)
            self.states.append({**self.states[-1], id: texts[-1]})
        vectors = np.array([vector_of(text) for text in texts])
        self.space.observe(
            ids, vectors, texts, tags=[[tag]] * len(ids), metadata=[_metadata_of(text) for text in texts]
        )

    @rule(id=st.sampled_from(_IDS))
    def delete(self, id: str) -> None:
        if self.space.delete([id]):
            self.states.append({other: text for other, text in self.states[-1].items() if other != id})

    @rule()
    def hold(self) -> None:
        self.held.append(self.space.snapshot())

    @rule()
    def release(self) -> None:
        self.held = self.held[1:]

    @rule(dead_count=st.sampled_from([0, 300, None]))
    def set_retention(self, dead_count: int | None) -> None:
        self.space.set_retention(EVERYTHING if dead_count is None else RetentionPolicy(None, dead_count))

    @rule(thorough=st.booleans())
    def compact(self, thorough: bool) -> None:
        engine = self.space._engine
        engine.retention.advance()
        before = engine.retention.expired
        engine.log_compaction.run(Pace(0, lambda: True), thorough=thorough)
        assert engine._state.log.horizon.generation <= before

    @rule()
    def compact_graph(self) -> None:
        engine = self.space._engine
        engine.indexing.compact(engine.retention.horizon, lambda: True)

    @rule(is_checked=st.booleans())
    def reopen(self, is_checked: bool) -> None:
        self.held = []
        oldest = self.space._engine._state.log.horizon
        self.store.close()
        if is_checked:
            assert verify(self.directory.name).values()["damages"] == []
        self.open()
        assert self.space.generation == len(self.states) - 1
        assert self.space._engine._state.log.horizon == oldest

    @invariant()
    def answers_at_all_retained_generations(self) -> None:
        if not hasattr(self, "space"):
            return
        newest, oldest = self.space.generation, self.space._engine.retention.oldest
        assert newest == len(self.states) - 1
        for generation in {oldest, (oldest + newest) // 2, newest}:
            self.check(self.space, self.states[generation], max_generation=generation)
        if oldest:
            with pytest.raises(FailedPrecondition) as refused:
                self.space.get(_IDS[0], max_generation=oldest - 1)
            assert refused.value.code == "snapshot_expired"
        for snapshot in self.held:
            self.check(snapshot, self.states[snapshot.generation])

    def check(self, reader: Any, alive: dict[str, str], **options: Any) -> None:
        assert {hit.id: hit.content for hit in reader.recall(_CUE, k=20, **options)} == alive
        odd = {id: text for id, text in alive.items() if " odd " in text}
        assert {hit.id: hit.content for hit in reader.recall(_ODD, k=20, **options)} == odd
        worded = reader.recall(_WORD, k=20, **options)
        assert {hit.id: hit.content for hit in worded} == odd
        assert len(worded) == len(odd)
        # A scan of a space leases its generation for a minute, which would keep everything from being dropped.
        self.check_filters(reader if isinstance(reader, Snapshot) else reader.snapshot(**options), alive, odd)
        for id in _IDS[:2]:
            hit = reader.get(id, **options)
            assert (hit and hit.content) == alive.get(id)

    def check_filters(self, reader: Snapshot, alive: dict[str, str], odd: dict[str, str]) -> None:
        late = {id: text for id, text in alive.items() if _number_of(text) >= 10}
        for condition, wanted in (
            (Filter(), alive),
            (F.by == "odd", odd),
            (F.by.starts_with("od"), odd),
            (F.deep.by != "even", odd),
            (F.n >= 10, late),
            (~(F.n < 10) & (F.by == "odd"), late.keys() & odd.keys()),
            (F.long.contains("long odd"), odd),
            (F.both.contains("odd"), odd),
            (Own.id.is_in(list(odd)), odd),
        ):
            hits = list(reader.scan(condition, page_size=3))
            assert {hit.id: hit.content for hit in hits} == {id: alive[id] for id in wanted}
            assert [hit.generation for hit in hits] == sorted(hit.generation for hit in hits)
            assert reader.count(condition) == len(wanted)
        facet = reader.facets("by")["by"]
        assert {value.value: value.count for value in facet.values} == {
            tag: count for tag, count in (("odd", len(odd)), ("even", len(alive) - len(odd))) if count
        }

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.held = []
            self.store.close()
            self.directory.cleanup()
            self.patches.undo()


TestCompacted = Compacted.TestCase
TestCompacted.settings = settings(max_examples=10, stateful_step_count=30, deadline=None)
