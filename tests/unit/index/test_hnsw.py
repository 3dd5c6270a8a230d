"""The index alone: results against exact search, snapshots, deletions, growth, checkpoints and refusals."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from engram.errors import CorruptData, InvalidInput
from engram.index import CueTable, HnswIndex, Quality
from engram.model.spaces import METRICS, Metric
from tests.doubles.vectors import bitmap, clustered, exact, recall_of, true_scores

K = 10


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dim", [8, 50, 128, 320])
def test_recall_against_exact_search(metric: Metric, dim: int) -> None:
    base, queries = clustered(16_000, dim), clustered(100, dim, seed=2)
    index = HnswIndex(dim, metric, "balanced")
    assert index.add(base) == 1
    generations, scores = index.search(queries, k=K, ef=128)
    assert recall_of(generations, exact(base, queries, metric)) >= 0.95
    assert (np.diff(scores, axis=1) <= 0).all()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dim", range(1, 9))
def test_recall_in_few_dimensions(metric: Metric, dim: int, tmp_path: Path) -> None:
    """Neighbours lie very close together there, and vectors that come in order make a line of the graph."""
    base, queries = clustered(14_000, dim), clustered(100, dim, seed=2)
    base = base[np.argsort(base[:, 0])]
    index = HnswIndex(dim, metric)
    for start in range(0, len(base), 500):
        index.add(base[start : start + 500])
    statistics = index.statistics()
    assert (statistics.linked, statistics.unreachable, statistics.invalid_links) == (len(base), 0, 0)
    generations, scores = index.search(queries, k=K, ef=128)
    truth = true_scores(queries, base, metric)
    assert_near(truth, generations, scores)
    index.save(tmp_path / "graph")
    # Of a hundred walks, one of the loaded graph once found what the other had missed, and the other way round.
    assert_near(truth, *HnswIndex.load(tmp_path / "graph").search(queries, k=K, ef=128))


def assert_near(truth: NDArray[np.float64], generations: NDArray[np.int64], scores: NDArray[np.float32]) -> None:
    """Assert that what was found is near. There are ties, so it counts how near, within what floats can tell."""
    last = np.sort(truth, axis=1)[:, -K]
    found = np.take_along_axis(truth, generations - 1, axis=1)
    assert np.mean(found >= (last - 1e-6 * np.maximum(1, np.abs(last)))[:, None]) >= 0.95
    assert all(len(set(row)) == K for row in generations.tolist())
    np.testing.assert_allclose(scores, found, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("metric", METRICS)
def test_scores_are_exact(metric: Metric) -> None:
    base, queries = clustered(500, 32), clustered(1, 32, seed=3)
    index = HnswIndex(32, metric)
    index.add(base)
    generations, scores = index.search(queries, k=K)
    expected = true_scores(queries, base[generations[0] - 1], metric)
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-5)


def test_generations_are_signed_as_everywhere_in_python() -> None:
    index, table = HnswIndex(32), CueTable(32)
    base = clustered(100, 32)
    index.add(base)
    table.add(1, base[0], 0.9)
    keys, matched, _ = index.match(table, 1, 100)
    found = [index.search(base[0])[0], index.search(base)[0], index.walk(base[0]).next()[0], matched, keys]
    assert {str(generations.dtype) for generations in found} == {"int64"}
    assert index.delete(matched, at=101) == len(matched) > 0
    with pytest.raises(InvalidInput, match="max_generation"):
        index.search(base[0], max_generation=2**63)
    assert index.search(base[0], k=1, max_generation=2**63 - 1)[0] > 0


@pytest.mark.parametrize("quality", get_args(Quality))
def test_graph_is_sound(quality: Quality) -> None:
    index = HnswIndex(64, quality=quality)
    index.add(clustered(8_000, 64))
    statistics = index.statistics()
    assert statistics.linked == statistics.slots == 8_000
    assert statistics.unreachable == 0
    assert statistics.invalid_links == 0
    assert sum(statistics.degrees) == 8_000


def test_what_is_linked_and_saved_in_the_background_is_as_good(tmp_path: Path) -> None:
    base = clustered(5_000, 32)
    index = HnswIndex(32, quality="fast")
    index.append(base, 1)
    index.publish(len(base))
    threads = [threading.Thread(target=_link_in_the_background, args=(index,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert index.indexed_generation == len(base)
    assert index.save(tmp_path / "graph", background=True) == len(base)
    loaded = HnswIndex.load(tmp_path / "graph")
    generations, _ = loaded.search(base[:100], k=1)
    assert (generations[:, 0] == np.arange(1, 101)).mean() >= 0.99


def test_a_failure_in_the_background_is_told(tmp_path: Path) -> None:
    index = HnswIndex(32)
    with pytest.raises(FileNotFoundError, match="cannot open"):
        index.save(tmp_path / "missing" / "graph", background=True)
    index.add(clustered(100, 32))
    assert index.save(tmp_path / "graph", background=True) == 100


def _link_in_the_background(index: HnswIndex) -> None:
    while index.link(64, background=True):
        pass


def test_each_vector_finds_itself_before_and_after_linking() -> None:
    base = clustered(9_000, 128)
    index = HnswIndex(128)
    index.append(base, 1)
    assert index.search(base[:1], k=1)[0][0, 0] == 0, "nothing is visible before it is published"
    index.publish(len(base))
    assert index.indexed_generation == 0
    everything = np.arange(1, len(base) + 1)
    assert (index.search(base, k=1)[0][:, 0] == everything).all()
    while index.link(512):
        pass
    assert index.indexed_generation == len(base)
    assert (index.search(base, k=1)[0][:, 0] == everything).mean() >= 0.999


@pytest.mark.parametrize("fraction", [0.9, 0.5, 0.25, 0.1, 0.02, 0.001])
def test_snapshot_sees_exactly_its_past(fraction: float) -> None:
    base, queries = clustered(20_000, 128), clustered(100, 128, seed=2)
    index = HnswIndex(128)
    index.add(base)
    limit = int(len(base) * fraction)
    generations, _ = index.search(queries, k=K, ef=96, max_generation=limit)
    assert generations.max() <= limit
    assert recall_of(generations, exact(base[:limit], queries, "cosine")) >= 0.95


def test_snapshot_holds_while_others_insert() -> None:
    base = clustered(30_000, 64)
    index = HnswIndex(64, quality="fast")
    index.add(base[:10_000])
    before, _ = index.search(base[:200], k=K, ef=64, max_generation=10_000)
    done = threading.Event()

    def insert() -> None:
        for start in range(10_000, len(base), 500):
            index.add(base[start : start + 500], threads=1)
        done.set()

    writer = threading.Thread(target=insert)
    writer.start()
    worst = 0
    while not done.is_set():
        generations, _ = index.search(base[:50], k=K, max_generation=10_000)
        worst = max(worst, int(generations.max()))
    writer.join()
    assert 0 < worst <= 10_000
    after, _ = index.search(base[:200], k=K, ef=64, max_generation=10_000)
    overlap = np.mean([len(set(a) & set(b)) / K for a, b in zip(before.tolist(), after.tolist(), strict=True)])
    assert overlap >= 0.97


def test_deleted_versions_vanish_for_newer_snapshots_only() -> None:
    base = clustered(15_000, 128)
    index = HnswIndex(128)
    index.add(base)
    gone = np.arange(1, 15_001, 3)
    end = 15_001
    assert index.delete(gone, end) == len(gone)
    assert index.delete(gone, end + 5) == 0, "a version dies once"
    found, _ = index.search(base[gone[:300] - 1], k=K)
    assert (found[:, 0] == gone[:300]).mean() >= 0.99, "the deletion is not published yet"
    index.publish(end)
    found, _ = index.search(base[gone[:300] - 1], k=K, ef=96)
    assert not np.isin(found, gone).any()
    found, _ = index.search(base[gone[:300] - 1], k=1, max_generation=end - 1)
    assert (found[:, 0] == gone[:300]).mean() >= 0.99
    assert index.live_count == 10_000


@pytest.mark.parametrize("hidden", ["deleted", "newer"])
def test_answers_are_complete_where_all_near_vectors_are_hidden(hidden: str) -> None:
    rng = np.random.default_rng(1)
    centres = rng.standard_normal((40, 128)).astype(np.float32)
    base = np.repeat(centres, 500, axis=0) + 0.3 * rng.standard_normal((20_000, 128)).astype(np.float32)
    queries = centres[-1] + 0.3 * rng.standard_normal((100, 128)).astype(np.float32)
    index = HnswIndex(128)
    index.add(base)
    if hidden == "deleted":
        index.delete(np.arange(19_501, 20_001), 20_001)
        index.publish(20_001)
    snapshot = 19_500 if hidden == "newer" else None
    generations, _ = index.search(queries, k=K, ef=64, max_generation=snapshot)
    assert (generations > 0).all()
    # Such queries are far from everything visible and hard in themselves; hiding must not make them harder.
    truth = exact(base[:19_500], queries, "cosine")
    without = HnswIndex(128)
    without.add(base[:19_500])
    assert recall_of(generations, truth) >= recall_of(without.search(queries, k=K, ef=64)[0], truth) - 0.05


def test_fewer_vectors_than_asked_for_are_padded() -> None:
    index = HnswIndex(8)
    empty, scores = index.search(np.ones(8, dtype=np.float32), k=3)
    assert empty.tolist() == [0, 0, 0]
    assert np.isneginf(scores).all()
    index.add(np.eye(8)[:2])
    generations, _ = index.search(np.eye(8)[0], k=3)
    assert generations.tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    "vectors",
    [
        np.ones((3_000, 64)),
        np.repeat(clustered(3, 64), 1_000, axis=0),
        np.tile(np.eye(64), (40, 1)),
        clustered(3_000, 64) * 1e-12,
        np.sort(clustered(3_000, 64), axis=0),
    ],
    ids=["all equal", "thousandfold", "one-hot", "tiny", "sorted"],
)
def test_degenerate_data_leaves_no_orphan(vectors: NDArray[np.float32]) -> None:
    index = HnswIndex(64, quality="fast")
    index.add(vectors)
    statistics = index.statistics()
    assert statistics.unreachable == 0
    assert statistics.invalid_links == 0
    # So few candidates that it walks the graph; more of them would scan this little flat.
    _, scores = index.search(vectors[::100], k=1, ef=16)
    # Neighbours whose cosines differ by less than the codes resolve may stand in for the vector itself.
    np.testing.assert_allclose(scores[:, 0], 1.0, atol=1e-2)


@pytest.mark.parametrize("metric", METRICS)
def test_checkpoint_returns_the_same_index(tmp_path: Path, metric: Metric) -> None:
    base, queries = clustered(9_000, 128), clustered(50, 128, seed=2)
    index = HnswIndex(128, metric)
    index.add(base)
    index.delete(np.arange(1, 1_000), 9_001)
    index.publish(9_001)
    assert index.save(tmp_path / "graph") == 9_001
    loaded = HnswIndex.load(tmp_path / "graph")
    assert (loaded.dim, loaded.metric, len(loaded), loaded.live_count) == (128, metric, 9_000, 8_001)
    for known, again in zip(index.search(queries), loaded.search(queries), strict=True):
        np.testing.assert_array_equal(known, again)
    # Which buckets of entries were full depends on the order of insertion, so their number may differ a little.
    assert replace(loaded.statistics(), entries=0) == replace(index.statistics(), entries=0)
    loaded.append(base[:100], 9_002)
    loaded.publish(9_101)
    assert loaded.link(1_000) == 100
    assert loaded.statistics().unreachable == 0


def test_a_larger_graph_that_is_mapped_goes_on_as_it_was(tmp_path: Path) -> None:
    """Its sign bits, here 256 bytes a row, fill a huge page, so they are copied to one."""
    base, queries = clustered(5_000, 1_600), clustered(20, 1_600, seed=2)
    index = HnswIndex(1_600)
    index.add(base)
    index.save(tmp_path / "graph")
    loaded = HnswIndex.load(tmp_path / "graph")
    allowed = bitmap(np.arange(1, 5_001, 7))
    for given in (None, allowed):
        for known, again in zip(
            index.search(queries, allowed=given), loaded.search(queries, allowed=given), strict=True
        ):
            np.testing.assert_array_equal(known, again)
    loaded.erase([7])
    assert loaded.add(queries) == 5_001
    loaded.save(tmp_path / "again")
    # The rows of bits come first, behind a page for the header.
    erased = 4096 + 6 * 256
    bits = (tmp_path / "graph").read_bytes()[erased : erased + 200]
    assert len(set(bits)) > 20
    assert bits not in (tmp_path / "again").read_bytes()
    third = HnswIndex.load(tmp_path / "again")
    for known, again in zip(loaded.search(queries), third.search(queries), strict=True):
        np.testing.assert_array_equal(known, again)
    assert third.search(queries, k=1)[0][:, 0].tolist() == list(range(5_001, 5_021))


def test_checkpoint_without_vectors_uses_the_given_ones(tmp_path: Path) -> None:
    base = clustered(5_000, 128)
    index = HnswIndex(128)
    index.append(base[:3_000], 1, raw=base[:3_000])
    index.append(base[3_000:], 3_011, raw=base[3_000:])  # Ten generations went to deletions.
    index.publish(5_010)
    while index.link(1_000):
        pass
    index.save(tmp_path / "graph", with_vectors=False)
    blocks = [(1, base[:3_000]), (3_011, base[3_000:])]
    loaded = HnswIndex.load(tmp_path / "graph", blocks)
    np.testing.assert_array_equal(index.search(base[:50])[1], loaded.search(base[:50])[1])
    with pytest.raises(CorruptData, match="no raw vector is given for generation 3011"):
        HnswIndex.load(tmp_path / "graph", blocks[:1])
    with pytest.raises(CorruptData, match="holds no raw vectors"):
        HnswIndex.load(tmp_path / "graph")


def test_damaged_checkpoints_are_refused(tmp_path: Path) -> None:
    index = HnswIndex(64)
    index.add(clustered(500, 64))
    path = tmp_path / "graph"
    index.save(path)
    whole = path.read_bytes()
    for damaged in (b"", b"garbage" * 1_000, whole[:-1], whole[:40] + b"\xff" + whole[41:]):
        path.write_bytes(damaged)
        with pytest.raises(CorruptData, match="checkpoint"):
            HnswIndex.load(path)


def test_checkpoint_while_inserting_is_sound(tmp_path: Path) -> None:
    base = clustered(12_000, 64)
    index = HnswIndex(64, quality="fast")
    index.append(base, 1)
    index.publish(len(base))
    workers = [threading.Thread(target=lambda: [None for _ in iter(lambda: index.link(256), 0)]) for _ in range(2)]
    for worker in workers:
        worker.start()
    covered = [index.save(tmp_path / f"graph{i}") for i in range(3)]
    for worker in workers:
        worker.join()
    for i, generation in enumerate(covered):
        loaded = HnswIndex.load(tmp_path / f"graph{i}")
        assert len(loaded) == generation
        statistics = loaded.statistics()
        assert (statistics.unreachable, statistics.invalid_links) == (0, 0)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"dim": 0}, "dim"),
        ({"dim": 4097}, "dim"),
        ({"dim": 64, "metric": "hamming"}, "metric"),
        ({"dim": 64, "quality": "best"}, "quality"),
        ({"dim": 64, "m": 3}, "m"),
        ({"dim": 64, "ef_construction": 513}, "ef_construction"),
    ],
)
def test_bad_parameters_are_named(arguments: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        HnswIndex(**arguments)  # type: ignore[arg-type]  # Wrong types are the point.
    assert caught.value.field == field


def test_bad_vectors_and_queries_are_refused() -> None:
    index = HnswIndex(16)
    for bad in (np.ones((2, 15)), np.ones(16), np.full((1, 16), np.nan), np.full((1, 16), np.inf)):
        with pytest.raises(InvalidInput):
            index.add(bad)
    for query, k, ef in ((np.ones(15), 1, 1), (np.ones(16), 0, 64), (np.ones(16), 1, 0), (np.ones(16), 10_001, 64)):
        with pytest.raises(InvalidInput):
            index.search(query, k=k, ef=ef)
    assert len(index) == 0


@pytest.mark.parametrize("share", [0.9, 0.3, 0.05, 0.01, 0.001])
def test_only_what_is_allowed_is_found(share: float) -> None:
    base, queries = clustered(30_000, 96), clustered(100, 96, seed=2)
    index = HnswIndex(96)
    index.add(base)
    allowed = np.flatnonzero(np.random.default_rng(4).random(30_000) < share) + 1
    found, _ = index.search(queries, k=K, ef=64, allowed=bitmap(allowed))
    assert np.isin(found, allowed).all()
    assert recall_of(found, allowed[exact(base[allowed - 1], queries, "cosine") - 1]) >= 0.95
    snapshot = 20_000
    found, _ = index.search(queries, k=K, ef=64, allowed=bitmap(allowed), max_generation=snapshot)
    assert (found <= snapshot).all()


def test_an_allow_list_that_allows_nothing_finds_nothing() -> None:
    index = HnswIndex(32)
    index.add(clustered(5_000, 32))
    generations, _ = index.search(clustered(1, 32, seed=2), allowed=np.zeros(80, dtype=np.uint64))
    assert (generations == 0).all()


@pytest.mark.parametrize("dim", [50, 320])
def test_raw_vectors_in_half_precision(dim: int, tmp_path: Path) -> None:
    base, queries = clustered(5_000, dim), clustered(50, dim, seed=2)
    half = base.astype(np.float16)
    index = HnswIndex(dim)
    index.append(base, 1, raw=half)
    index.publish(5_000)
    while index.link(512):
        pass
    generations, scores = index.search(queries, k=K, ef=128)
    rows = half.astype(np.float32)[generations - 1]
    cosines = np.einsum("qkd,qd->qk", rows, queries)
    cosines /= np.linalg.norm(rows, axis=2) * np.linalg.norm(queries, axis=1)[:, None]
    np.testing.assert_allclose(scores, cosines, rtol=1e-4, atol=1e-5)
    assert recall_of(generations, exact(base, queries, "cosine")) >= 0.95
    index.save(tmp_path / "graph", with_vectors=False)
    loaded = HnswIndex.load(tmp_path / "graph", vectors=[(1, half)])
    np.testing.assert_array_equal(loaded.search(queries, k=K, ef=128)[0], generations)


@pytest.mark.parametrize("dim", [32, 320])
def test_squared_distance_far_from_the_origin(dim: int, tmp_path: Path) -> None:
    base, queries = clustered(12_000, dim) + 50.0, clustered(100, dim, seed=2) + 50.0
    index = HnswIndex(dim, "l2")
    index.add(base)
    truth = exact(base - 50.0, queries - 50.0, "l2")
    found = index.search(queries, k=K, ef=128)[0]
    assert recall_of(found, truth) >= 0.95
    index.save(tmp_path / "graph")
    np.testing.assert_array_equal(HnswIndex.load(tmp_path / "graph").search(queries, k=K, ef=128)[0], found)


def test_what_ended_before_it_was_discarded_does_not_end_what_comes_in_its_place() -> None:
    base = clustered(200, 32)
    index = HnswIndex(32)
    index.add(base[:100])
    index.append(base[100:150], 101)
    assert index.delete([105, 3], 151) == 2
    index.discard()
    assert (len(index), index.dead_count) == (100, 1), "only what had been published is still dead"
    index.append(base[150:], 101)
    index.publish(150)
    assert index.search(base[154], k=1)[0].tolist() == [105]
    assert (index.live_count, index.dead_count) == (149, 1)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_a_query_that_is_not_finite_is_refused_by_name(number: float) -> None:
    index = HnswIndex(16)
    index.add(np.eye(16, dtype=np.float32))
    queries = np.ones((3, 16), np.float32)
    queries[2, 9] = number
    with pytest.raises(InvalidInput, match="queries hold NaN or Inf") as refused:
        index.search(queries)
    assert (refused.value.code, refused.value.field) == ("not_finite", "queries")
    with pytest.raises(InvalidInput, match="query hold NaN or Inf"):
        index.walk(queries[2])
    assert index.search(queries[:2], 1)[0].shape == (2, 1)


def test_a_query_whose_squared_norm_is_too_large_for_float32_is_not_refused() -> None:
    index = HnswIndex(16, metric="ip")
    index.add(np.eye(16, dtype=np.float32))
    query = np.full(16, 1e20, np.float32)
    query[3] = 2e20
    assert index.search(query, 1)[0].tolist() == [4]
    assert index.walk(query).next(1, 8)[0].tolist() == [4]
