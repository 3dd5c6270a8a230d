"""Generations found by time, whatever the wall clock did, against what the definition says."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engram.log.records.commit_times import CommitTimes
from engram.log.records.header import RecordKind
from engram.log.records.record_table import RecordPage, RecordTable

TIMES = st.integers(0, 30)


def records_of(times: list[int], sizes: list[int]) -> list[Any]:
    """Records with these commit times and so many generations each."""
    found, last = [], 0
    for time, size in zip(times, sizes, strict=False):
        found.append(
            SimpleNamespace(
                committed_us=time, first_generation=last + 1, last_generation=last + size, kind=RecordKind.OBSERVE
            )
        )
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


@given(st.lists(st.tuples(TIMES, st.integers(1, 3)), max_size=30), st.lists(st.integers(0, 30), max_size=5), TIMES)
def test_a_table_of_several_segments_finds_the_same(rows: list[tuple[int, int]], ends: list[int], time: int) -> None:
    records = records_of([row[0] for row in rows], [row[1] for row in rows])
    limits = sorted({0, len(records), *(min(end, len(records)) for end in ends)})
    segment: Any = None
    pages = [
        RecordPage(segment, records[begin].first_generation, records[begin:end]) for begin, end in pairwise(limits)
    ]
    table = RecordTable(pages, records[-1].last_generation if records else 0)
    together = CommitTimes(records)
    assert table.generation_at(time) == together.generation_at(time)
    assert table.generation_surely_before(time) == together.generation_surely_before(time)


@given(st.lists(TIMES, min_size=1, max_size=30), TIMES)
def test_adding_leaves_a_list_alone_that_others_may_be_searching(times: list[int], later: int) -> None:
    records = records_of(times, [1] * len(times))
    known = CommitTimes(records)
    searched, before = known._lowest, list(known._lowest)
    known.add(records_of([later], [1]))
    assert searched[: len(before)] == before
