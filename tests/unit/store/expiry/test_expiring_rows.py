"""What expires: which of it is due, however it came and whatever was settled, against looking at all of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.model.values.expiry import NEVER_US
from engram.store.expiry import expiring_rows
from engram.store.expiry.expiring_rows import ExpiringRows


def rows_with(times: list[int]) -> ExpiringRows:
    rows = ExpiringRows()
    if times:
        rows.extend(np.arange(1, len(times) + 1), np.array(times, np.int64))
    return rows


def test_nothing_is_due_before_the_soonest() -> None:
    rows = rows_with([30, 10, 20])
    assert (len(rows), rows.soonest_us) == (3, 10)
    assert rows.waiting(9).tolist() == []
    assert rows.waiting(10).tolist() == [2]
    assert rows.waiting(99).tolist() == [1, 2, 3]
    assert [rows.is_due(generation, 20) for generation in (0, 1, 2, 3, 4)] == [False, False, True, True, False]
    assert rows.are_due(np.array([3, 0, 1, 4, 2, 3]), 20).tolist() == [True, False, False, False, True, True]


def test_without_rows_nothing_is_due() -> None:
    rows = ExpiringRows()
    assert (len(rows), rows.soonest_us, rows.waiting(NEVER_US - 1).tolist()) == (0, NEVER_US, [])
    assert (rows.is_due(1, NEVER_US - 1), rows.are_due(np.array([1, 2]), NEVER_US - 1).tolist()) == (False, [False] * 2)
    rows.settle(NEVER_US - 1, 5, lambda found: np.zeros(len(found), bool))


def test_what_is_settled_waits_no_more_and_is_still_known() -> None:
    rows = rows_with([10, 20, 30])
    rows.settle(25, 9, lambda found: found == 2)
    assert (rows.settled_generation, rows.soonest_us) == (9, 20)
    assert rows.waiting(99).tolist() == [2, 3]
    assert rows.expired(99, 1, 3).tolist() == [1, 2, 3]
    assert rows.expired(20, 2, 3).tolist() == [2]
    assert rows.expires_us.tolist() == [10, 20, 30]


def test_what_stays_is_copied() -> None:
    rows = rows_with([10, 20, 30])
    rows.settle(15, 4, lambda found: np.zeros(len(found), bool))
    fewer = rows.kept(lambda generations: generations != 2)
    assert fewer.generations.tolist() == [1, 3]
    assert (fewer.soonest_us, fewer.settled_generation) == (10, 4)
    assert 0 < fewer.nbytes <= rows.nbytes


@pytest.mark.parametrize("blocks_alone", [0, 64])
@given(
    parts=st.lists(st.lists(st.integers(0, 40), min_size=1, max_size=9), max_size=9),
    looks=st.lists(st.tuples(st.integers(0, 45), st.booleans()), max_size=6),
)
def test_it_finds_what_looking_at_all_finds(
    blocks_alone: int, parts: list[list[int]], looks: list[tuple[int, bool]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(expiring_rows, "_BLOCK_ROWS", 4)
        patch.setattr(expiring_rows, "_BLOCKS_ALONE_MAX", blocks_alone)
        rows, times, over = ExpiringRows(), list[int](), set[int]()
        for number, part in enumerate(parts):
            rows.extend(range(len(times) + 1, len(times) + len(part) + 1), np.array(part, np.int64))
            times += part
            for now, settles in looks[number : number + 1]:
                due = [row for row, time in enumerate(times, 1) if time <= now]
                assert rows.waiting(now).tolist() == [row for row in due if row not in over]
                assert rows.expired(now, 1, len(times)).tolist() == due
                if settles:
                    rows.settle(now, len(times), lambda found: found % 2 == 0)
                    over |= {row for row in due if row % 2}
        for now in (0, 20, 45):
            wanted = [row for row, time in enumerate(times, 1) if time <= now and row not in over]
            assert rows.waiting(now).tolist() == wanted
            known = np.arange(len(times) + 2)
            assert rows.are_due(known, now).tolist() == [rows.is_due(one, now) for one in known.tolist()]
