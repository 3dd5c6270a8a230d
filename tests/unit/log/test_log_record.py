"""Records: every column comes back as it went in, in place and aligned."""

from __future__ import annotations

import numpy as np
import pytest

from doubles.batches import DIM, batch_of, content_of, vector_of
from engram.log.encoding import encode_record
from engram.log.entry import LogEntry
from engram.log.header import HEADER_BYTES, RecordKind, payload_is_whole, read_header
from engram.log.record import Record
from engram.observations import ObservationBatch, make_batch


def written(entry: LogEntry, position: int = 64, dim: int = DIM) -> Record:
    """The record of `entry`, read from the bytes it is written as."""
    placed = encode_record(entry, dim).placed(1, position, 1 << 20, 0, 7)
    memory = memoryview(bytes(position) + b"".join(placed.buffers()))
    header = read_header(memory, position)
    assert header == placed.header
    assert len(memory) == position + header.length
    assert payload_is_whole(memory, header)
    return Record(memory, header)


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
    np.testing.assert_array_equal(record.vectors, batch.vectors)
    np.testing.assert_array_equal(record.times_us, batch.times_us)
    np.testing.assert_array_equal(record.confidences, batch.confidences)
    np.testing.assert_array_equal(record.importances, batch.importances)
    for row, id in enumerate(ids):
        assert record.id(row) == id
        assert record.content(row) == content_of(id)
        assert record.metadata(row) == {"id": id, "version": 0}
        assert record.tags(row) == [f"tag {id}", "ß"]
        np.testing.assert_array_equal(record.vectors[row], vector_of(id))


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
    assert record.vectors.shape == (0, DIM)
    assert record.content(0) == ""
    assert record.last_generation == 10


@pytest.mark.parametrize("count", [1, 3, 257])
@pytest.mark.parametrize("dim", [8, 9, 13])
def test_columns_line_up_for_odd_sizes(count: int, dim: int) -> None:
    batch = batch_of([f"id-{row}" for row in range(count)], dim=dim)
    record = observed(batch, dim)
    np.testing.assert_array_equal(record.vectors, batch.vectors)
    np.testing.assert_array_equal(record.times_us, batch.times_us)
    np.testing.assert_array_equal(record.importances, batch.importances)
    assert record.ids() == list(batch.ids)
    assert record.tags(count - 1) == [f"tag id-{count - 1}", "ß"]


def test_views_are_read_only() -> None:
    record = observed(batch_of(["a"]))
    with pytest.raises(ValueError, match="read-only"):
        record.vectors[0, 0] = 1.0


def test_the_vector_block_is_not_copied_for_writing() -> None:
    batch = batch_of(["a", "b"])
    payload = encode_record(LogEntry(RecordKind.OBSERVE, 1, batch), DIM).payload
    assert np.shares_memory(np.frombuffer(payload[0], np.uint8), batch.vectors)


def test_every_flipped_bit_is_noticed() -> None:
    placed = encode_record(LogEntry(RecordKind.OBSERVE, 1, batch_of(["a"])), DIM).placed(1, 0, 1 << 20, 0, 7)
    whole = b"".join(placed.buffers())
    for byte in range(len(whole)):
        broken = bytearray(whole)
        broken[byte] ^= 1 << (byte % 8)
        header = read_header(memoryview(broken), 0)
        assert header is None or not payload_is_whole(memoryview(broken), header), f"flip in byte {byte}"


def test_a_record_at_another_position_is_none() -> None:
    placed = encode_record(LogEntry(RecordKind.OBSERVE, 1, batch_of(["a"])), DIM).placed(1, 0, 1 << 20, 0, 7)
    moved = memoryview(bytes(64) + b"".join(placed.buffers()))
    assert read_header(moved, 64) is None


def test_vectors_of_another_dimension_are_a_bug_of_the_caller() -> None:
    with pytest.raises(ValueError, match="shape"):
        encode_record(LogEntry(RecordKind.OBSERVE, 1, batch_of(["a"])), DIM + 1)


def test_overlong_session_is_refused() -> None:
    placed = encode_record(LogEntry(RecordKind.OBSERVE, 1, batch_of(["a"]), session="x" * 65), DIM)
    with pytest.raises(ValueError, match="64 bytes"):
        placed.buffers()


def test_a_record_from_before_writers_had_numbers_reads_as_of_an_unknown_one() -> None:
    """It had zeros where the number is now, so without a number the bytes are the same."""
    entry = LogEntry(RecordKind.OBSERVE, 1, batch_of(["a"]), session="s", first_sequence=1)
    header = b"".join(encode_record(entry, DIM).placed(1, 0, 1 << 20, 0, 7).buffers())[:HEADER_BYTES]
    assert header[-24:] == bytes(24)
    found = read_header(memoryview(header), 0)
    assert found is not None
    assert (found.session, found.writer) == ("s", 0)
