"""The centre of the codes: whether it tells something of vectors that are gone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engram.index import HnswIndex
from engram.model.spaces import Metric
from tests.doubles.vectors import clustered, exact, recall_of

DIM = 64
COUNT = 300
# The header of a checkpoint; what the centre is the mean of follows it.
HEADER_BYTES = 112
NOTE_BYTES = 16


def index_of(first: int, metric: Metric = "l2") -> HnswIndex:
    """An index whose first append has `first` vectors."""
    index, base = HnswIndex(DIM, metric), clustered(COUNT, DIM)
    index.append(base[:first], 1)
    index.append(base[first:], first + 1)
    index.publish(COUNT)
    while index.link(512):
        pass
    return index


def test_one_vector_is_its_own_mean(tmp_path: Path) -> None:
    index = index_of(1)
    index.save(tmp_path / "graph", with_vectors=False)
    assert clustered(COUNT, DIM)[0].tobytes() in (tmp_path / "graph").read_bytes()
    assert not index.remembers_erased
    index.erase([2])
    assert not index.remembers_erased
    index.erase([1])
    assert index.remembers_erased


@pytest.mark.parametrize(
    ("first", "metric", "remembers"), [(63, "l2", True), (64, "l2", False), (1, "cosine", False), (1, "ip", False)]
)
def test_the_mean_of_many_tells_nothing(first: int, metric: Metric, remembers: bool) -> None:
    index = index_of(first, metric)
    assert not index.remembers_erased
    index.erase([first])
    assert index.remembers_erased is remembers


def test_it_is_known_of_a_graph_that_was_saved_or_compacted(tmp_path: Path) -> None:
    index = index_of(5)
    index.save(tmp_path / "sound")
    assert not HnswIndex.load(tmp_path / "sound").remembers_erased
    index.erase([5])
    index.save(tmp_path / "graph")
    loaded = HnswIndex.load(tmp_path / "graph")
    assert loaded.remembers_erased
    assert loaded.compact(0) == 1
    assert loaded.remembers_erased
    index = index_of(5)
    index.delete([3], at=COUNT + 1)
    index.publish(COUNT + 1)
    assert not index.remembers_erased
    index.compact()
    assert index.remembers_erased, "the version may be erased afterwards, and nobody would look for it"


def test_of_a_vector_that_was_dropped_it_tells_as_much() -> None:
    index, base = HnswIndex(DIM, "l2"), clustered(COUNT, DIM)
    index.append(base[:1], 1, base[:1])
    index.append(base[1:], 2, base[1:])
    index.publish(COUNT)
    index.relocate(1, COUNT, [(2, base[1:].copy())], [])
    assert index.remembers_erased


def test_a_file_that_does_not_say_it_may_tell_anything(tmp_path: Path) -> None:
    index_of(200).save(tmp_path / "graph")
    saved = bytearray((tmp_path / "graph").read_bytes())
    assert any(saved[HEADER_BYTES : HEADER_BYTES + NOTE_BYTES])
    saved[HEADER_BYTES : HEADER_BYTES + NOTE_BYTES] = bytes(NOTE_BYTES)
    (tmp_path / "old").write_bytes(saved)
    assert not HnswIndex.load(tmp_path / "graph").remembers_erased
    assert HnswIndex.load(tmp_path / "old").remembers_erased


def test_a_centre_can_be_given_before_the_first_vectors(tmp_path: Path) -> None:
    base = clustered(COUNT, DIM) + np.float32(50.0)
    index = HnswIndex(DIM, "l2")
    index.centre_on(base[:100], 100)
    for row in range(COUNT):
        index.append(base[row : row + 1], row + 1)
        index.publish(row + 1)
    while index.link(512):
        pass
    queries = clustered(50, DIM, seed=2) + np.float32(50.0)
    assert recall_of(index.search(queries, ef=128)[0], exact(base, queries, "l2")) >= 0.95
    index.erase([1])
    assert not index.remembers_erased
    index.centre_on(base[:1], 1)
    index.save(tmp_path / "graph", with_vectors=False)
    assert base[0].tobytes() not in (tmp_path / "graph").read_bytes(), "it is too late for another one"


def test_vectors_that_were_discarded_make_no_centre(tmp_path: Path) -> None:
    index, base = HnswIndex(DIM, "l2"), clustered(COUNT, DIM)
    index.append(base[:1], 1)
    index.discard()
    index.append(base[1:], 1)
    index.publish(COUNT - 1)
    while index.link(512):
        pass
    index.save(tmp_path / "graph", with_vectors=False)
    assert base[0].tobytes() not in (tmp_path / "graph").read_bytes()
