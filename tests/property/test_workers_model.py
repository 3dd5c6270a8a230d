"""Whatever is written and whichever workers die where: the watermark is contiguous, and in the end all is indexed."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from engram.index import HnswIndex
from engram.model.spaces import SpaceConfig
from engram.store.indexing.index_maintenance import IndexMaintenance
from engram.store.indexing.scheduler import IndexTask, WorkStealingScheduler
from engram.store.options import StoreOptions
from engram.store.space_state import SpaceState

DIM = 8
WORKERS = 3
THRESHOLD = 20
POINTS = ("before link", "after link")


class ModelSpace:
    """The parts of a space that index workers touch, over a real graph."""

    def __init__(self, name: str) -> None:
        self.config = SpaceConfig(name, DIM)
        self.index = HnswIndex(DIM)
        log: Any = None
        manifest: Any = None
        self.state = SpaceState(log=log, index=self.index, manifest=manifest)
        self.indexing = IndexMaintenance(self.state, StoreOptions())
        self.born: list[int] = []
        self.told = [0]
        self.indexing.add_listener(self.told.append)

    def publish(self, count: int, random: np.random.Generator) -> None:
        first = self.index.visible_generation + 1
        self.index.append(random.standard_normal((count, DIM)).astype(np.float32), first)
        last = first + count - 1
        self.born += range(first, last + 1)
        self.index.publish(last)
        self.state.answered_generation = last

    def delete(self, generation: int) -> None:
        at = self.index.visible_generation + 1
        self.index.delete([generation], at)
        self.index.publish(at)
        self.state.answered_generation = at


class WorkersMachine(RuleBasedStateMachine):
    """`Workers` step by step: turns begin and end in any order, and any worker dies at any point of its turn."""

    turns = Bundle("turns")
    linked = Bundle("linked")

    @initialize(seed=st.integers(0, 2**32 - 1))
    def begin(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.board = WorkStealingScheduler(WORKERS, THRESHOLD)
        self.waiting: set[int] = set()
        self.spaces = [ModelSpace(name) for name in ("red", "green", "blue")]

    @rule(space=st.integers(0, 2), count=st.integers(1, 60))
    def observe(self, space: int, count: int) -> None:
        self.spaces[space].publish(count, self.random)
        self.notify(self.spaces[space])

    @rule(space=st.integers(0, 2), generation=st.integers(1, 100))
    def delete(self, space: int, generation: int) -> None:
        if generation <= self.spaces[space].index.visible_generation:
            self.spaces[space].delete(generation)
            self.notify(self.spaces[space])

    @rule(target=turns, worker=st.integers(0, WORKERS - 1))
    def take(self, worker: int) -> IndexTask | None:
        turn = self.board.next_for(worker)
        if turn is None:
            self.waiting.add(worker)
        else:
            self.waiting.discard(worker)
        return turn

    @rule(target=linked, turn=consumes(turns), batch=st.integers(1, 40), dies=st.sampled_from(["", *POINTS]))
    def link(self, turn: IndexTask | None, batch: int, dies: str) -> tuple[IndexTask, int] | None:
        if turn is None:
            return None
        space: Any = turn.space
        count = 0 if dies == "before link" else space.indexing.link(batch)
        if dies in ("before link", "after link"):
            self.notify(space)
            return None
        return turn, count

    @rule(turn=consumes(linked), dies=st.booleans())
    def finish(self, turn: tuple[IndexTask, int] | None, dies: bool) -> None:
        if turn is None:
            return
        space: Any = turn[0].space
        space.indexing.announce()
        if self.board.finish(*turn, space.indexing.pending):
            self.waiting.clear()
        if dies:
            self.notify(space)

    def notify(self, space: Any) -> None:
        if self.board.add(space, space.indexing.pending):
            self.waiting.clear()

    @invariant()
    def nobody_waits_who_could_work(self) -> None:
        for worker in getattr(self, "waiting", ()):
            assert self.board.next_for(worker) is None

    @invariant()
    def the_watermark_is_contiguous(self) -> None:
        for space in getattr(self, "spaces", ()):
            index = space.index
            assert space.told == sorted(space.told)
            assert space.told[-1] <= index.indexed_generation <= index.visible_generation
            statistics = index.statistics()
            # Vectors are linked in the order of their generations, as far as anybody can tell from outside.
            assert statistics.linked == sum(generation <= index.indexed_generation for generation in space.born)
            assert statistics.unreachable == statistics.invalid_links == 0

    def teardown(self) -> None:
        for worker in range(WORKERS):
            while (turn := self.board.next_for(worker)) is not None:
                self.finish(self.link(turn, 500, ""), False)
        for space in self.spaces:
            assert space.told[-1] == space.index.indexed_generation == space.index.visible_generation
            assert space.index.statistics().linked == space.index.statistics().slots


TestWorkers = WorkersMachine.TestCase
TestWorkers.settings = settings(max_examples=100, stateful_step_count=60, deadline=None)
