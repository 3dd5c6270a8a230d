"""Compaction: what lives stays, what died before the horizon goes, and nobody notices the move."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from engram.index import HnswIndex
from tests.doubles.vectors import clustered, exact, recall_of

DIM = 64


@pytest.mark.parametrize("mapped", [False, True])
def test_the_dead_are_left_behind(mapped: bool) -> None:
    base = clustered(8_000, DIM)
    index = HnswIndex(DIM)
    index.append(base, 1, raw=base if mapped else None)
    index.publish(8_000)
    while index.link(512):
        pass
    dead = np.arange(1, 8_001, 2)
    index.delete(dead, at=8_001)
    index.publish(8_001)
    before = index.nbytes
    assert index.dead_count == 4_000
    assert index.compact(threads=2) == 4_000
    assert (len(index), index.dead_count, index.indexed_generation) == (4_000, 0, 8_001)
    assert index.nbytes < before
    assert index.statistics().unreachable == 0
    queries = clustered(50, DIM, seed=2)
    living = np.arange(2, 8_001, 2)
    truth = living[exact(base[living - 1], queries, "cosine") - 1]
    assert recall_of(index.search(queries, ef=128)[0], truth) >= 0.95


def test_younger_deaths_are_kept_for_older_snapshots() -> None:
    base = clustered(3_000, DIM)
    index = HnswIndex(DIM)
    index.add(base)
    index.delete(np.arange(1, 101), at=3_001)
    index.delete(np.arange(101, 201), at=3_002)
    index.publish(3_002)
    # One of those that would be kept.
    index.erase([150])
    assert [index.droppable_count(horizon) for horizon in (0, 3_000, 3_001, 3_002, None)] == [1, 1, 101, 200, 200]
    assert index.compact(horizon=3_001) == 101
    assert (index.droppable_count(3_001), index.droppable_count()) == (0, 99)
    then = index.search(base[150], k=1, max_generation=3_001)[0]
    now = index.search(base[150], k=1)[0]
    assert then[0] == 151
    assert now[0] != 151


def test_nothing_that_is_added_during_moves_is_lost() -> None:
    base = clustered(30_000, DIM)
    index = HnswIndex(DIM, quality="fast")
    index.add(base[:2_000])
    adder = threading.Thread(target=index.add, args=(base[2_000:], 1))
    adder.start()
    while adder.is_alive():
        index.compact()
    assert (index.visible_generation, len(index)) == (30_000, 30_000)
    while index.link(512):
        pass
    assert index.indexed_generation == 30_000
    sample = np.arange(0, 30_000, 37)
    assert (index.search(base[sample], k=1)[0][:, 0] == sample + 1).mean() >= 0.99


def test_a_move_ends_though_as_much_is_written_as_is_linked() -> None:
    base = clustered(40_000, DIM)
    index = HnswIndex(DIM, quality="fast")
    index.add(base[:6_000])

    def write_on() -> bool:
        # Somewhat more than is linked before this is asked again.
        first = index.visible_generation
        index.append(base[first : first + 600], first + 1)
        index.publish(min(first + 600, len(base)))
        index.link(600)
        return True

    index.compact(go_on=write_on)
    assert 12_000 < index.visible_generation < 30_000
    # What counts as linked is, though nothing more is written.
    assert index._graph.native.indexed_generation == index.indexed_generation


def test_inserts_deletes_and_walks_go_on_during_the_move() -> None:
    base, fresh = clustered(25_000, DIM), clustered(6_000, DIM, seed=9)
    index = HnswIndex(DIM)
    index.add(base)
    index.delete(np.arange(1, 10_001), at=25_001)
    index.publish(25_001)
    walk = index.walk(base[20_000])
    seen = walk.next(10)[0].tolist()
    mover = threading.Thread(target=index.compact)
    mover.start()
    generation = 25_001
    for start in range(0, 6_000, 500):
        index.append(fresh[start : start + 500], generation + 1)
        index.publish(generation + 500)
        index.delete([generation - 1], at=generation + 500)
        generation += 500
        watermark = index.indexed_generation
        index.link(100)
        assert index.indexed_generation >= watermark
    mover.join()
    while index.link(512):
        pass
    assert index.indexed_generation == index.visible_generation == generation
    assert index.live_count == 15_000 + 6_000 - 12
    found = index.search(fresh, k=1)[0][:, 0]
    expected = np.arange(25_002, 31_002)
    alive = ~np.isin(expected, [25_000 + 500 * i for i in range(12)])
    assert (found[alive] == expected[alive]).mean() > 0.995
    assert not np.isin(found, expected[~alive]).any()
    seen += [g for _ in range(10) for g in walk.next(50)[0].tolist()]
    assert len(set(seen)) == 510
    assert min(seen) > 10_000


def test_what_is_appended_but_not_published_moves_too() -> None:
    index = HnswIndex(DIM)
    base = clustered(1_200, DIM)
    index.add(base[:1_000])
    index.delete(np.arange(1, 501), at=1_001)
    index.publish(1_001)
    index.append(base[1_000:], 1_002)
    assert index.compact() == 500
    assert len(index) == 500
    assert index.search(base[1_100], k=1)[0][0] != 1_102
    index.publish(1_201)
    assert len(index) == 700
    assert index.search(base[1_100], k=1)[0][0] == 1_102


def test_an_abandoned_move_changes_nothing() -> None:
    index = HnswIndex(DIM)
    index.add(clustered(2_000, DIM))
    index.delete([5], at=2_001)
    index.publish(2_001)
    assert index.compact(go_on=lambda: False) == 0
    assert index.dead_count == 1


def test_a_checkpoint_after_the_move_is_whole(tmp_path: Path) -> None:
    base = clustered(3_000, DIM)
    index = HnswIndex(DIM)
    index.add(base)
    index.delete(np.arange(1, 1_001), at=3_001)
    index.publish(3_001)
    index.compact()
    assert index.save(tmp_path / "graph") == 3_001
    loaded = HnswIndex.load(tmp_path / "graph")
    assert len(loaded) == 2_000
    assert loaded.compact() == 0  # Its vectors lie in the file; moving copies them.
    np.testing.assert_array_equal(loaded.search(base[1_000:1_100], k=1)[0][:, 0], np.arange(1_001, 1_101))
