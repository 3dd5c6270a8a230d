"""Scans that a second thread takes part in find what one thread finds, also where there is no second thread."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from engram import _core
from engram.index import HnswIndex
from tests.doubles.vectors import bitmap, clustered, exact

DIM, COUNT, K = 16, 120_000, 10
BASE, QUERIES = clustered(COUNT, DIM), clustered(20, DIM, seed=2)
ALLOWED = np.flatnonzero(np.random.default_rng(4).random(COUNT) < 0.4) + 1

Found = tuple[NDArray[np.int64], NDArray[np.float32]]


@pytest.fixture(scope="module")
def index() -> HnswIndex:
    """An index of which nothing is linked, so that every search compares all that pass."""
    made = HnswIndex(DIM)
    made.append(BASE, 1)
    made.publish(COUNT)
    return made


def _search(
    index: HnswIndex, threads: int, allowed: NDArray[np.int64] = ALLOWED, max_generation: int = COUNT
) -> list[Found]:
    passing = bitmap(allowed)
    return [
        index.search(query, k=K, ef=64, threads=threads, allowed=passing, max_generation=max_generation)
        for query in QUERIES
    ]


def _assert_equal(found: list[Found], expected: list[Found]) -> None:
    for (generations, scores), (expected_generations, expected_scores) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(generations, expected_generations)
        np.testing.assert_array_equal(scores, expected_scores)


@pytest.mark.parametrize("share", [1, 2, 5])
def test_two_threads_find_what_one_finds(index: HnswIndex, share: int) -> None:
    allowed = ALLOWED[::share]
    found = _search(index, 2, allowed)
    _assert_equal(found, _search(index, 1, allowed))
    nearest = allowed[exact(BASE[allowed - 1], QUERIES, "cosine", K) - 1]
    assert np.isin([generations for generations, _ in found], nearest).mean() >= 0.95


def test_what_is_hidden_stays_hidden(index: HnswIndex) -> None:
    found = _search(index, 2, max_generation=COUNT // 2)
    _assert_equal(found, _search(index, 1, max_generation=COUNT // 2))
    assert max(generations.max() for generations, _ in found) <= COUNT // 2


def test_more_than_one_pass_is_shared(index: HnswIndex) -> None:
    # A pass keeps a part of what it meets; the rest comes from the next ones.
    passing = bitmap(ALLOWED)
    one, two = (index.search(QUERIES[0], k=9_000, ef=9_000, threads=threads, allowed=passing) for threads in (1, 2))
    _assert_equal([two], [one])
    assert len(set(two[0].tolist())) == 9_000


def test_several_searches_share_one_second_thread(index: HnswIndex) -> None:
    expected, found = _search(index, 1), list[list[Found]]()
    searching = [threading.Thread(target=lambda: found.append(_search(index, 2))) for _ in range(4)]
    for thread in searching:
        thread.start()
    for thread in searching:
        thread.join()
    assert len(found) == 4
    for one in found:
        _assert_equal(one, expected)


def _columns() -> list[NDArray[np.uint64]]:
    """Masks of columns that are so long that two threads compare them."""
    rng = np.random.default_rng(5)
    values, numbers = rng.integers(0, 100, 300_001).astype(np.float64), rng.integers(0, 100, 600_001, dtype=np.int32)
    wanted = rng.integers(0, 2**32, 4, dtype=np.uint32)
    masks = [
        _core.bits_within(values, 20.0, 30.0),
        _core.bits_wanted_of(values, 0.0, wanted),
        _core.bits_wanted(numbers, wanted),
    ]
    is_wanted = np.unpackbits(wanted.view(np.uint8), bitorder="little").astype(bool)
    expected = [(values >= 20) & (values <= 30), is_wanted[values.astype(int)], is_wanted[numbers]]
    for mask, passes in zip(masks, expected, strict=True):
        bits = np.unpackbits(mask.view(np.uint8), bitorder="little").astype(bool)
        np.testing.assert_array_equal(bits[: len(passes)], passes)
        assert not bits[len(passes) :].any()
    return masks


def test_long_columns_are_compared_as_short_ones() -> None:
    _columns()


def _exit_code_of_a_fork(work: Callable[[], object]) -> int | None:
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join(60)
    if child.is_alive():
        child.kill()
        child.join()
    return child.exitcode


def test_a_forked_child_does_all_alone(index: HnswIndex) -> None:
    expected = _search(index, 2)
    _columns()

    def work() -> None:
        _assert_equal(_search(index, 2), expected)
        _columns()

    assert _exit_code_of_a_fork(work) == 0


def test_a_fork_in_the_middle_of_scans_does_not_hang(index: HnswIndex) -> None:
    expected, ended = _search(index, 2), threading.Event()

    def search() -> None:
        while not ended.is_set():
            _search(index, 2)

    def work() -> None:
        _assert_equal(_search(index, 2), expected)

    searching = threading.Thread(target=search)
    searching.start()
    try:
        codes = [_exit_code_of_a_fork(work) for _ in range(5)]
    finally:
        ended.set()
        searching.join()
    assert codes == [0] * 5
