"""The graph against a model: whatever is appended, linked, deleted, saved and loaded, it stays sound and truthful."""

from __future__ import annotations

import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from numpy.typing import NDArray

from engram.index import HnswIndex
from engram.model.spaces import METRICS, Metric
from tests.doubles.vectors import true_scores

COUNT_MAX = 4_000
DEGREE_MAX = 63  # Of quality "fast".
# Below 100 candidates' worth of vectors a search scans instead of walking; small values make it walk here.
EFS = st.sampled_from([1, 2, 4, 8, 32])
SEEDS = st.integers(0, 2**32 - 1)
KINDS = st.sampled_from(["spread", "spread", "clustered", "repeated", "equal", "one-hot", "tiny"])
# 8 and 30 are walked by bytes, 136 by sign bits.
SPACES = st.sampled_from([(8, "cosine"), (136, "cosine"), *((30, metric) for metric in METRICS)])


def vectors_of(kind: str, count: int, dim: int, seed: int) -> NDArray[np.float32]:
    """Ordinary and awkward vectors; those of one kind meet each other again in later batches."""
    rng = np.random.default_rng(seed)
    spread = rng.standard_normal((count, dim)).astype(np.float32)
    fixed = np.random.default_rng(0).standard_normal((4, dim)).astype(np.float32)
    return {
        "spread": spread,
        "clustered": fixed[rng.integers(0, 4, count)] + 0.1 * spread,
        "repeated": fixed[rng.integers(0, 4, count)],
        "equal": np.ones_like(spread),
        "one-hot": np.eye(dim, dtype=np.float32)[rng.integers(0, dim, count)],
        "tiny": spread * np.float32(1e-12),
    }[kind]


