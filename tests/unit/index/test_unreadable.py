"""Versions whose vectors could not be read: whatever might find one says that it lacks it, and nothing else does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engram.errors import CorruptData
from engram.index import CueTable, HnswIndex
from tests.doubles.vectors import bitmap, clustered

COUNT, DIM = 200, 16
LACKING = [70, 130]
VECTORS = clustered(COUNT, DIM)
QUERY = VECTORS[0]


@pytest.fixture(params=[False, True], ids=["tail", "graph"])
def index(request: pytest.FixtureRequest) -> HnswIndex:
    """An index that lacks two of its versions."""
    index = HnswIndex(DIM)
    for first, last in ((1, 69), (71, 129), (131, COUNT)):
        index.append(VECTORS[first - 1 : last], first)
    index.append_unreadable(LACKING)
    index.publish(COUNT)
    while request.param and index.link(512):
        pass
    return index


def left_out(index: HnswIndex, **options: Any) -> list[int]:
    """What a search leaves out as damaged."""
    damaged: list[int] = []
    index.search(QUERY, k=5, damaged=damaged, **options)
    return damaged


def test_a_search_leaves_out_what_it_might_have_found_however_far_it_looks(index: HnswIndex) -> None:
    for query in (QUERY, -QUERY, VECTORS[LACKING[0] - 1]):
        with pytest.raises(CorruptData, match=r"generations 70, 130 do not match"):
            index.search(query, k=1)
        damaged: list[int] = []
        found, _ = index.search(query, k=COUNT, ef=COUNT, damaged=damaged)
        assert damaged == LACKING
        assert sorted(found.tolist()) == [0, 0, *(one for one in range(1, COUNT + 1) if one not in LACKING)]
    assert (len(index), index.unreadable_count) == (COUNT - 2, 2)


def test_the_watermark_passes_over_them(index: HnswIndex) -> None:
    while index.link(512):
        pass
    assert index.indexed_generation == COUNT


def test_what_a_snapshot_or_a_filter_hides_is_not_lacking(index: HnswIndex) -> None:
    assert left_out(index, max_generation=69) == []
    assert left_out(index, max_generation=129) == [70]
    assert left_out(index, allowed=bitmap(np.array([1, 70]))) == [70]
    assert left_out(index, allowed=bitmap(np.array([1, 69, 71]))) == []
    # The second bit of a bitmap that begins with generation 128.
    assert left_out(index, allowed=bitmap(np.array([2])), allowed_begin=128) == [130]
    assert left_out(index, allowed=bitmap(np.array([2])), allowed_begin=192) == []


def test_they_end_and_are_erased_as_others_are(index: HnswIndex) -> None:
    assert index.delete([69, 70, 1000], at=COUNT + 1) == 2
    assert index.delete([69, 70], at=100) == 0
    index.publish(COUNT + 1)
    assert (left_out(index), left_out(index, max_generation=COUNT)) == ([130], LACKING)
    index.erase([130])
    assert (left_out(index), left_out(index, max_generation=COUNT)) == ([], [70])
    assert index.compact(horizon=COUNT) == 0
    assert index.unreadable_count == 1
    index.compact()
    assert index.unreadable_count == 0


def test_what_can_be_read_again_at_another_place_is_lacking_all_the_same(index: HnswIndex) -> None:
    """Rewriting a segment hands all of its vectors to the index. Of those that it lacks, it has no code."""
    index.relocate(60, COUNT, [(60, VECTORS[59:].copy())], [])
    damaged: list[int] = []
    found, _ = index.search(QUERY, k=COUNT, ef=COUNT, damaged=damaged)
    assert damaged == LACKING
    assert sorted(found.tolist()) == [0, 0, *(one for one in range(1, COUNT + 1) if one not in LACKING)]
    for row in (60, 69, 71, 131, COUNT):
        nearest, scores = index.search(VECTORS[row - 1], k=1, damaged=[])
        assert (nearest[0], scores[0]) == (row, pytest.approx(1.0, abs=1e-5))


def test_a_compaction_keeps_those_that_are_alive(index: HnswIndex) -> None:
    index.delete([1, 2], at=COUNT + 1)
    index.publish(COUNT + 1)
    assert index.compact() == 2
    assert left_out(index) == LACKING


def test_a_walk_tells_of_them_once_and_goes_on(index: HnswIndex) -> None:
    walk = index.walk(QUERY, max_generation=129)
    damaged: list[int] = []
    met: list[int] = []
    while len(found := walk.next(50, damaged=damaged)[0]):
        met.extend(found.tolist())
    assert (damaged, sorted(met)) == ([70], [one for one in range(1, 130) if one != 70])
    strict = index.walk(QUERY)
    with pytest.raises(CorruptData, match="generations 70, 130 do not match"):
        strict.next(5)
    assert len(strict.next(5)[0]) == 5


def test_cues_may_match_them(index: HnswIndex) -> None:
    cues = CueTable(DIM)
    cues.add(1, QUERY, 0.99)
    damaged: list[int] = []
    _, generations, _ = index.match(cues, 1, 129, damaged)
    assert (damaged, 1 in generations.tolist()) == ([70], True)
    index.match(cues, 71, 129)
    with pytest.raises(CorruptData):
        index.match(cues, 70, 70)


def test_they_are_named_together_with_what_is_damaged_later(index: HnswIndex) -> None:
    raw = VECTORS[:1].copy()
    index.append(VECTORS[:1], COUNT + 1, raw=raw)
    index.publish(COUNT + 1)
    raw[0, 0] += 1
    assert left_out(index) == [*LACKING, COUNT + 1]


def test_a_checkpoint_that_would_not_tell_of_them_is_not_written(index: HnswIndex, tmp_path: Path) -> None:
    with pytest.raises(CorruptData, match="the vectors of 2 versions could not be read"):
        index.save(tmp_path / "graph")
    with (tmp_path / "other").open("wb") as file, pytest.raises(CorruptData):
        index.save_into(file.fileno())
    assert [(path.name, path.stat().st_size) for path in tmp_path.iterdir()] == [("other", 0)]
