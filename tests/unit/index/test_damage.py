"""Raw vectors are compared with their checksums before anything is ranked by them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from crc32c import crc32c
from numpy.typing import NDArray

from engram import _core
from engram.errors import CorruptData
from engram.index import CueTable, HnswIndex, RawVectors
from tests.doubles.vectors import clustered

COUNT = 3_000
DIM = 64
EF = 64


def indexed(raw_type: type = np.float32, linked: int = COUNT) -> tuple[HnswIndex, NDArray[np.float32], RawVectors]:
    """An index, its vectors, and the memory that stands for the file in which they lie."""
    vectors = clustered(COUNT, DIM)
    raw: RawVectors = vectors.astype(raw_type)
    index = HnswIndex(DIM, quality="fast")
    index.append(vectors, 1, raw=raw)
    index.publish(COUNT)
    while index.indexed_generation < linked:
        index.link(512)
    return index, vectors, raw


def flip(raw: NDArray[np.generic], row: int, byte: int = 5) -> None:
    raw.view(np.uint8).reshape(len(raw), -1)[row, byte] ^= 0x10


@pytest.mark.parametrize("raw_type", [np.float32, np.float16])
@pytest.mark.parametrize("linked", [0, COUNT])
@pytest.mark.parametrize("filtered", [False, True])
def test_a_search_leaves_out_what_is_damaged_and_names_it(raw_type: type, linked: int, filtered: bool) -> None:
    index, vectors, raw = indexed(raw_type, linked)
    allowed = np.full(COUNT // 64 + 1, 2**64 - 1, dtype=np.uint64) if filtered else None
    before, scores = index.search(vectors[100], k=5, allowed=allowed)
    assert before[0] == 101
    flip(raw, 100)
    with pytest.raises(CorruptData, match=r"generations 101 do not match") as raised:
        index.search(vectors[100], k=5, allowed=allowed)
    assert (raised.value.code, raised.value.value) == ("corrupt_data", "101")
    damaged: list[int] = []
    after, after_scores = index.search(vectors[100], k=4, allowed=allowed, damaged=damaged)
    assert damaged == [101]
    assert (after.tolist(), after_scores.tolist()) == (before[1:].tolist(), scores[1:].tolist())
    damaged.clear()
    index.search(-vectors[100], k=5, allowed=allowed, damaged=damaged)
    assert damaged == [], "a search says nothing about what it does not compare"


def test_many_queries_name_all_damage_once() -> None:
    index, vectors, raw = indexed()
    rows = [7, 8, 1_500, 2_999]
    for row in rows:
        flip(raw, row)
    damaged: list[int] = []
    generations, _ = index.search(vectors, k=3, threads=2, damaged=damaged)
    assert damaged == [row + 1 for row in rows]
    assert not np.isin(generations, damaged).any()


def test_a_message_names_a_few_of_many() -> None:
    index, vectors, raw = indexed()
    for row in range(COUNT):
        flip(raw, row)
    with pytest.raises(CorruptData, match=r"1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and \d+ more"):
        index.search(vectors, k=1)


def test_what_is_farther_takes_the_place_of_a_damaged_neighbourhood() -> None:
    index, vectors, raw = indexed()
    nearest, _ = index.search(vectors[0], k=60, ef=200)
    for generation in nearest[:50].tolist():
        flip(raw, generation - 1)
    damaged: list[int] = []
    found, _ = index.search(vectors[0], k=10, ef=200, damaged=damaged)
    assert set(nearest[:24].tolist()) <= set(damaged) <= set(nearest[:50].tolist())
    assert found.tolist() == nearest[50:60].tolist()


def test_a_walk_goes_on_behind_damage() -> None:
    index, vectors, raw = indexed()
    sound = set(range(1, COUNT + 1))
    for generation in index.search(vectors[0], k=100, ef=200)[0].tolist():
        flip(raw, generation - 1)
        sound.discard(generation)
    walk = index.walk(vectors[0])
    damaged: list[int] = []
    met: list[int] = []
    while len(found := walk.next(50, damaged=damaged)[0]):
        met.extend(found.tolist())
    assert (len(met), set(met)) == (len(sound), sound)
    assert (len(damaged), set(damaged) | sound) == (COUNT - len(sound), set(range(1, COUNT + 1)))


def test_a_walk_without_a_list_raises_and_can_go_on() -> None:
    index, vectors, raw = indexed()
    flip(raw, 0)
    walk = index.walk(vectors[0])
    with pytest.raises(CorruptData, match="generations 1 do"):
        walk.next(5)
    assert len(walk.next(5)[0]) == 5


def test_a_cue_is_not_matched_with_what_is_damaged() -> None:
    index, vectors, raw = indexed()
    cues = CueTable(DIM)
    cues.add(1, vectors[10], 0.99)
    cues.add(2, vectors[20], 0.99)
    flip(raw, 10)
    damaged: list[int] = []
    keys, generations, _ = index.match(cues, 1, COUNT, damaged)
    assert (11 in generations.tolist(), 21 in generations[keys == 2].tolist(), damaged) == (False, True, [11])
    with pytest.raises(CorruptData, match="generations 11 do"):
        index.match(cues, 1, COUNT)


@pytest.mark.parametrize("byte", range(0, DIM * 4, 17))
def test_each_byte_counts(byte: int) -> None:
    index, vectors, raw = indexed()
    flip(raw, 3, byte)
    damaged: list[int] = []
    index.search(vectors[3], k=1, damaged=damaged)
    assert damaged == [4]


def test_checksums_that_are_given_are_what_counts() -> None:
    vectors = clustered(100, DIM)
    sums = _core.crc32c_rows(vectors)
    sums[5] ^= 1
    index = HnswIndex(DIM)
    index.append(vectors, 1, raw=vectors, sums=sums)
    index.publish(100)
    damaged: list[int] = []
    index.search(vectors[5], k=1, damaged=damaged)
    assert damaged == [6]
    with pytest.raises(ValueError, match="sums have shape"):
        index.append(vectors, 101, raw=vectors, sums=sums[:50])


def test_compaction_carries_the_checksums() -> None:
    index, vectors, raw = indexed()
    index.delete(np.arange(1, 11), np.arange(COUNT + 1, COUNT + 11))
    index.publish(COUNT + 10)
    flip(raw, 50)
    assert index.compact() == 10
    damaged: list[int] = []
    index.search(vectors[50], k=1, damaged=damaged)
    assert damaged == [51]


def loaded_with(
    tmp_path: Path, sums: Callable[[RawVectors], NDArray[np.uint32] | None]
) -> tuple[HnswIndex, RawVectors]:
    index, _, raw = indexed()
    given = sums(raw)
    index.save(tmp_path / "graph", with_vectors=False)
    flip(raw, 7)
    return HnswIndex.load(tmp_path / "graph", [(1, raw, given)]), raw


def test_a_loaded_index_compares_with_the_checksums_it_is_given(tmp_path: Path) -> None:
    index, raw = loaded_with(tmp_path, _core.crc32c_rows)
    damaged: list[int] = []
    index.search(clustered(COUNT, DIM)[7], k=1, damaged=damaged)
    assert damaged == [8]
    flip(raw, 7)
    assert index.search(clustered(COUNT, DIM)[7], k=1)[0].tolist() == [8]


def test_a_loaded_index_without_checksums_takes_what_it_reads_for_right(tmp_path: Path) -> None:
    index, raw = loaded_with(tmp_path, lambda _: None)
    index.search(clustered(COUNT, DIM)[7], k=1)
    flip(raw, 9)
    with pytest.raises(CorruptData, match="generations 10 do"):
        index.search(clustered(COUNT, DIM)[9], k=1)


def test_damage_is_not_written_to_a_checkpoint(tmp_path: Path) -> None:
    index, vectors, raw = indexed()
    index.save(tmp_path / "graph")
    before = (tmp_path / "graph").read_bytes()
    flip(raw, 70)
    with pytest.raises(CorruptData, match="generation 71 is damaged"):
        index.save(tmp_path / "graph")
    assert (tmp_path / "graph").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["graph"]
    assert HnswIndex.load(tmp_path / "graph").search(vectors[70], k=1)[0].tolist() == [71]


def test_a_checkpoint_that_stands_alone_has_checksums(tmp_path: Path) -> None:
    index, vectors, _ = indexed(np.float16)
    path = tmp_path / "graph"
    index.save(path)
    content = bytearray(path.read_bytes())
    vectors_at = len(content) - COUNT * (4 * DIM + 4)
    content[vectors_at + 500 * 4 * DIM + 3] ^= 1
    path.write_bytes(content)
    loaded = HnswIndex.load(path)
    damaged: list[int] = []
    loaded.search(vectors[500], k=1, damaged=damaged)
    assert damaged == [501]
    loaded.compact()
    damaged.clear()
    assert loaded.search(vectors[500], k=1, damaged=damaged)[0].tolist() != [501]
    assert damaged == [501], "copying what is damaged does not make it right"


def test_a_checkpoint_from_before_there_were_checksums_opens(tmp_path: Path) -> None:
    index, vectors, _ = indexed()
    path = tmp_path / "graph"
    index.save(path)
    content = bytearray(path.read_bytes()[: -4 * COUNT])
    struct.pack_into("<Q", content, 88, len(content))
    total = 0xCBF29CE484222325
    for byte in content[:104]:
        total = (total ^ byte) * 0x100000001B3 % 2**64
    struct.pack_into("<Q", content, 104, total)
    path.write_bytes(content)
    assert HnswIndex.load(path).search(vectors[::100], k=1)[0][:, 0].tolist() == list(range(1, COUNT + 1, 100))


def test_sums_are_those_of_the_package(tmp_path: Path) -> None:
    index, _, raw = indexed()
    index.save(tmp_path / "graph")
    sums = np.frombuffer((tmp_path / "graph").read_bytes()[-4 * COUNT :], dtype="<u4")
    assert sums[:20].tolist() == [crc32c(row.tobytes()) for row in raw[:20]]


@pytest.mark.parametrize("shift", [0, 1, 2, 3])
def test_vectors_at_any_address_are_summed_as_what_they_are(shift: int) -> None:
    """As those of a message that came over the network."""
    vectors = np.random.default_rng(1).standard_normal((100, 16)).astype(np.float32)
    data = np.frombuffer(bytes(shift) + vectors.tobytes(), np.float32, vectors.size, shift).reshape(vectors.shape)
    index = HnswIndex(16)
    index.append(data, 1, raw=vectors)
    index.publish(100)
    assert index.search(vectors[7], k=1)[0].tolist() == [8]
