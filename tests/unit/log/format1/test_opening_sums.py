"""Sums that are taken at opening: whatever changes afterwards is found, and where."""

from __future__ import annotations

import random

import pytest

from engram.log.format1.opening_sums import OpeningSums

NBYTES = 5 * 512 + 100


@pytest.fixture
def memory() -> bytearray:
    return bytearray(random.Random(1).randbytes(NBYTES))


def test_what_has_not_changed_is_right(memory: bytearray) -> None:
    sums = OpeningSums(memoryview(memory))
    assert sums.first_change([0, NBYTES]) == -1
    assert sums.first_change([3, 4, 600, 601, NBYTES - 1, NBYTES]) == -1
    assert sums.first_change([512, 512]) == -1


@pytest.mark.parametrize("offset", [0, 511, 512, 1500, NBYTES - 1])
def test_a_changed_byte_is_found_by_whoever_reads_its_sector(memory: bytearray, offset: int) -> None:
    sums = OpeningSums(memoryview(memory))
    memory[offset] ^= 1
    sector = offset - offset % 512
    assert sums.first_change([0, NBYTES]) == sector
    assert sums.first_change([offset, offset + 1]) == sector
    assert sums.first_change([sector, sector + 1]) == sector
    others = [edge for start in range(0, NBYTES, 512) if start != sector for edge in (start, min(start + 512, NBYTES))]
    assert sums.first_change(others) == -1


@pytest.mark.parametrize("ranges", [(0, NBYTES + 1), (NBYTES + 5, NBYTES + 9), (700, 600), (-4, 0)])
def test_a_range_outside_of_the_file_comes_from_damage(memory: bytearray, ranges: tuple[int, int]) -> None:
    assert OpeningSums(memoryview(memory)).first_change(ranges) >= 0


def test_bytes_of_another_place_do_not_fit(memory: bytearray) -> None:
    sums = OpeningSums(memoryview(memory))
    memory[0:512], memory[512:1024] = memory[512:1024], memory[0:512]
    assert sums.first_change([600, 700]) == 512
