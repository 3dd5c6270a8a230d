"""Records: every column comes back as it went in, in place and aligned, and no changed byte is served."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engram.errors import CorruptData, NewerFormat
from engram.log.damage import Damages
from engram.log.files.memory_storage import MemoryStorage
from engram.log.records import encoding
from engram.log.records.encoding import EncodedRecord, encode_record
from engram.log.records.entry import LogEntry
from engram.log.records.header import COLUMN_OF, Column, Header, RecordKind, check_known
from engram.log.records.layout import NUMBERS
from engram.log.records.record import Record
from engram.log.segments.segment import Segment
from engram.model.columns import COLUMNS
from engram.model.observations import ObservationBatch, make_batch
from tests.doubles.batches import DIM, batch_of, content_of, vector_of

SALT = 12345


def placed_at(encoded: EncodedRecord, position: int) -> EncodedRecord:
    return encoded.place(
        epoch=1, position=position, salt=SALT, previous_generation=4, synced_generation=3, committed_us=7
    )


def segment_with(entry: LogEntry, position: int = 1024, dim: int = DIM) -> tuple[Segment, Header]:
    """A segment with the record of `entry` in it, and the header it was written with."""
    encoded = encode_record(entry, dim)
    placed = placed_at(encoded, position)
    data = b"".join(placed.buffers)
    assert len(data) == placed.header.length == encoded.nbytes
    file = MemoryStorage().create("a", position + len(data))
    file.write(position, placed.buffers)
    return Segment(1, file, SALT, Damages("notes")), placed.header


def written(entry: LogEntry, position: int = 1024, dim: int = DIM) -> Record:
    """The record of `entry`, read from the bytes it is written as."""
    segment, expected = segment_with(entry, position, dim)
    header = segment.header_at(position)
    assert header == expected
    assert segment.damage_in(header) == -1
    return Record(segment, header)


def observed(batch: ObservationBatch, dim: int = DIM) -> Record:
    return written(LogEntry(RecordKind.OBSERVE, 5, batch, session="s-ü", first_sequence=77, writer=2**64 - 1), dim=dim)


def test_all_columns_come_back() -> None:
    ids = ["a", "héllo", "记忆"]
    batch = batch_of(ids)
    record = observed(batch)
    assert (record.kind, record.first_generation, record.count) == (RecordKind.OBSERVE, 5, 3)
    assert record.last_generation == 7
    assert (record.session, record.first_sequence, record.writer) == ("s-ü", 77, 2**64 - 1)
    assert record.ids() == ids
    np.testing.assert_array_equal(record.raw_vectors, batch.vectors)
    np.testing.assert_array_equal(record.times_us, batch.times_us)
    np.testing.assert_array_equal(record.confidences, batch.confidences)
    np.testing.assert_array_equal(record.importances, batch.importances)
    for row, id in enumerate(ids):
        assert record.id(row) == id
        assert record.content(row) == content_of(id)
        assert record.metadata(row) == {"id": id, "version": 0}
        assert record.tags(row) == [f"tag {id}", "ß"]
        np.testing.assert_array_equal(record.vector(row), vector_of(id))


def listed(column: Any) -> list[Any]:
    return [list(value) if isinstance(value, tuple) else value for value in column]


def test_a_record_gives_back_the_columns_of_a_batch() -> None:
    for batch in (batch_of(["a", "b"]), make_batch(["a", "b"], np.ones((2, DIM)), tags=[["x"], []])):
        columns = observed(batch).columns()
        for spec in COLUMNS:
            given = getattr(batch, spec.name)
            assert (spec.name in columns) == (given is not None)
            if given is not None:
                assert listed(columns[spec.name]) == listed(given)


def test_a_column_that_an_older_version_did_not_write_has_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    older = tuple(spec for spec in NUMBERS if spec.name != "importances")
    monkeypatch.setattr(encoding, "NUMBERS", older)
    record = observed(batch_of(["a", "b"]))
    assert "importances" not in record.columns()
    row = record.row(1)
    assert (row.time_us, row.confidence, row.importance) == (record.time_us(1), record.confidence(1), 0.5)
    assert (row.id, row.content, row.tags) == ("b", content_of("b"), ["tag b", "ß"])
    assert row.metadata == {"id": "b", "version": 0}


def test_every_column_has_a_number_in_the_log() -> None:
    assert COLUMN_OF.keys() == {"ids", *(spec.name for spec in COLUMNS)}
    assert len(set(COLUMN_OF.values())) == len(COLUMN_OF)


def test_optional_columns_may_be_missing() -> None:
    record = observed(make_batch(["a", "b"], np.ones((2, DIM))))
    assert record.content(1) == ""
    assert record.metadata(1) == {}
    assert record.metadata_json(1) == ""
    assert record.tags(1) == []
    assert record.ids() == ["a", "b"]


def test_tags_without_metadata_are_not_mistaken_for_it() -> None:
    record = observed(make_batch(["a", "b"], np.ones((2, DIM)), tags=[["x"], []]))
    assert record.metadata(0) == {}
    assert record.tags(0) == ["x"]
    assert record.tags(1) == []


def test_delete_has_only_ids() -> None:
    record = written(LogEntry(RecordKind.DELETE, 9, ids=["gone", "ex-ü"]))
    assert record.kind is RecordKind.DELETE
    assert record.ids() == ["gone", "ex-ü"]
    assert record.raw_vectors.shape == (0, DIM)
    assert record.content(0) == ""
    assert record.last_generation == 10


@pytest.mark.parametrize("count", [1, 3, 257])
@pytest.mark.parametrize("dim", [8, 9, 13])
def test_columns_line_up_for_odd_sizes(count: int, dim: int) -> None:
    batch = batch_of([f"id-{row}" for row in range(count)], dim=dim)
    record = observed(batch, dim)
    np.testing.assert_array_equal(record.raw_vectors, batch.vectors)
    np.testing.assert_array_equal(record.times_us, batch.times_us)
    np.testing.assert_array_equal(record.importances, batch.importances)
    assert record.ids() == list(batch.ids)
    assert record.tags(count - 1) == [f"tag id-{count - 1}", "ß"]


def test_views_are_read_only() -> None:
    record = observed(batch_of(["a"]))
    with pytest.raises(ValueError, match="read-only"):
        record.raw_vectors[0, 0] = 1.0


def test_the_vector_block_is_not_copied_for_writing() -> None:
    batch = batch_of(["a", "b"])
    payload = encode_record(LogEntry(RecordKind.OBSERVE, 1, batch), DIM).payload
    assert np.shares_memory(np.frombuffer(payload[0], np.uint8), batch.vectors)


def damage_met(read: Callable[[], Any], expected: object, offset: int) -> CorruptData | None:
    """The damage that a read met; without any, it must have read what is expected."""
    try:
        found = read()
    except CorruptData as error:
        return error
    assert found == expected, f"changed byte {offset} was served"
    return None


READS: list[Callable[[Record], Any]] = [
    lambda record: record.row(1),
    lambda record: record.ids(),
    lambda record: record.contents(),
    lambda record: record.metadata_column(),
    lambda record: record.tags_column(),
    lambda record: record.times_us.tolist(),
    lambda record: record.confidences.tolist(),
    lambda record: record.importances.tolist(),
    lambda record: record.vectors(np.array([0, 2])).tolist(),
    lambda record: record.vectors(np.array([1])).tolist(),
    lambda record: [record.id(row) for row in range(3)],
    lambda record: [record.content(row) for row in range(3)],
    lambda record: [record.metadata(row) for row in range(3)],
    lambda record: [record.tags(row) for row in range(3)],
    lambda record: [record.time_us(row) for row in range(3)],
    lambda record: [record.confidence(row) for row in range(3)],
    lambda record: [record.importance(row) for row in range(3)],
    lambda record: record.rfind("b", 3),
    lambda record: np.asarray(record.vector_sums()).tolist(),
]


def test_every_flipped_bit_is_noticed() -> None:
    entry = LogEntry(RecordKind.OBSERVE, 5, batch_of(["a"]))
    segment, header = segment_with(entry, 512)
    file = segment.file
    for offset in range(512, 512 + header.length):
        right = segment.memory[offset]
        file.write(offset, [bytes([right ^ 1 << offset % 8])])
        found = segment.header_at(512)
        assert found is None or segment.damage_in(found) >= 0, f"flip in byte {offset}"
        file.write(offset, [bytes([right])])
    assert segment.damage_in(header) == -1


@pytest.mark.parametrize("number", range(len(READS)))
def test_no_read_returns_a_changed_byte(number: int) -> None:
    read = READS[number]
    segment, header = segment_with(LogEntry(RecordKind.OBSERVE, 5, batch_of(["a", "b", "c"])), 512)
    expected = read(Record(segment, header))
    noticed = 0
    for offset in range(512, 512 + header.length, 5):
        right = segment.memory[offset]
        segment.file.write(offset, [bytes([right ^ 0x41])])
        error = damage_met(lambda: read(Record(segment, header)), expected, offset)
        if error is not None:
            noticed += 1
            assert (error.code, error.field) == ("corrupt_data", "log/000000000001.log")
            assert "space notes" in error.message
            assert "generations 5 to 7" in error.message
        segment.file.write(offset, [bytes([right])])
    assert noticed
    assert segment.damages.count


@pytest.mark.parametrize("left_out", [{}, {"metadata": None}, {"tags": None}, {"metadata": None, "tags": None}])
@pytest.mark.parametrize("count", [1, 15, 16, 300])
def test_a_row_has_what_its_columns_have(count: int, left_out: dict[str, Any]) -> None:
    record = observed(replace(batch_of([f"id-{row}-ß" for row in range(count)]), **left_out))
    for row in range(count):
        found = record.row(row)
        assert (found.id, found.content, found.time_us) == (record.id(row), record.content(row), record.time_us(row))
        assert (found.confidence, found.importance) == (record.confidence(row), record.importance(row))
        assert (found.metadata, found.tags) == (record.metadata(row), record.tags(row))
        assert found.metadata_json == record.metadata_json(row)


def test_rows_of_neighbouring_small_records_are_not_mixed_up() -> None:
    first = encode_record(LogEntry(RecordKind.OBSERVE, 5, batch_of(["a"])), DIM)
    second = encode_record(LogEntry(RecordKind.OBSERVE, 6, batch_of(["a longer one", "b"])), DIM)
    file = MemoryStorage().create("a", 512 + first.nbytes + second.nbytes)
    segment = Segment(1, file, SALT, Damages())
    positions = 512, 512 + first.nbytes
    for encoded, position in zip((first, second), positions, strict=True):
        file.write(position, placed_at(encoded, position).buffers)
    headers = [segment.header_at(position) for position in positions]
    one, other = (Record(segment, header) for header in headers if header is not None)
    for _ in range(3):
        assert (one.id(0), other.id(0), one.row(0).id, other.row(1).id) == ("a", "a longer one", "a", "b")


def test_damage_is_counted_once_for_each_place() -> None:
    ids = [f"id-{row}" for row in range(50)]
    segment, header = segment_with(LogEntry(RecordKind.OBSERVE, 5, batch_of(ids)), 512)
    record = Record(segment, header)
    segment.file.write(header.payload, [b"????"])
    for _ in range(3):
        with pytest.raises(CorruptData, match=rf"offset {header.payload} \(generations 5 to 54\)"):
            record.vector(0)
    assert segment.damages.count == 1
    # What lies in other sectors is still served.
    assert record.content(49) == content_of("id-49")
    np.testing.assert_array_equal(record.vector(49), vector_of("id-49"))


@pytest.mark.parametrize("rows", [1, 40, 4000])
def test_large_records_have_their_checksums_in_sectors_of_their_own(rows: int) -> None:
    batch = batch_of([f"row {row}" for row in range(rows)])
    segment, header = segment_with(LogEntry(RecordKind.OBSERVE, 1, batch))
    record = Record(segment, header)
    record.check()
    last = record.row(rows - 1)
    assert last.id == f"row {rows - 1}"
    for offset in {1024 + 600, header.payload - 2, header.end - 1}:
        right = segment.memory[offset]
        segment.file.write(offset, [bytes([right ^ 1])])
        with pytest.raises(CorruptData):
            record.check()
        segment.file.write(offset, [bytes([right])])
    record.check()


def test_a_record_at_another_position_or_of_another_segment_is_none() -> None:
    segment, header = segment_with(LogEntry(RecordKind.OBSERVE, 1, batch_of(["a"])), 512)
    data = bytes(segment.memory[512 : header.end])
    file = MemoryStorage().create("a", 1024 + len(data))
    file.write(1024, [data])
    assert Segment(1, file, SALT, Damages()).header_at(1024) is None
    file = MemoryStorage().create("a", 512 + len(data))
    file.write(512, [data])
    assert Segment(2, file, SALT, Damages()).header_at(512) is None
    assert Segment(1, file, SALT + 1, Damages()).header_at(512) is None
    assert Segment(1, file, SALT, Damages()).header_at(512) == header


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"kind": 9}, "a record of kind 9"),
        ({"columns": ((max(Column) + 1, 8),)}, f"column {max(Column) + 1}"),
        ({"columns": ((99, 8),)}, "column 99"),
    ],
)
def test_what_a_newer_version_wrote_is_refused_by_name(change: dict[str, Any], what: str) -> None:
    _, header = segment_with(LogEntry(RecordKind.OBSERVE, 1, batch_of(["a"])))
    with pytest.raises(NewerFormat, match=f"{what} at offset 1024, which a newer Engram wrote"):
        check_known(header._replace(**change), "000000000001.log")


def test_optional_columns_of_a_newer_version_are_passed_over() -> None:
    _, header = segment_with(LogEntry(RecordKind.OBSERVE, 1, batch_of(["a"])))
    check_known(header._replace(columns=(*header.columns, (200, 8))), "000000000001.log")


def test_vectors_of_another_dimension_are_a_bug_of_the_caller() -> None:
    with pytest.raises(ValueError, match="shape"):
        encode_record(LogEntry(RecordKind.OBSERVE, 1, batch_of(["a"])), DIM + 1)


def test_columns_of_another_length_are_a_bug_of_the_caller() -> None:
    batch = batch_of(["a", "b"])
    for field in ("times_us", "confidences", "importances", "contents"):
        broken = replace(batch, **{field: getattr(batch, field)[:1]})
        with pytest.raises(ValueError, match="belong"):
            encode_record(LogEntry(RecordKind.OBSERVE, 1, broken), DIM)
    with pytest.raises(ValueError, match="belong"):
        encode_record(LogEntry(RecordKind.OBSERVE, 1, replace(batch, times_us=batch.times_us[:, None])), DIM)


def test_overlong_session_is_refused() -> None:
    with pytest.raises(ValueError, match="64 bytes"):
        segment_with(LogEntry(RecordKind.OBSERVE, 1, batch_of(["a"]), session="x" * 65))


def test_damage_beyond_what_is_recorded_is_counted_once_too() -> None:
    damages = Damages("notes", remembered_max=2)
    for _ in range(3):
        for offset in range(5):
            damages.report("log/000000000001.log", offset, 1, 2, "broken")
    assert damages.count == 5
    assert [damage.offset for damage in damages.all()] == [0, 1]
