"""Generations as rows of records, in a log that a compaction left with gaps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engram.errors import CorruptData, FailedPrecondition
from engram.log.log import Log
from engram.log.records.record_rows import RecordRows
from engram.model.values.retention_policy import RetentionPolicy
from engram.store import MemoryStore, Space, StoreOptions
from engram.store.compaction.pace import Pace
from engram.store.scans.runs import Span, ids_of, reach, spans_between, spans_of, within
from tests.doubles.batches import DIM, vector_of
from tests.doubles.damaged import flip_stored

QUIET = StoreOptions(segment_bytes=64 << 10, mark_interval_s=3600.0, log_compaction_bytes_per_s=0)
IDS = [f"id-{number}" for number in range(20)]


@pytest.fixture
def space(tmp_path: Path) -> Space:
    """A space of which every other version was dropped."""
    with MemoryStore(tmp_path, options=QUIET) as store:
        space = store.space("notes", dim=DIM)
        space.set_retention(RetentionPolicy(0.0))
        for number in range(20):
            ids = [f"{number}-{id}" if place % 2 else id for place, id in enumerate(IDS)]
            texts = [f"{id} of {number} " + "and more " * 20 for id in ids]
            space.observe(ids, np.array([vector_of(id, number) for id in ids]), texts)
        engine = space._engine
        engine.retention.advance()
        engine.log_compaction.run(Pace(0, lambda: True))
        assert any(record.has_gaps for record in engine.log.records())
        return space


def ids_at(log: Log, generations: list[int]) -> list[str]:
    spans = list(spans_of(log, np.array(generations, dtype=np.int64)))
    return [span.record.id(row) for span in spans for row in range(span.row, span.row + span.rows)]


def alive(log: Log, space: Space) -> dict[int, str]:
    return {hit.generation: hit.id for hit in space.snapshot().scan(page_size=7)}


def test_rows_of_a_record_with_gaps_are_one_span(space: Space) -> None:
    log = space._engine.log
    record = next(record for record in log.records() if record.has_gaps)
    (span,) = spans_of(log, record.generations)
    assert (span.record, span.row, span.rows) == (record, 0, record.count)


def test_each_generation_is_its_own_row(space: Space) -> None:
    log = space._engine.log
    by_generation = alive(log, space)
    assert len(by_generation) == len(space) == 210
    assert all(
        log.locate(generation)[0].id(log.locate(generation)[1]) == id for generation, id in by_generation.items()
    )
    for generations in (list(by_generation), list(by_generation)[::-1], list(by_generation)[::3]):
        assert ids_at(log, generations) == [by_generation[generation] for generation in generations]


def test_a_dropped_generation_is_not_taken_for_its_neighbour(space: Space) -> None:
    log = space._engine.log
    record = next(record for record in log.records() if record.has_gaps)
    first, last = record.first_generation, record.last_generation
    with pytest.raises(FailedPrecondition) as refused:
        ids_at(log, list(range(first, last + 1)))
    assert refused.value.code == "snapshot_expired"


def test_hits_and_deletions_have_their_own_generations(space: Space) -> None:
    by_generation = alive(space._engine.log, space)
    for hit in space.recall(vector_of("id-1"), k=len(by_generation)):
        assert by_generation[hit.generation] == hit.id
    found = space.get(list(by_generation.values()))
    assert [hit.generation for hit in found if hit is not None] == list(by_generation)


@pytest.mark.parametrize("step", [1, 2, 3, 7, 50])
def test_ids_are_those_of_the_generations_however_they_are_spread(space: Space, step: int) -> None:
    log = space._engine.log
    by_generation = alive(log, space)
    wanted = sorted(by_generation)[::step]
    assert ids_of(log, np.array(wanted, dtype=np.int64)) == [by_generation[generation] for generation in wanted]
    assert ids_of(log, np.array([], dtype=np.int64)) == []


def test_ids_that_are_spread_over_a_record_are_decoded_together(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    log = space._engine.log
    record = next(record for record in log.records() if record.count > 20)
    decoded: list[int] = []
    texts = RecordRows.texts

    def noted(rows: RecordRows, name: str) -> list[str]:
        decoded.append(rows.count)
        return texts(rows, name)

    monkeypatch.setattr(RecordRows, "texts", noted)
    assert ids_of(log, record.generations[:21:2]) == record.ids()[:21:2]
    assert decoded == [21]
    # So few of them are read one by one.
    assert ids_of(log, record.generations[:21:10]) == record.ids()[:21:10]
    assert decoded == [21]


def test_a_damaged_id_between_those_that_are_wanted_does_not_matter(tmp_path: Path) -> None:
    # Nearly as long as a sector, so that only the neighbours of one may be damaged with it.
    ids = [f"id-{letter}" * 125 for letter in "abcdefgh"]
    with MemoryStore(tmp_path, options=QUIET) as store:
        space = store.space("notes", dim=DIM)
        space.observe(ids, np.array([vector_of(id) for id in ids]))
        flip_stored(tmp_path, ids[2].encode())
        log = space._engine.log
        assert ids_of(log, np.array([1, 5, 6, 7, 8])) == [ids[0], *ids[4:]]
        with pytest.raises(CorruptData):
            ids_of(log, np.array([1, 3, 5, 6, 7, 8]))


def test_so_many_rows_are_kept_as_have_so_many_bytes(space: Space) -> None:
    log = space._engine.log
    spans = list(spans_of(log, np.array(sorted(alive(log, space)), dtype=np.int64)))
    assert within(iter(spans), 1 << 30) == spans
    assert within(iter(()), 1 << 30) == []
    first = spans[0]
    # One row at least, however large it is.
    assert within(iter(spans), 0) == [Span(first.record, first.row, 1)]
    row_bytes = sum(map(len, first.record.beside_vectors())) // first.record.count + 1
    assert within(iter(spans), first.rows * row_bytes) == [first]
    half = max(1, first.rows // 2)
    assert within(iter(spans), half * row_bytes) == [Span(first.record, first.row, half)]


def test_rows_between_generations_are_those_that_are_left(space: Space) -> None:
    log = space._engine.log
    stored = [generation for record in log.records() for generation in record.generations.tolist()]
    first, last = stored[3], stored[-3]
    spans = spans_between(log, first, last)
    found = [span.record.generation(row) for span in spans for row in range(span.row, span.row + span.rows)]
    assert found == [generation for generation in stored if first <= generation <= last]


def test_so_many_rows_are_read_together_as_have_so_many_bytes(space: Space) -> None:
    log = space._engine.log
    record, last = log.records()[0], log.last_generation
    assert reach(log, 1, last, 1 << 30) == last
    assert reach(log, last + 1, last + 5, 0) == last + 5
    # One row at least, however large it is.
    assert reach(log, 1, last, 0) == record.generation(0)
    row_bytes = sum(map(len, record.beside_vectors())) // record.count + 1
    assert reach(log, 1, last, 3 * row_bytes) == record.generation(2)


def test_pages_of_large_observations_have_fewer_and_leave_none_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engram.store.scans.scans.BATCH_BYTES_MAX", 5000)
    with MemoryStore(None) as store:
        space = store.space("notes", dim=DIM)
        names = [f"n{number}" for number in range(12)]
        for part in (names[:5], names[5:6], names[6:]):
            space.observe(part, [vector_of(name) for name in part], ["x" * 2000] * len(part))
        for order in ("generation", "id", "time"):
            for reverse in (False, True):
                pages = list(space.scan(order=order, reverse=reverse).pages())
                assert max(map(len, pages)) <= 3
                found = [hit.id for page in pages for hit in page]
                assert sorted(found) == sorted(names)
                if order == "generation":
                    assert found == (names[::-1] if reverse else names)
