"""A search for many vectors finds the same on several threads as on one, and as a search for each."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from numpy.typing import NDArray

from engram.errors import InvalidInput
from engram.index import HnswIndex
from tests.doubles.vectors import bitmap, clustered

DIM = 32
BASE, QUERIES = clustered(4_000, DIM), clustered(100, DIM, seed=2)


@pytest.fixture(scope="module")
def index() -> HnswIndex:
    """An index of which a quarter is not linked."""
    made = HnswIndex(DIM)
    made.add(BASE[:3_000])
    made.append(BASE[3_000:], 3_001)
    made.publish(4_000)
    return made


@pytest.mark.parametrize("threads", [1, 2, 3, 64])
@pytest.mark.parametrize("allowed", [None, np.arange(1, 4_001, 7)], ids=["all", "few"])
def test_threads_change_nothing(index: HnswIndex, threads: int, allowed: NDArray[np.int64] | None) -> None:
    passing = None if allowed is None else bitmap(allowed)
    alone = [index.search(query, k=10, ef=64, allowed=passing) for query in QUERIES]
    for count in (1, 2, 100):
        generations, scores = index.search(QUERIES[:count], k=10, ef=64, allowed=passing, threads=threads)
        np.testing.assert_array_equal(generations, [found for found, _ in alone[:count]])
        np.testing.assert_array_equal(scores, [score for _, score in alone[:count]])


def test_no_vectors_find_nothing(index: HnswIndex) -> None:
    generations, scores = index.search(np.empty((0, DIM), np.float32), k=10, threads=2)
    assert generations.shape == scores.shape == (0, 10)


def test_several_searches_on_several_threads_go_on_at_the_same_time(index: HnswIndex) -> None:
    expected, _ = index.search(QUERIES, k=5)
    found: list[NDArray[np.int64]] = []

    def search() -> None:
        found.append(index.search(QUERIES, k=5, threads=4)[0])

    searching = [threading.Thread(target=search) for _ in range(4)]
    for thread in searching:
        thread.start()
    for thread in searching:
        thread.join()
    assert len(found) == 4
    for generations in found:
        np.testing.assert_array_equal(generations, expected)


def test_a_vector_that_cannot_be_compared_is_refused_whatever_the_threads(index: HnswIndex) -> None:
    for threads in (1, 2):
        with pytest.raises(InvalidInput):
            index.search(QUERIES[:, :3], threads=threads)
