"""What whoever comes from another index expects: numbers of their own, vectors that come back, pickles and copies."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from engram.errors import CorruptData, InvalidInput, NotFound
from engram.index import HnswIndex
from engram.model.spaces import METRICS, Metric
from tests.doubles.vectors import clustered


@pytest.mark.parametrize("metric", METRICS)
def test_vectors_come_back_as_they_were_given(metric: Metric) -> None:
    base = clustered(5_000, 16) * 3
    index = HnswIndex(16, metric)
    index.add(base[:3_000])
    index.append(base[3_000:], 3_001)
    index.publish(5_000)
    wanted = np.array([5_000, 1, 3_001, 1, 2_049])
    np.testing.assert_array_equal(index.vectors(wanted), base[wanted - 1])
    found, _ = index.search(base[:20], k=5)
    assert index.vectors(found[7]).shape == (5, 16)
    none = index.vectors([])
    assert none.shape == (0, 16)
    assert none.dtype == np.float32
    np.testing.assert_array_equal(index.vectors(7), base[6:7])


def test_vectors_that_lie_elsewhere_come_back_too() -> None:
    base = clustered(100, 16)
    index = HnswIndex(16)
    halves = base.astype(np.float16)
    index.append(base, 1, raw=halves)
    index.publish(100)
    np.testing.assert_array_equal(index.vectors([1, 100]), halves[[0, 99]].astype(np.float32))
    halves.view(np.uint8)[9, 3] ^= 1
    with pytest.raises(CorruptData, match="generations 10 do not match"):
        index.vectors([1, 10])
    damaged: list[int] = []
    found = index.vectors([10, 2], damaged)
    assert (damaged, found[0].any()) == ([10], False)
    np.testing.assert_array_equal(found[1], halves[1].astype(np.float32))


def test_only_what_is_alive_has_a_vector() -> None:
    index = HnswIndex(3)
    index.add(np.eye(3))
    index.append(np.ones((1, 3), np.float32), 4)
    index.append_unreadable([9])
    index.delete([2], 4)
    for generation in (0, 2, 4, 5):
        with pytest.raises(NotFound, match=f"no version {generation} is alive") as refusal:
            index.vectors([1, generation])
        assert (refusal.value.field, refusal.value.value) == ("generations", str(generation))
    index.publish(9)
    with pytest.raises(CorruptData):
        index.vectors([9])
    damaged: list[int] = []
    assert index.vectors([1, 9, 4], damaged).tolist() == [[1, 0, 0], [0, 0, 0], [1, 1, 1]]
    assert damaged == [9]


def test_vectors_survive_a_compaction_and_a_checkpoint(tmp_path: Any) -> None:
    base = clustered(500, 8)
    index = HnswIndex(8)
    index.add(base)
    index.delete(np.arange(1, 251), 501)
    index.publish(501)
    assert index.compact() == 250
    wanted = np.arange(251, 501)
    np.testing.assert_array_equal(index.vectors(wanted), base[250:])
    index.save(tmp_path / "graph")
    np.testing.assert_array_equal(HnswIndex.load(tmp_path / "graph").vectors(wanted), base[250:])


def test_vectors_may_be_added_under_numbers_of_ones_own() -> None:
    base = clustered(5_000, 16)
    labels = np.arange(5_000) * 7 + 100
    index = HnswIndex(16)
    assert index.add(base[:4_000], generations=labels[:4_000]) == 100
    assert index.add(base[4_000:], generations=labels[4_000:].tolist()) == 28_100
    found, _ = index.search(base[::50])
    assert (found[:, 0] == labels[::50]).mean() > 0.95
    np.testing.assert_array_equal(index.vectors(labels[::-1]), base[::-1])
    assert index.add(base[:2]) == labels[-1] + 1
    assert (len(index), index.statistics().unreachable) == (5_002, 0)
    assert index.add(np.empty((0, 16)), generations=[]) == labels[-1] + 3


@pytest.mark.parametrize("generations", [[0, 1], [3, 4], [2, 3], [5, 5], [6, 5], [7], [4.0, 5.0], "ab"])
def test_numbers_that_do_not_rise_are_refused(generations: Any) -> None:
    index = HnswIndex(3)
    index.add(np.eye(3))
    with pytest.raises(InvalidInput) as refusal:
        index.add(np.eye(3)[:2], generations=generations)
    assert refusal.value.field == "generations"
    assert len(index) == 3


def test_behind_the_last_number_there_is_no_room() -> None:
    index = HnswIndex(3)
    index.add(np.eye(3)[:2], generations=[1, 2**63 - 2])
    with pytest.raises(InvalidInput, match="no room for 2 more") as refusal:
        index.add(np.eye(3)[:2])
    assert (refusal.value.field, len(index)) == ("vectors", 2)
    assert index.add(np.eye(3)[:1]) == 2**63 - 1


@pytest.mark.parametrize(
    "again",
    [lambda index: pickle.loads(pickle.dumps(index)), copy.copy, copy.deepcopy],  # noqa: S301  (Its own pickle.)
    ids=["pickle", "copy", "deepcopy"],
)
def test_an_index_can_be_pickled_and_copied(again: Callable[[HnswIndex], HnswIndex]) -> None:
    base = clustered(3_000, 16)
    index = HnswIndex(16, "ip")
    index.add(base)
    index.delete([1, 2, 3], 3_001)
    # Not linked yet.
    index.append(base[:10], 3_002)
    index.publish(3_011)
    other = again(index)
    assert (repr(other), other.live_count) == (repr(index), index.live_count)
    known, copied = (each.search(base[10:60], k=1)[0] for each in (index, other))
    np.testing.assert_array_equal(known, copied)
    np.testing.assert_array_equal(other.vectors([3_000, 3_011]), base[[2_999, 9]])
    assert other.add(base[:5]) == 3_012
    assert len(index) == 3_010


def test_an_index_that_lacks_vectors_is_not_pickled() -> None:
    index = HnswIndex(3)
    index.add(np.eye(3))
    index.append_unreadable([9])
    with pytest.raises(CorruptData):
        pickle.dumps(index)
