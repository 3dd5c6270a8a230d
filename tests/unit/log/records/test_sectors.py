"""Checksums of sectors: the native checks against what the layout says, and on records that lie about themselves."""

from __future__ import annotations

import itertools
import os
import struct
import subprocess
import sys
from dataclasses import dataclass
from random import Random

import numpy as np
import pytest
from crc32c import crc32c
from numpy.typing import NDArray

from engram import _core

SECTOR = 512
HEADER_SUMS_AT, HEADER_SUMS, TABLE_SUMS = 320, 48, 127
RIGHT = -1


@dataclass
class Placed:
    """A record in a file, made by the definition of its layout."""

    memory: bytearray
    position: int
    salt: int
    sectors: int
    tables: int

    @property
    def payload(self) -> int:
        return self.position + SECTOR * (1 + self.tables)

    @property
    def end(self) -> int:
        return self.payload + SECTOR * self.sectors


def place(
    sectors: int, *, position: int = 3 * SECTOR, salt: int = 0xFFFFFFF0, behind: int = 2, seed: int = 1
) -> Placed:
    tables = max(0, -(-(sectors - HEADER_SUMS) // TABLE_SUMS))
    begin = position + SECTOR * (1 + tables)
    memory = bytearray(begin + SECTOR * (sectors + behind))
    memory[begin : begin + SECTOR * sectors] = Random(seed).randbytes(SECTOR * sectors)
    struct.pack_into("<II", memory, position + 8, sectors, tables)
    for k in range(sectors):
        at = begin + SECTOR * k
        total = crc32c(bytes(memory[at : at + SECTOR]), (salt + at // SECTOR) & 0xFFFFFFFF)
        if k < HEADER_SUMS:
            struct.pack_into("<I", memory, position + HEADER_SUMS_AT + 4 * k, total)
        else:
            table, slot = divmod(k - HEADER_SUMS, TABLE_SUMS)
            struct.pack_into("<I", memory, position + SECTOR * (1 + table) + 4 * slot, total)
    for table in range(tables):
        at = position + SECTOR * (1 + table)
        total = crc32c(bytes(memory[at : at + 508]), (salt + at // SECTOR) & 0xFFFFFFFF)
        struct.pack_into("<I", memory, at + 508, total)
    return Placed(memory, position, salt, sectors, tables)


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32])
@pytest.mark.parametrize("shape", [(0, 5), (1, 1), (2, 7), (3, 16), (101, 33), (4, 768), (5, 0)])
def test_rows_have_the_checksums_of_their_bytes(dtype: type, shape: tuple[int, int]) -> None:
    matrix: NDArray[np.uint8] = np.random.default_rng(1).integers(0, 250, shape).astype(dtype)
    assert _core.crc32c_rows(matrix).tolist() == [crc32c(row.tobytes()) for row in matrix]


def test_rows_are_asked_for_in_one_piece() -> None:
    with pytest.raises(ValueError, match="two dimensions"):
        _core.crc32c_rows(np.zeros(4, dtype=np.float32))
    with pytest.raises((ValueError, BufferError)):
        _core.crc32c_rows(np.zeros((4, 4), dtype=np.float32)[:, ::2])


@pytest.mark.parametrize("salt", [0, 7, 0xFFFFFFFE])
@pytest.mark.parametrize("cuts", [[], [512], [1, 2, 3], [100, 700, 701, 5000, 12000], [511, 513]])
def test_sums_do_not_depend_on_how_the_bytes_are_cut(salt: int, cuts: list[int]) -> None:
    whole = Random(3).randbytes(50 * SECTOR)
    edges = [0, *cuts, len(whole)]
    cut = [whole[a:b] for a, b in itertools.pairwise(edges)]
    parts: list[bytes | bytearray | memoryview | NDArray[np.uint8]]
    parts = [b"", memoryview(cut[0]), bytearray().join(cut[1:-1]), np.frombuffer(b"".join(cut[1:][-1:]), np.uint8)]
    expected = [crc32c(whole[i * SECTOR : (i + 1) * SECTOR], (salt + 9 + i) & 0xFFFFFFFF) for i in range(50)]
    sums = _core.salted_sums(_core.sector_sums(parts), salt, 9)
    assert np.frombuffer(sums, "<u4").tolist() == expected


def test_sums_of_nothing_and_of_half_a_sector() -> None:
    assert _core.sector_sums([]) == b""
    assert _core.salted_sums(b"", 1, 0) == b""
    with pytest.raises(ValueError, match="multiple of 512"):
        _core.sector_sums([b"x" * 100])
    with pytest.raises(ValueError, match="4 bytes"):
        _core.salted_sums(b"x" * 5, 1, 0)


@pytest.mark.parametrize("sectors_per_row", [1, 2, 6])
def test_the_checksums_of_rows_follow_from_those_of_their_sectors(sectors_per_row: int) -> None:
    rows = np.frombuffer(Random(4).randbytes(6 * 4 * SECTOR), np.uint8).reshape(-1, sectors_per_row * SECTOR)
    joined = _core.joined_sums(_core.sector_sums([rows]), sectors_per_row)
    assert joined.tolist() == _core.crc32c_rows(rows).tolist() == [crc32c(row.tobytes()) for row in rows]


def test_only_sectors_of_whole_rows_are_joined() -> None:
    assert _core.joined_sums(b"", 3).tolist() == []
    for sectors_per_row in (0, 2):
        with pytest.raises(ValueError, match="whole rows"):
            _core.joined_sums(bytes(12), sectors_per_row)


@pytest.mark.parametrize("sectors", [0, 1, 47, 48, 49, 174, 175, 176, 700])
def test_a_sound_record_is_right(sectors: int) -> None:
    record = place(sectors)
    memory, position, salt = record.memory, record.position, record.salt
    assert _core.check_all(memory, position, salt) == RIGHT
    assert _core.check_sectors(memory, position, [0, SECTOR * sectors], salt) == RIGHT
    assert _core.torn_sectors(memory, position, salt, record.end) == RIGHT


@pytest.mark.parametrize("seed", range(8))
def test_each_flipped_bit_is_found_where_it_is(seed: int) -> None:
    random = Random(seed)
    record = place(random.choice([5, 60, 300]), seed=seed)
    for _ in range(60):
        at = random.randrange(record.payload, record.end)
        record.memory[at] ^= 1 << random.randrange(8)
        wrong = at // SECTOR * SECTOR
        assert _core.check_all(record.memory, record.position, record.salt) == wrong
        within = at - record.payload
        assert _core.check_sectors(record.memory, record.position, [within, within + 1], record.salt) == wrong
        record.memory[at] = 0 if record.memory[at] else 1
        assert _core.torn_sectors(record.memory, record.position, record.salt, record.end) == wrong
        sound = place(record.sectors, seed=seed)
        record.memory[wrong : wrong + SECTOR] = sound.memory[wrong : wrong + SECTOR]


def test_ranges_check_what_they_touch_and_nothing_else() -> None:
    record = place(400)
    damaged = {3, 60, 61, 390}
    for k in damaged:
        record.memory[record.payload + SECTOR * k + 17] ^= 4
    random = Random(5)
    for _ in range(500):
        edges = sorted(random.randrange(400 * SECTOR + 1) for _ in range(6))
        touched = [set(range(a // SECTOR, -(-b // SECTOR))) for a, b in zip(edges[::2], edges[1::2], strict=True)]
        bad = sorted(damaged & set().union(*touched))
        found = _core.check_sectors(record.memory, record.position, edges, record.salt)
        assert found == (record.payload + SECTOR * bad[0] if bad else RIGHT)


def test_a_sector_in_another_place_or_of_another_file_is_wrong() -> None:
    record = place(10)
    a, b = record.payload + SECTOR, record.payload + 2 * SECTOR
    record.memory[a : a + SECTOR], record.memory[b : b + SECTOR] = record.memory[b : b + SECTOR], record.memory[a:b]
    assert _core.check_all(record.memory, record.position, record.salt) == a
    assert _core.check_all(place(10).memory, record.position, record.salt + 1) == record.payload
    moved = bytes(SECTOR) + bytes(place(10).memory)
    assert _core.check_all(moved, record.position + SECTOR, record.salt) == record.payload + SECTOR


def test_what_lies_outside_the_record_or_the_file_is_wrong() -> None:
    record = place(100, behind=0)
    memory, position, salt = bytes(record.memory), record.position, record.salt
    end = SECTOR * 100
    assert _core.check_sectors(memory, position, [0, end + 1], salt) == record.payload + end
    assert _core.check_sectors(memory, position, [2**63, 2**64 - 1], salt) == 2**63 - 1
    assert _core.check_sectors(memory, position, [900, 100], salt) == record.payload + 900
    assert _core.check_sectors(memory[:-1], position, [end - 1, end], salt) == record.payload + end - SECTOR
    assert _core.check_sectors(memory, len(memory), [0, 1], salt) == len(memory)
    assert _core.check_all(memory, len(memory) + SECTOR, salt) == len(memory) + SECTOR
    with pytest.raises(ValueError, match="multiple of 512"):
        _core.check_all(memory, 100, salt)
    with pytest.raises(ValueError, match="pairs"):
        _core.check_sectors(memory, position, [1], salt)


@pytest.mark.parametrize("field", [8, 12])
@pytest.mark.parametrize("lie", [0, 1, 49, 200, 5000, 2**31, 2**32 - 1])
def test_no_length_in_the_header_is_believed(field: int, lie: int) -> None:
    record = place(100)
    struct.pack_into("<I", record.memory, record.position + field, lie)
    memory = bytes(record.memory)
    for start in (0, 47 * SECTOR, 99 * SECTOR, 5000 * SECTOR, (2**32 - 1) * SECTOR):
        offset = _core.check_sectors(memory, record.position, [start, start + 1], record.salt)
        assert offset == RIGHT or offset > record.position
        assert _core.torn_sectors(memory, record.position, record.salt, start) >= RIGHT
    found = _core.check_all(memory, record.position, record.salt)
    assert found == RIGHT if (field, lie) in {(8, 0), (8, 1), (8, 49), (12, 1)} else found > record.position


@pytest.mark.parametrize("seed", range(6))
def test_a_torn_record_is_told_from_a_damaged_one(seed: int) -> None:
    random = Random(seed)
    record = place(500, seed=seed)
    first = record.position // SECTOR + 1
    never_written = {k for k in range(first, record.end // SECTOR) if random.random() < 0.4}
    for k in never_written:
        record.memory[SECTOR * k : SECTOR * (k + 1)] = bytes(SECTOR)
    position, salt = record.position, record.salt
    assert _core.torn_sectors(record.memory, position, salt, record.end) == RIGHT
    for _ in range(40):
        k = random.randrange(first, record.end // SECTOR)
        before = record.memory[SECTOR * k : SECTOR * (k + 1)]
        record.memory[SECTOR * k + random.randrange(508)] ^= 0x40
        payload = k - record.payload // SECTOR
        unknown = payload >= HEADER_SUMS and first + (payload - HEADER_SUMS) // TABLE_SUMS in never_written
        found = _core.torn_sectors(record.memory, position, salt, record.end)
        assert found == (RIGHT if unknown else SECTOR * k)
        assert _core.torn_sectors(record.memory, position, salt, SECTOR * k) == RIGHT, "it lies behind the stop"
        record.memory[SECTOR * k : SECTOR * (k + 1)] = before


@pytest.mark.parametrize("at", [0, 511, 512, 4 * SECTOR + 7, 9 * SECTOR + 511])
def test_the_first_sector_that_is_not_zero(at: int) -> None:
    memory = np.zeros(10 * SECTOR, dtype=np.uint8)
    assert _core.nonzero_sector(memory, 0, len(memory)) == RIGHT
    memory[at] = 1
    assert _core.nonzero_sector(memory, 0, len(memory)) == at // SECTOR * SECTOR
    behind = (at // SECTOR + 1) * SECTOR
    assert _core.nonzero_sector(memory, behind, len(memory)) == RIGHT
    assert _core.nonzero_sector(memory, 0, at) == RIGHT
    with pytest.raises(ValueError, match="outside"):
        _core.nonzero_sector(memory, 0, len(memory) + 1)


def test_the_portable_way_gives_the_same_sums() -> None:
    script = (
        "import sys, numpy as np; from engram import _core\n"
        "matrix = np.random.default_rng(1).integers(0, 250, (37, 301)).astype(np.uint8)\n"
        "sys.stdout.write(_core.simd() + ' ' + _core.crc32c_rows(matrix).tobytes().hex())"
    )
    environment = {**os.environ, "ENGRAM_SIMD": "portable"}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    matrix = np.random.default_rng(1).integers(0, 250, (37, 301)).astype(np.uint8)
    assert done.stdout == "portable " + _core.crc32c_rows(matrix).tobytes().hex()


@pytest.mark.parametrize("seed", range(200))
def test_a_row_is_never_read_outside_of_its_record(seed: int) -> None:
    """Wherever columns are said to lie, a row is read from within the record or refused."""
    random = Random(seed)
    record = place(random.choice([1, 3, 60]), position=SECTOR * random.randint(0, 3), seed=seed)
    if random.random() < 0.5:
        # Offsets are mostly as if of an enormous text; now and then of one that fits.
        start = record.payload + 4 * random.randrange(SECTOR // 4)
        struct.pack_into("<II", record.memory, start, *sorted((random.randrange(999), random.randrange(999))))
    edges = [0, 4, 500, SECTOR * record.sectors - 8, SECTOR * record.sectors, len(record.memory), 2**32, 2**62]
    numbers = [random.choice(edges) for _ in range(3)]
    texts = [(random.choice(edges), random.choice(edges), random.choice(edges)) for _ in range(4)]
    row = random.choice([0, 1, 2**20])
    found = _core.read_row(record.memory, record.position, record.payload, numbers, texts, row, record.salt)
    inside = SECTOR * record.sectors
    if max(numbers) + 8 > inside or max(offsets for offsets, _, _ in texts) + 8 > inside or row > 1:
        assert isinstance(found, int)
    for text in texts:
        one = _core.read_text(record.memory, record.position, record.payload, text, row, record.salt)
        assert isinstance(one, int) or text[0] + 8 <= inside
        # A row that is right consists of texts that are right.
        assert isinstance(found, int) or one in found[3:]
