"""Generations found by time, whatever the wall clock did, against what the definition says."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engram.log.records.commit_times import CommitTimes

TIMES = st.integers(0, 30)


def records_of(times: list[int], sizes: list[int]) -> list[Any]:
    """Records with these commit times and so many generations each."""
    found, last = [], 0
    for time, size in zip(times, sizes, strict=False):
        found.append(SimpleNamespace(committed_us=time, first_generation=last + 1, last_generation=last + size))
        last += size
    return found


@given(st.lists(st.tuples(TIMES, st.integers(1, 3)), max_size=30), st.integers(0, 30), TIMES)
def test_it_finds_what_the_definition_says(rows: list[tuple[int, int]], known: int, time: int) -> None:
    records = records_of([row[0] for row in rows], [row[1] for row in rows])
    times = CommitTimes(records[:known])
    for record in records[known:]:
        times.add([record])
    least = [min(each.committed_us for each in records[index:]) for index in range(len(records))]
    expected = max(
        (record.last_generation for record, least_us in zip(records, least, strict=True) if least_us <= time),
        default=0,
    )
    assert times.generation_at(time) == expected
    greatest = [max(each.committed_us for each in records[: index + 1]) for index in range(len(records))]
    expected = max(
        (record.last_generation for record, greatest_us in zip(records, greatest, strict=True) if greatest_us <= time),
        default=0,
    )
    assert times.generation_surely_before(time) == expected
    assert times.generation_surely_before(time) <= times.generation_at(time)


@given(st.lists(TIMES, min_size=1, max_size=30), TIMES)
def test_adding_leaves_a_list_alone_that_others_may_be_searching(times: list[int], later: int) -> None:
    records = records_of(times, [1] * len(times))
    known = CommitTimes(records)
    searched, before = known._lowest, list(known._lowest)
    known.add(records_of([later], [1]))
    assert searched[: len(before)] == before
