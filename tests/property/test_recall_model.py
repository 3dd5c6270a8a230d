"""Filtered recalls, open streams and standing recalls against a model: writing never changes what a snapshot shows."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, rule

from engram.store import Between, Cue, Filter, Hit, MemoryStore, RecallStream, Snapshot, StoreOptions
from tests.doubles.batches import DIM, vector_of
from tests.doubles.waiting import wait_until_indexed

IDS = st.sampled_from("abcdefgh")
TAGS = st.frozensets(st.sampled_from(["red", "blue", "old"]), max_size=2)
OPTIONS = StoreOptions(segment_bytes=8192, workers=1, link_count=3, checkpoint_count_min=20, follower_count_max=3)
CUE = vector_of("cue")
SIMILAR = 0.1


class Version(NamedTuple):
    """What the model knows of an observation."""

    generation: int
    vector: Any
    time_s: int
    tags: frozenset[str]
    number: int


Condition = tuple[Filter, Any]
CONDITIONS = st.sampled_from(
    [
        (Filter(), lambda v: True),
        (Filter(tags=frozenset({"red"})), lambda v: "red" in v.tags),
        (Filter(without_tags=frozenset({"red", "old"})), lambda v: not v.tags & {"red", "old"}),
        (Filter(since=2, until=5), lambda v: 2 <= v.time_s < 5),
        (Filter(metadata={"number": 1}), lambda v: v.number == 1),
        (
            Filter(tags=frozenset({"blue"}), metadata={"number": Between(1, 2)}),
            lambda v: "blue" in v.tags and 1 <= v.number <= 2,
        ),
    ]
)
ROWS = st.lists(st.tuples(IDS, st.integers(0, 6), TAGS, st.integers(0, 3)), min_size=1, max_size=5)
State = Mapping[str, Version]


@dataclass
class OpenStream:
    """A recall stream under way, what it must hand out, and what it has."""

    stream: RecallStream
    expected: set[int]
    found: list[int]


@dataclass
class Following:
    """A standing recall, what fits it, and from which generation on."""

    stream: RecallStream
    condition: Condition
    generation: int


class RecallModel(RuleBasedStateMachine):
    """The model keeps the live versions at every generation."""

    snapshots = Bundle("snapshots")
    streams = Bundle("streams")
    following = Bundle("following")

    @initialize()
    def start(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.states: list[State] = [{}]
        self.observed: list[Version] = []
        self.version = 0
        self.open()

    def open(self) -> None:
        self.store = MemoryStore(self.directory, options=OPTIONS)
        self.space = self.store.space("notes", dim=DIM)

    @rule(rows=ROWS)
    def observe(self, rows: list[tuple[str, int, frozenset[str], int]]) -> None:
        self.version += 1
        vectors = np.stack([vector_of(id, self.version) for id, *_ in rows])
        self.space.observe(
            [id for id, *_ in rows],
            vectors,
            timestamps=[float(time_s) for _, time_s, *_ in rows],
            tags=[sorted(tags) for _, _, tags, _ in rows],
            metadata=[{"number": number} for *_, number in rows],
        )
        for (id, time_s, tags, number), vector in zip(rows, vectors, strict=True):
            version = Version(len(self.states), vector, time_s, tags, number)
            self.observed.append(version)
            self.states.append({**self.states[-1], id: version})

    @rule(ids=st.lists(IDS, min_size=1, max_size=4, unique=True))
    def delete(self, ids: list[str]) -> None:
        self.space.delete(ids)
        for id in ids:
            if id in self.states[-1]:
                self.states.append({known: v for known, v in self.states[-1].items() if known != id})

    @rule(target=snapshots)
    def take_snapshot(self) -> Snapshot:
        return self.space.snapshot()

    @rule(snapshot=snapshots, condition=CONDITIONS, ranked=st.booleans())
    def look_at_snapshot(self, snapshot: Snapshot, condition: Condition, ranked: bool) -> None:
        self.check(snapshot.recall(cue(condition, ranked), k=50), self.states[snapshot.generation], condition, ranked)

    @rule(data=st.data(), condition=CONDITIONS, ranked=st.booleans())
    def look_back(self, data: st.DataObject, condition: Condition, ranked: bool) -> None:
        generation = data.draw(st.integers(0, len(self.states) - 1))
        hits = self.space.recall(cue(condition, ranked), k=50, max_generation=generation)
        self.check(hits, self.states[generation], condition, ranked)

    @rule(target=streams, condition=CONDITIONS, size=st.integers(1, 3), snapshot=st.none() | snapshots)
    def open_stream(self, condition: Condition, size: int, snapshot: Snapshot | None) -> OpenStream:
        source = self.space if snapshot is None else snapshot
        stream = source.recall_stream(cue(condition, True), 50, size)
        state = self.states[stream.generation]
        return OpenStream(stream, {v.generation for v in state.values() if condition[1](v)}, [])

    @rule(opened=streams)
    def read_stream(self, opened: OpenStream) -> None:
        more = opened.stream.more_results
        batch = opened.stream.next_batch()
        opened.found += [hit.generation for hit in batch]
        assert [hit.score for hit in batch] == sorted((hit.score for hit in batch), reverse=True)
        assert len(set(opened.found)) == len(opened.found)
        assert set(opened.found) <= opened.expected
        if more and not opened.stream.more_results:
            assert set(opened.found) == opened.expected

    @rule(target=following, condition=CONDITIONS, data=st.data())
    def follow(self, condition: Condition, data: st.DataObject) -> Following:
        generation = data.draw(st.integers(0, len(self.states) - 1))
        similar = Cue(CUE, filter=condition[0], score_min=SIMILAR)
        stream = self.space.recall_stream(similar, 1, 2, max_generation=generation, follow=True)
        while stream.more_results:
            stream.next_batch()
        return Following(stream, condition, generation)

    @rule(followed=consumes(following))
    def read_what_followed(self, followed: Following) -> None:
        passes = followed.condition[1]
        expected = [
            v.generation
            for v in self.observed
            if v.generation > followed.generation and passes(v) and similarity(v) >= SIMILAR
        ]
        found: list[int] = []
        if self.space._engine.subscriptions and not followed.stream.subscription.closed:  # type: ignore[union-attr]
            while len(found) < len(expected):
                found += [hit.generation for hit in next(followed.stream)]
            assert found == expected
            assert followed.stream.poll() == []
        followed.stream.close()

    @rule()
    def wait_for_index(self) -> None:
        wait_until_indexed(self.space)

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.open()

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            shutil.rmtree(self.directory)

    @staticmethod
    def check(hits: list[Hit], state: State, condition: Condition, ranked: bool) -> None:
        passing = {v.generation: v for v in state.values() if condition[1](v)}
        assert {hit.generation for hit in hits} == set(passing)
        assert len(hits) == len(passing)
        if not ranked:
            assert [hit.generation for hit in hits] == sorted(passing, reverse=True)
        for hit in hits:
            assert set(hit.tags) == passing[hit.generation].tags


def cue(condition: Condition, ranked: bool) -> Cue:
    return Cue(CUE if ranked else None, filter=condition[0])


def similarity(version: Version) -> float:
    return float(version.vector @ CUE / np.linalg.norm(version.vector) / np.linalg.norm(CUE))


TestRecallModel = RecallModel.TestCase
TestRecallModel.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
