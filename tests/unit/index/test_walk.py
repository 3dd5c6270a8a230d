"""Continued searches: no repeats, best first, the snapshot they began with, filters, and exhaustion."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engram.errors import InvalidInput
from engram.index import HnswIndex
from tests.doubles.vectors import bitmap, clustered, exact

COUNT, DIM = 30_000, 96


@pytest.fixture(scope="module")
def index() -> HnswIndex:
    index = HnswIndex(DIM)
    index.add(clustered(COUNT, DIM))
    return index


def taken(
    index: HnswIndex,
    total: int,
    count: int = 50,
    query: NDArray[np.float32] | None = None,
    ef: int = 64,
    **options: object,
) -> list[int]:
    query = clustered(1, DIM, seed=5)[0] if query is None else query
    walk = index.walk(query, **options)  # type: ignore[arg-type]  # Passed on as they are.
    found: list[int] = []
    while len(found) < total:
        generations, scores = walk.next(count, ef)
        assert (np.diff(scores) <= 0).all()
        if not len(generations):
            break
        found.extend(generations.tolist())
    return found


def test_thousands_of_results_without_repeats(index: HnswIndex) -> None:
    found = taken(index, 2_000)
    truth = exact(clustered(COUNT, DIM), clustered(1, DIM, seed=5), "cosine", k=2_000)[0]
    assert len(set(found)) == len(found) == 2_000
    assert len(set(found) & set(truth.tolist())) / 2_000 >= 0.95


def test_a_small_index_is_given_whole_in_order() -> None:
    index = HnswIndex(DIM)
    base = clustered(700, DIM)
    index.add(base)
    found = taken(index, 10_000, count=100)
    assert sorted(found) == list(range(1, 701))


@pytest.mark.parametrize("begin", [64, 5_056, 29_952])
def test_a_bitmap_that_begins_later_allows_nothing_before(index: HnswIndex, begin: int) -> None:
    """Whether the graph is walked or the allowed vectors are scanned."""
    query = clustered(1, DIM, seed=5)[0]
    for step in (1, 3, 500):
        allowed = np.arange(begin, COUNT + 1, step)
        words = bitmap(allowed)
        cut = words[begin // 64 :]
        found = taken(index, 200, query=query, allowed=cut, allowed_begin=begin)
        assert found == taken(index, 200, query=query, allowed=words)
        assert set(found) <= set(allowed.tolist())
        ours, scores = index.search(query, 10, allowed=cut, allowed_begin=begin)
        theirs, their_scores = index.search(query, 10, allowed=words)
        assert np.array_equal(ours, theirs)
        assert np.array_equal(scores, their_scores)


@pytest.mark.parametrize("share", [0.5, 0.05, 0.002])
def test_only_what_is_allowed_is_found_and_all_of_it(index: HnswIndex, share: float) -> None:
    allowed = np.flatnonzero(np.random.default_rng(3).random(COUNT) < share) + 1
    found = taken(index, 200, allowed=bitmap(allowed))
    assert set(found) <= set(allowed.tolist())
    truth = exact(clustered(COUNT, DIM)[allowed - 1], clustered(1, DIM, seed=5), "cosine", k=200)[0]
    expected = set(allowed[truth - 1].tolist())
    assert len(set(found[: len(expected)]) & expected) / len(expected) >= 0.95


def test_a_long_tail_does_not_end_the_walk_in_the_graph() -> None:
    base = np.random.default_rng(1).standard_normal((40_000, 16)).astype(np.float32)
    index = HnswIndex(16)
    index.add(base[:30_000])
    index.append(base[30_000:], 30_001, raw=base[30_000:])
    index.publish(40_000)
    assert index.indexed_generation == 30_000
    found, _ = index.search(base[:2_000], k=1, ef=64, max_generation=40_000)
    np.testing.assert_array_equal(found[:, 0], np.arange(1, 2_001))


@pytest.mark.parametrize("dim", [96, 320])
def test_all_of_a_long_tail_is_given_once_however_often_it_is_scanned(dim: int) -> None:
    base = clustered(6_000, dim)
    index = HnswIndex(dim)
    index.append(base, 1, raw=base)
    index.publish(6_000)
    index.delete(np.arange(1, 101), at=6_001)
    index.publish(6_001)
    cue = clustered(1, dim, seed=5)[0]
    found = taken(index, 10_000, count=100, query=cue, ef=400, max_generation=6_001)
    assert sorted(found) == list(range(101, 6_001))
    truth = exact(base[100:], cue[None], "cosine", k=1_000)[0] + 100
    assert len(set(found[:1_000]) & set(truth.tolist())) >= 950
    allowed = np.arange(7, 6_001, 7)
    found = taken(index, 10_000, count=100, query=cue, allowed=bitmap(allowed))
    assert sorted(found) == allowed[allowed > 100].tolist()


def test_what_comes_later_is_not_seen() -> None:
    index = HnswIndex(DIM)
    index.add(clustered(25_000, DIM))
    walk = index.walk(clustered(1, DIM, seed=5)[0])
    first = walk.next(10)[0].tolist()
    index.add(clustered(5_000, DIM, seed=7))
    index.delete(np.arange(1, 1_000), at=31_000)
    later = [g for _ in range(20) for g in walk.next(50)[0].tolist()]
    assert max(first + later) <= 25_000
    assert len(set(first + later)) == 1_010


def test_bad_arguments_are_named(index: HnswIndex) -> None:
    with pytest.raises(InvalidInput, match="query"):
        index.walk(np.zeros(3, dtype=np.float32))
    with pytest.raises(InvalidInput, match="count is 0"):
        index.walk(np.ones(DIM, dtype=np.float32)).next(0)
