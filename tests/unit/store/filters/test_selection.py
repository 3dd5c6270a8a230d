"""What passes a filter, compared with looking at every observation."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engram import F, Own
from engram.log.files.memory_storage import MemoryStorage
from engram.log.records.entry import LogEntry
from engram.log.records.header import RecordKind
from engram.model.cue import Between, Filter
from engram.model.observations import make_batch
from engram.store.filters import columns
from engram.store.filters.metadata_index import MetadataIndex
from engram.store.filters.rows import PassingRows, Window, packed
from engram.store.filters.selection import bitmap, passing, select, which_pass
from tests.doubles.batches import DIM
from tests.doubles.logs import open_log


class Row(NamedTuple):
    """An observation, or, without a time, a deletion."""

    time_s: int | None
    tags: list[str]
    metadata: dict[str, Any]
    confidence: float
    ends_after: int | None


TAGS = st.lists(st.sampled_from("abc"), max_size=3)
VALUES = st.sampled_from([0, 1, 1.0, 2.5, True, False, None, "1", "x", [1], 10**400])
METADATA = st.dictionaries(st.sampled_from("kl"), VALUES, max_size=2)
ROWS = st.lists(
    st.builds(
        Row,
        st.none() | st.integers(0, 5),
        TAGS,
        METADATA,
        st.sampled_from([0.0, 0.25, 0.9, 1.0]),
        st.none() | st.integers(1, 6),
    ),
    min_size=1,
    max_size=40,
)


def ordered(bounds: tuple[int | None, int | None]) -> Between:
    low, high = bounds
    return Between(high, low) if low is not None and high is not None and high < low else Between(low, high)


BOUNDS = st.none() | st.integers(0, 3)
WANTED = st.sampled_from([0, 1, 2.5, True, None, "1", "x"]) | st.tuples(BOUNDS, BOUNDS).map(ordered)
FILTERS = st.builds(
    Filter,
    since=st.none() | st.integers(0, 5),
    until=st.none() | st.integers(0, 6),
    tags=st.frozensets(st.sampled_from("abc"), max_size=2),
    without_tags=st.frozensets(st.sampled_from("abc"), max_size=1),
    metadata=st.dictionaries(st.sampled_from("kl"), WANTED, max_size=2),
    confidence_min=st.sampled_from([0.0, 0.25, 0.9]),
)


def attributes_of(rows: list[Row], batch_rows: int = 3) -> MetadataIndex:
    log, attributes = open_log(MemoryStorage()), MetadataIndex()
    generation = 1
    for start in range(0, len(rows), batch_rows):
        for is_observed in (True, False):
            piece = [row for row in rows[start : start + batch_rows] if (row.time_s is not None) == is_observed]
            if piece:
                (record,) = log.append([entry(generation, piece, is_observed)])
                attributes.add(record)
                generation += len(piece)
    ends = [
        (g, g + row.ends_after) for g, row in numbered(rows, batch_rows) if row.ends_after and row.time_s is not None
    ]
    if ends:
        attributes.end(*(np.array(column, dtype=np.int64) for column in zip(*ends, strict=True)))
    return attributes


def entry(generation: int, rows: list[Row], is_observed: bool) -> LogEntry:
    ids = [f"id-{i}" for i in range(len(rows))]
    if not is_observed:
        return LogEntry(RecordKind.DELETE, generation, ids=ids)
    batch = make_batch(
        ids,
        np.ones((len(rows), DIM), np.float32),
        timestamps=[float(row.time_s or 0) for row in rows],
        confidences=[row.confidence for row in rows],
        tags=[row.tags for row in rows],
        metadata=[row.metadata for row in rows],
    )
    return LogEntry(RecordKind.OBSERVE, generation, batch)


def numbered(rows: list[Row], batch_rows: int = 3) -> list[tuple[int, Row]]:
    """Rows in the order in which `attributes_of` gives generations."""
    ordered = []
    for start in range(0, len(rows), batch_rows):
        piece = rows[start : start + batch_rows]
        ordered += [row for row in piece if row.time_s is not None] + [row for row in piece if row.time_s is None]
    return list(enumerate(ordered, 1))


def passes(row: Row, filter: Filter) -> bool:
    assert row.time_s is not None
    time_us = row.time_s * 1_000_000
    return (
        (filter.since_us is None or time_us >= filter.since_us)
        and (filter.until_us is None or time_us < filter.until_us)
        and filter.tags <= set(row.tags)
        and not filter.without_tags & set(row.tags)
        and bool(np.float32(row.confidence) >= np.float32(filter.confidence_min))
        and all(key in row.metadata and fits(row.metadata[key], wanted) for key, wanted in filter.metadata.items())
    )


def fits(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, Between):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return (
            is_number and (wanted.low is None or value >= wanted.low) and (wanted.high is None or value <= wanted.high)
        )
    return isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)


@given(rows=ROWS, filter=FILTERS, data=st.data())
@settings(max_examples=300, deadline=None)
def test_the_selection_is_what_a_look_at_every_row_finds(rows: list[Row], filter: Filter, data: st.DataObject) -> None:
    attributes = attributes_of(rows)
    first = data.draw(st.integers(1, len(rows)))
    last = data.draw(st.integers(first, len(rows)))
    alive_at = data.draw(st.none() | st.just(last))
    expected = [
        generation
        for generation, row in numbered(rows)
        if first <= generation <= last
        and row.time_s is not None
        and (alive_at is None or row.ends_after is None or generation + row.ends_after > alive_at)
        and passes(row, filter)
    ]
    assert select(attributes, filter, first, last, alive_at).tolist() == expected


@given(rows=ROWS, filter=FILTERS, gap=st.sampled_from([0, 2, 1000]), data=st.data())
@settings(max_examples=300, deadline=None)
def test_some_observations_pass_wherever_they_are(
    rows: list[Row], filter: Filter, gap: int, data: st.DataObject
) -> None:
    attributes = attributes_of(rows)
    observed = {generation: row for generation, row in numbered(rows) if row.time_s is not None}
    assume(observed)
    asked = sorted(data.draw(st.sets(st.sampled_from(sorted(observed)))))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("engram.store.filters.selection._GAP_MAX", gap)
        found = which_pass(attributes, filter, np.array(asked, dtype=np.int64))
    assert found.tolist() == [passes(observed[generation], filter) for generation in asked]


def test_rows_beyond_a_chunk_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    count = columns.CHUNK_ROWS + 100
    log, attributes = open_log(MemoryStorage()), MetadataIndex()
    vectors = np.ones((count, DIM), np.float32)
    tags = [["rare"] if row % 50_000 == 1 else [] for row in range(count)]
    batch = make_batch([f"{i}" for i in range(count)], vectors, timestamps=np.arange(float(count)), tags=tags)
    (record,) = log.append([LogEntry(RecordKind.OBSERVE, 1, batch)])
    attributes.add(record)
    assert select(attributes, Filter(tags=frozenset({"rare"})), 1, count).tolist() == [2, 50_002]
    late = select(attributes, Filter(since=columns.CHUNK_ROWS + 50), 1, count)
    assert late.tolist() == list(range(columns.CHUNK_ROWS + 51, count + 1))
    attributes.end(np.array([2, count]), np.array([count + 1, count + 2]))
    assert select(attributes, Filter(), 1, count, alive_at=count + 1).tolist() == list(range(1, 2)) + list(
        range(3, count + 1)
    )
    alive = attributes.columns.alive(np.array([1, 2, count]), count + 1)
    assert alive.tolist() == [True, False, True]


@given(st.sets(st.integers(1, 500)))
def test_a_bitmap_has_a_bit_for_each(generations: set[int]) -> None:
    words, begin = bitmap(np.array(sorted(generations), dtype=np.int64))
    assert words.dtype == np.uint64
    assert begin % 64 == 0
    assert len(words) == max(generations, default=-1) // 64 - min(generations, default=0) // 64 + 1
    assert {
        begin + word * 64 + bit for word in range(len(words)) for bit in range(64) if int(words[word]) >> bit & 1
    } == generations


def test_only_generations_that_may_be_of_the_time_are_looked_at() -> None:
    attributes = MetadataIndex()
    firsts = [10, 70_000, 140_000, 210_000]
    for day, first in enumerate(firsts):
        times = [day * 86_400.0 + hour * 3600 for hour in range(3)]
        batch = make_batch(
            list("abc"), np.ones((3, DIM), np.float32), timestamps=times, metadata=[{"n": n} for n in range(3)]
        )
        attributes.add(LogEntry(RecordKind.OBSERVE, first, batch))
    days = [datetime.fromtimestamp(day * 86_400, UTC) for day in range(5)]
    some = (Own.observed_at >= days[1]) & (Own.observed_at < days[3]) & (F.n >= 1)
    rows = passing(attributes, some, 1, 300_000)
    assert rows.generations.tolist() == [70_001, 70_002, 140_001, 140_002]
    # Chunks of the columns are looked at or not, and these are the rows of two of them.
    assert rows.window == (70_000, 140_002)
    assert rows.has(np.array([11, 70_001, 210_001])).tolist() == [False, True, False]
    for nothing in (Own.observed_at >= days[4], (Own.observed_at < days[1]) & (Own.observed_at >= days[2])):
        assert passing(attributes, nothing, 1, 300_000).generations.tolist() == []
    assert select(attributes, ~(Own.observed_at < days[3]), 1, 300_000).tolist() == [210_000, 210_001, 210_002]


def test_a_bitmap_takes_a_bit_for_each_generation_also_while_it_is_made() -> None:
    count = 16_000_000
    rows = PassingRows(Window(1, count), np.array([1, count]))
    tracemalloc.start()
    try:
        words, _ = rows.bitmap()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert words.nbytes <= peak < 2 * words.nbytes


@given(st.sets(st.integers(1, 500), min_size=1), st.integers(1, 500))
def test_a_bitmap_of_bits_begins_with_the_window(generations: set[int], first: int) -> None:
    window = Window(first, 500)
    flags = np.array([generation in generations for generation in range(window.begin, 501)])
    words, begin = PassingRows(window, words=packed(flags) & window.whole()).bitmap()
    assert begin == first - first % 64
    assert {
        begin + word * 64 + bit for word in range(len(words)) for bit in range(64) if int(words[word]) >> bit & 1
    } == {generation for generation in generations if generation >= first}


def test_what_many_observations_have_is_found_by_bits_and_by_rows_too() -> None:
    attributes, count = MetadataIndex(), 2_000
    conditions = (
        (Own.tags.has_any(["t0", "t3", "rare"]), lambda row: row % 5 in (0, 3) or row == 700),
        (Own.tags.has_all(["even", "t1"]), lambda row: row % 2 == 0 and row % 5 == 1),
        (~Own.tags.has_any(["even"]), lambda row: row % 2 == 1),
        (F.parts.contains("p1"), lambda row: row % 3 == 1),
        (F.is_new == True, lambda row: row % 2 == 0),  # noqa: E712  (a condition, and no truth value)
        (F.grade.is_in([1, 5, 7]), lambda row: row % 10 in (1, 5, 7)),
        (F.grade.is_in([1, 5, 7, None]), lambda row: row % 10 in (1, 5, 7)),
        (F.grade.is_in([1, 2.5]), lambda row: row % 10 == 1),
        (~F.grade.is_in([0, 2, 3, 4, 6, 8, 9]), lambda row: row % 10 in (1, 5, 7)),
        (F.grade > 4, lambda row: row % 10 > 4),
        ((F.grade >= 2) & (F.grade < 7.5), lambda row: 2 <= row % 10 <= 7),
        (~(F.grade <= 3), lambda row: row % 10 > 3),
        # Of few numbers that many have, those within a range are looked up, exactly.
        (F.score > 2**53, lambda row: row % 3 == 1),
        (F.score <= 2**53, lambda row: row % 3 != 1),
        (~(F.score >= 0.5), lambda row: False),
        ((F.score > 0.5) & (F.score < 2**53 + 1), lambda row: row % 3 == 0),
    )
    for begin in range(1, 3 * count + 1, count):
        rows = range(begin, begin + count)
        batch = make_batch(
            [f"{row}" for row in rows],
            np.ones((count, DIM), np.float32),
            tags=[
                [f"t{row % 5}", *(["even"] if row % 2 == 0 else []), *(["rare"] if row == 700 else [])] for row in rows
            ],
            metadata=[
                {
                    "parts": [f"p{row % 3}"],
                    "is_new": row % 2 == 0,
                    "grade": row % 10,
                    "score": (2**53, 2**53 + 1, 0.5)[row % 3],
                }
                for row in rows
            ],
        )
        attributes.add(LogEntry(RecordKind.OBSERVE, begin, batch))
        last = begin + count - 1
        for condition, passes in conditions:
            for window in ((1, last), (650, 690 + begin), (last - 3, last), (1, 1)):
                expected = [row for row in range(window[0], window[1] + 1) if passes(row)]
                assert select(attributes, condition, *window).tolist() == expected
            asked = np.array([1, 3, 650, 700, 701, last - 1, last])
            assert which_pass(attributes, condition, asked).tolist() == [passes(row) for row in asked.tolist()]
            for some in (F.grade == 1, Own.tags.has_any(["rare"])):
                both = select(attributes, some & condition, 1, last).tolist()
                assert both == [row for row in select(attributes, some, 1, last).tolist() if passes(row)]