class ModelledGraph(RuleBasedStateMachine):
    """The model holds every vector with the generations of its birth and death."""

    @initialize(space=SPACES)
    def start(self, space: tuple[int, Metric]) -> None:
        self.dim, self.metric = space
        self.index = HnswIndex(self.dim, self.metric, "fast")
        self.vectors = np.empty((0, self.dim), dtype=np.float32)
        self.born = np.empty(0, dtype=np.int64)
        self.died = np.empty(0, dtype=np.int64)
        self.newest = 0
        self.visible = 0
        self.folder = Path(tempfile.mkdtemp())

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    @precondition(lambda self: len(self.born) < COUNT_MAX)
    @rule(kind=KINDS, count=st.sampled_from([1, 40, 700, 1_500]), seed=SEEDS)
    def append(self, kind: str, count: int, seed: int) -> None:
        rows = vectors_of(kind, count, self.dim, seed)
        self.index.append(rows, self.newest + 1)
        self.vectors = np.concatenate([self.vectors, rows])
        self.born = np.append(self.born, np.arange(self.newest + 1, self.newest + 1 + count, dtype=np.int64))
        self.died = np.append(self.died, np.zeros(count, dtype=np.int64))
        self.newest += count

    @rule()
    def publish(self) -> None:
        self.index.publish(self.newest)
        self.visible = self.newest

    @rule(count=st.sampled_from([1, 50, 800, 3_000]))
    def link(self, count: int) -> None:
        waiting = self.index.visible_generation - self.index.indexed_generation
        assert (self.index.link(count) == 0) == (waiting == 0)

    @precondition(lambda self: len(self.born) < COUNT_MAX)
    @rule(kind=KINDS, count=st.sampled_from([300, 1_500]), seed=SEEDS)
    def add(self, kind: str, count: int, seed: int) -> None:
        self.append(kind, count, seed)
        self.publish()
        with ThreadPoolExecutor(2) as pool:
            for worker in [pool.submit(self.link_all) for _ in range(2)]:
                worker.result()
        assert self.index.indexed_generation == self.visible

    def link_all(self) -> None:
        while self.index.link(64):
            pass

    @precondition(lambda self: len(self.born) > 0)
    @rule(fraction=st.sampled_from([0.01, 0.3, 0.9]), seed=SEEDS)
    def delete(self, fraction: float, seed: int) -> None:
        picked = np.random.default_rng(seed).random(len(self.born)) < fraction
        alive = picked & (self.died == 0)
        self.newest += 1
        assert self.index.delete(self.born[picked], self.newest) == alive.sum()
        self.died[alive] = self.newest

    @precondition(lambda self: len(self.born) > 0)
    @rule(back=st.integers(0, 2_000), k=st.integers(1, 20), ef=EFS, seed=SEEDS)
    def search_a_snapshot(self, back: int, k: int, ef: int, seed: int) -> None:
        snapshot = max(0, self.visible - back)
        queries = vectors_of("spread", 5, self.dim, seed)
        generations, scores = self.index.search(queries, k=k, ef=ef, max_generation=snapshot)
        self.check_answers(queries, generations, scores, snapshot)

    @precondition(lambda self: len(self.born) > 0)
    @rule(k=st.integers(1, 20), ef=EFS, seed=SEEDS)
    def search_the_newest(self, k: int, ef: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        queries = self.vectors[rng.integers(0, len(self.vectors), 5)]
        generations, scores = self.index.search(queries, k=k, ef=ef)
        self.check_answers(queries, generations, scores, self.visible)

    def check_answers(
        self,
        queries: NDArray[np.float32],
        generations: NDArray[np.int64],
        scores: NDArray[np.float32],
        snapshot: int,
    ) -> None:
        alive = (self.born <= snapshot) & ((self.died == 0) | (self.died > snapshot))
        for query, found, given in zip(queries, generations, scores, strict=True):
            hits = found[found > 0]
            assert len(set(hits.tolist())) == len(hits), "nothing comes twice"
            assert len(hits) == min(len(found), alive.sum()), "no place stays empty"
            assert np.isin(hits, self.born[alive]).all(), "only what lived at the snapshot"
            assert (found[len(hits) :] == 0).all()
            assert np.isneginf(given[len(hits) :]).all()
            assert (np.diff(given[: len(hits)]) <= 0).all(), "best first"
            expected, size = self.scores(query, self.vectors[np.searchsorted(self.born, hits)])
            assert (abs(given[: len(hits)] - expected) <= 1e-4 * size + 1e-30).all()

    def scores(
        self, query: NDArray[np.float32], rows: NDArray[np.float32]
    ) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """True scores, and the size of the numbers that they are made of."""
        true = true_scores(query[None], rows, self.metric)[0]
        squares = (rows.astype(np.float64) ** 2).sum(axis=1), (query.astype(np.float64) ** 2).sum()
        sizes = {"cosine": np.ones(len(rows)), "ip": np.sqrt(squares[0] * squares[1])}
        return true, sizes.get(self.metric, squares[0] + squares[1])

    @rule()
    def save_and_load(self) -> None:
        # A new file each time, as the one that was loaded is still mapped.
        path = self.folder / f"graph{len(list(self.folder.iterdir()))}"
        covered = self.index.save(path)
        assert covered == self.index.indexed_generation
        before = self.index.statistics()
        loaded = HnswIndex.load(path)
        assert loaded.visible_generation == loaded.indexed_generation == covered
        after = loaded.statistics()
        assert (after.linked, after.links, after.degrees) == (before.linked, before.links, before.degrees)
        self.index = loaded
        self.replay(covered)

    def replay(self, covered: int) -> None:
        """Bring the loaded index to where the other one was, as a recovery from the log does."""
        for later in (self.visible, self.newest):
            missing = np.flatnonzero((self.born > covered) & (self.born <= later))
            # Deletions took generations in between.
            for run in np.split(missing, np.flatnonzero(np.diff(self.born[missing]) > 1) + 1):
                if len(run) > 0:
                    self.index.append(self.vectors[run], int(self.born[run[0]]))
            covered = max(covered, later)
            ended = (self.died > 0) & (self.died <= later)
            self.index.delete(self.born[ended], self.died[ended])
            if later == self.visible:
                self.index.publish(later)

    @invariant()
    def graph_is_sound(self) -> None:
        statistics = self.index.statistics()
        assert statistics.unreachable == 0
        assert statistics.invalid_links == 0
        assert sum(statistics.degrees) == statistics.linked
        assert sum(statistics.degrees[DEGREE_MAX + 1 :]) == 0
        assert sum(degree * nodes for degree, nodes in enumerate(statistics.degrees)) == statistics.links


TestGraphInvariants = ModelledGraph.TestCase
TestGraphInvariants.settings = settings(max_examples=120, stateful_step_count=20, deadline=None)
