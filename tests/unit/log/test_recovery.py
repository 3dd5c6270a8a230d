"""Recovery: a crash's remains are dropped, damage is reported, and nothing is touched in either case."""

from __future__ import annotations

import logging
from random import Random

import pytest

from engram.errors import CorruptData, NewerFormat
from engram.log.files.memory_storage import MemoryFile
from engram.log.log import Log
from engram.log.manifest import FILE_NAME
from engram.log.records.entry import LogEntry
from engram.log.records.header import RecordKind
from engram.log.records.sectors import SECTOR_BYTES, sector_sum
from engram.log.segments.segment_header import read_segment_header
from tests.doubles.batches import batch_of
from tests.doubles.faulty_storage import FaultyStorage
from tests.doubles.logs import open_log, segment_names

SEGMENT = 8192
FIRST = "000000000001.log"


def opened(storage: FaultyStorage, trusted_generation: int = 0) -> Log:
    return open_log(storage, segment_bytes=SEGMENT, trusted_generation=trusted_generation)


def observe(log: Log, *ids: str) -> None:
    log.append([LogEntry(RecordKind.OBSERVE, log.last_generation + 1, batch_of(ids))])


def stored_ids(log: Log) -> list[str]:
    return [id for record in log.records() for id in record.ids()]


def filled(count: int) -> tuple[FaultyStorage, list[str]]:
    """A log of `count` records of one row each, every one synced."""
    storage = FaultyStorage()
    log = opened(storage)
    ids = [f"id-{number}" for number in range(count)]
    for id in ids:
        observe(log, id)
        log.sync()
    log.close()
    return storage, ids


def record_bytes() -> int:
    storage, _ = filled(1)
    return opened(storage).nbytes


def place(number: int) -> int:
    """Where the record with this number begins in the first segment."""
    return SECTOR_BYTES + number * record_bytes()


def flip(storage: FaultyStorage, name: str, offset: int) -> None:
    """Change one bit."""
    storage.damage(name, offset, bytes([storage.read(name)[offset] ^ 0x40]))


def content_of(storage: FaultyStorage) -> dict[str, bytes]:
    return {name: storage.read(name) for name in storage.names()}


def test_an_unsynced_record_may_be_lost_but_not_the_ones_before() -> None:
    for seed in range(50):
        storage, ids = filled(3)
        log = opened(storage)
        observe(log, "maybe")
        found = stored_ids(opened(storage.after_power_loss(Random(seed))))
        assert found in (ids, [*ids, "maybe"])


def test_a_torn_tail_is_dropped_with_a_warning_and_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    storage, ids = filled(3)
    log = opened(storage)
    observe(log, "torn")
    storage = storage.after_kill()
    # Of the write, only the header reached the disk.
    storage.damage(FIRST, place(3) + SECTOR_BYTES, bytes(record_bytes() - SECTOR_BYTES))
    with caplog.at_level(logging.WARNING):
        log = opened(storage)
    assert stored_ids(log) == ids
    assert "unfinished write at offset" in caplog.text
    before = storage.read(FIRST)
    observe(log, "next")
    log.sync()
    log.close()
    assert storage.read(FIRST) == before
    assert stored_ids(opened(storage)) == [*ids, "next"]


def test_remains_of_a_lost_write_never_join_a_later_one() -> None:
    storage, ids = filled(1)
    log = opened(storage)
    size = log.nbytes
    log.append(
        [LogEntry(RecordKind.OBSERVE, 2, batch_of(["lost"])), LogEntry(RecordKind.OBSERVE, 3, batch_of(["ghost"]))]
    )
    storage = storage.after_kill()
    # The first record of the write did not make it to the disk, the second did.
    storage.damage(FIRST, place(1), bytes(size))
    log = opened(storage)
    assert stored_ids(log) == ids
    observe(log, "real")
    log.sync()
    assert stored_ids(opened(storage.after_kill())) == [*ids, "real"]


def torn() -> FaultyStorage:
    """A log of one record and of another one whose header reached the disk, and whose payload did not."""
    storage, _ = filled(1)
    log = opened(storage)
    size = log.nbytes
    observe(log, "torn")
    storage = storage.after_kill()
    storage.damage(FIRST, place(1) + SECTOR_BYTES, bytes(size - SECTOR_BYTES))
    return storage


def test_a_torn_record_is_not_trusted_for_its_generation() -> None:
    storage = torn()
    # The log goes on in the next segment.
    log = opened(storage)
    observe(log, "real")
    log.sync()
    log.close()
    assert stored_ids(opened(storage, trusted_generation=2)) == ["id-0", "real"]


def test_torn_records_are_not_trusted_across_two_crashes() -> None:
    first = torn()
    log = opened(first)
    observe(log, "torn too")
    storage = first.after_kill()
    # Of this write not even the header reached the disk, but parts of its payload did.
    storage.damage("000000000002.log", SECTOR_BYTES, bytes(SECTOR_BYTES))
    log = opened(storage)
    observe(log, "real")
    log.sync()
    log.close()
    assert stored_ids(opened(storage, trusted_generation=2)) == ["id-0", "real"]


def test_recovered_records_are_made_durable() -> None:
    storage, _ = filled(1)
    observe(opened(storage), "read back from the page cache")
    storage = storage.after_kill()
    found = stored_ids(opened(storage))
    assert len(found) == 2
    assert stored_ids(opened(storage.after_power_loss(Random(1)))) == found


@pytest.mark.parametrize("number", [0, 1, 5])
@pytest.mark.parametrize("within", [0, 5, 40, 191, 400])
def test_a_damaged_header_in_the_middle_is_refused(number: int, within: int) -> None:
    storage, _ = filled(8)
    flip(storage, FIRST, place(number) + within)
    before = content_of(storage)
    with pytest.raises(CorruptData, match=rf"{FIRST} is damaged at offset {place(number)}\b") as report:
        opened(storage)
    assert (report.value.field, report.value.value) == (FIRST, str(place(number)))
    assert content_of(storage) == before


def check_met_by_readers(storage: FaultyStorage, ids: list[str], number: int) -> None:
    """All records are part of the log; behind the header of the one with this number something is damaged."""
    before = storage.read(FIRST)
    log = opened(storage)
    assert log.last_generation == len(ids)
    (damage,) = log.damages.all()
    assert (damage.file, damage.offset) == (f"log/{FIRST}", place(number) + SECTOR_BYTES)
    assert (damage.first_generation, damage.last_generation) == (number + 1, number + 1)
    record = log.records()[number]
    for read in (record.ids, record.contents, record.vector_sums, lambda: record.vector(0)):
        with pytest.raises(CorruptData, match=rf"\(generation {number + 1}\)"):
            read()
    others = [one for one in log.records() if one is not record]
    assert [id for one in others for id in one.ids()] == [*ids[:number], *ids[number + 1 :]]
    assert (log.damages.count, storage.read(FIRST)) == (1, before)


# The last one is the last of its segment.
@pytest.mark.parametrize("number", [0, 1, 5, 6])
@pytest.mark.parametrize("within", [512, 700])
def test_damage_behind_a_header_is_reported_and_met_by_who_reads_it(number: int, within: int) -> None:
    storage, ids = filled(8)
    flip(storage, FIRST, place(number) + within)
    check_met_by_readers(storage, ids, number)


def test_sectors_of_zeros_in_what_a_clean_stop_left_are_damage() -> None:
    storage, ids = filled(3)
    storage.damage(FIRST, place(2) + SECTOR_BYTES, bytes(SECTOR_BYTES))
    check_met_by_readers(storage, ids, 2)


def test_the_next_segment_proves_the_last_record_of_an_older_one() -> None:
    storage, ids = filled(40)
    assert len(segment_names(storage)) > 1
    count = (SEGMENT - SECTOR_BYTES) // record_bytes()
    flip(storage, FIRST, place(count - 1) + 600)
    check_met_by_readers(storage, ids, count - 1)


def test_a_later_record_proves_what_no_mark_does() -> None:
    storage, ids = filled(3)
    log = opened(storage)
    for id in ("proven", "proves"):
        observe(log, id)
        log.sync()
    storage = storage.after_kill()
    flip(storage, FIRST, place(3) + 600)
    check_met_by_readers(storage, [*ids, "proven", "proves"], 3)


def test_a_later_record_of_the_same_sync_proves_nothing() -> None:
    storage, _ = filled(3)
    log = opened(storage)
    for id in ("one", "other"):
        observe(log, id)
    storage = storage.after_kill()
    flip(storage, FIRST, place(3) + 600)
    with pytest.raises(CorruptData, match=rf"{FIRST} is damaged at offset {place(3) + SECTOR_BYTES}\b"):
        opened(storage)


def test_a_mark_in_another_segment_does_not_prove_a_torn_record() -> None:
    storage = torn()
    # The log goes on in the next segment, with another record of the same generation.
    log = opened(storage)
    observe(log, "real")
    log.sync()
    log.leave_mark()
    storage = storage.after_kill()
    flip(storage, "000000000002.log", SECTOR_BYTES + 40)
    with pytest.raises(CorruptData, match="the record of generation 2 should begin there"):
        opened(storage)


def test_a_missing_segment_is_reported() -> None:
    storage, _ = filled(60)
    names = segment_names(storage)
    assert len(names) >= 3
    storage.remove(names[1])
    with pytest.raises(CorruptData, match=f"{names[1]} .*the file is missing"):
        opened(storage)


def test_the_first_segment_is_missed_too() -> None:
    storage, _ = filled(60)
    storage.remove(FIRST)
    with pytest.raises(CorruptData, match=f"{FIRST} .*the file is missing"):
        opened(storage)


def test_the_last_segment_is_missed_too() -> None:
    storage, _ = filled(60)
    storage.remove(segment_names(storage)[-1])
    with pytest.raises(CorruptData, match="the file is missing"):
        opened(storage)


@pytest.mark.parametrize("pair", [(0, 1), (-2, -1), (0, -1)])
def test_segments_that_changed_places_are_reported(pair: tuple[int, int]) -> None:
    storage, _ = filled(60)
    one, other = (segment_names(storage)[number] for number in pair)
    contents = storage.read(one), storage.read(other)
    storage.damage(one, 0, contents[1])
    storage.damage(other, 0, contents[0])
    with pytest.raises(CorruptData, match="another place"):
        opened(storage)


def test_an_emptied_last_segment_is_reported() -> None:
    storage, _ = filled(60)
    last = segment_names(storage)[-1]
    storage.damage(last, SECTOR_BYTES, bytes(len(storage.read(last)) - SECTOR_BYTES))
    with pytest.raises(CorruptData, match="but 60 was durable"):
        opened(storage)


def test_one_changed_bit_in_the_last_record_is_no_unfinished_write() -> None:
    for within in (0, 17, 300, 511, 512, 700, 1000):
        storage, _ = filled(3)
        log = opened(storage)
        observe(log, "acknowledged")
        log.sync()
        storage = storage.after_kill()
        flip(storage, FIRST, place(3) + within)
        with pytest.raises(CorruptData):
            opened(storage)


def test_what_a_clean_stop_left_is_provable_to_the_last_sector() -> None:
    storage, _ = filled(3)
    size = record_bytes()
    # As a power cut would leave it, had there not been a clean stop.
    storage.damage(FIRST, place(2), bytes(size))
    with pytest.raises(CorruptData, match="ends there with generation 2, but 3 was durable"):
        opened(storage)


def test_a_mark_proves_what_was_written_before_it() -> None:
    storage, _ = filled(3)
    log = opened(storage)
    for id in ("marked", "after the mark"):
        observe(log, id)
        log.sync()
        if id == "marked":
            log.leave_mark()
    storage = storage.after_kill()
    storage.damage(FIRST, place(4), bytes(record_bytes()))
    assert opened(storage.after_kill()).last_generation == 4
    storage.damage(FIRST, place(3), bytes(record_bytes()))
    with pytest.raises(CorruptData, match="ends there with generation 3, but 4 was durable"):
        opened(storage)


def test_segments_of_another_log_are_refused() -> None:
    storage, _ = filled(3)
    other, _ = filled(3)
    storage.damage(FIRST, 0, other.read(FIRST))
    with pytest.raises(CorruptData, match="another place, space or time") as report:
        opened(storage)
    assert report.value.code == "foreign_segment"


def test_an_older_copy_of_a_segment_is_refused() -> None:
    storage, _ = filled(3)
    older = storage.read(FIRST)
    log = opened(storage)
    observe(log, "newer")
    log.sync()
    log.close()
    storage.damage(FIRST, 0, older)
    with pytest.raises(CorruptData, match="ends there with generation 3, but 4 was durable"):
        opened(storage)


def test_segments_that_an_older_manifest_does_not_know_are_not_passed_over() -> None:
    storage, _ = filled(3)
    older = storage.read(FILE_NAME)
    log = opened(storage)
    for number in range(30):
        observe(log, f"more {number}")
    log.sync()
    log.close()
    storage.replace(FILE_NAME, older)
    with pytest.raises(CorruptData, match="manifest does not know it"):
        opened(storage)


def test_a_damaged_first_sector_of_a_segment_is_told_and_costs_nothing() -> None:
    storage, ids = filled(3)
    flip(storage, FIRST, 30)
    log = opened(storage)
    assert stored_ids(log) == ids
    (damage,) = log.damages.all()
    assert (damage.file, damage.offset) == (f"log/{FIRST}", 0)


def test_a_newer_segment_is_refused_by_its_format() -> None:
    storage, _ = filled(1)
    header = read_segment_header(memoryview(storage.read(FIRST)), FIRST)
    assert header is not None
    sector = bytearray(header.pack())
    sector[8] = 3
    sector[4:8] = sector_sum(sector[8:], 0, 0).to_bytes(4, "little")
    storage.damage(FIRST, 0, bytes(sector))
    with pytest.raises(NewerFormat, match="is of format 3, which a newer Engram wrote"):
        opened(storage)


@pytest.mark.parametrize("keep", [0, 1024, 4096, 8000])
@pytest.mark.parametrize("which", [0, 1, -1])
def test_a_cut_segment_is_reported(which: int, keep: int) -> None:
    storage, _ = filled(60)
    name = segment_names(storage)[which]
    storage.truncate(name, keep)
    with pytest.raises(CorruptData, match=f"{name} .*it was cut"):
        opened(storage)


def test_garbage_in_place_of_an_older_segment_is_reported() -> None:
    storage, _ = filled(60)
    storage.damage(FIRST, 0, Random(1).randbytes(SEGMENT))
    with pytest.raises(CorruptData):
        opened(storage)


def test_garbage_in_place_of_the_last_segment_is_reported() -> None:
    storage, _ = filled(60)
    last = segment_names(storage)[-1]
    storage.damage(last, 0, Random(1).randbytes(SEGMENT))
    before = content_of(storage)
    with pytest.raises(CorruptData, match=rf"{last} is damaged at offset {SECTOR_BYTES}\b"):
        opened(storage)
    assert content_of(storage) == before


def test_a_log_shorter_than_its_checkpoint_is_reported() -> None:
    storage, _ = filled(3)
    assert opened(storage, trusted_generation=3).last_generation == 3
    with pytest.raises(CorruptData, match="generation 3, but 4 was durable"):
        opened(storage, trusted_generation=4)
    with pytest.raises(CorruptData, match="generation 0, but 1 was durable"):
        opened(FaultyStorage(), trusted_generation=1)


def test_trusted_records_get_only_their_headers_checked() -> None:
    storage, ids = filled(3)
    flip(storage, FIRST, place(2) + 600)
    assert opened(storage).damages.count == 1
    log = opened(storage, trusted_generation=3)
    assert log.damages.count == 0
    assert log.records()[1].id(0) == ids[1]
    with pytest.raises(CorruptData):
        log.records()[2].vector(0)
    assert log.damages.count == 1


def test_another_dimension_is_reported() -> None:
    storage, _ = filled(1)
    with pytest.raises(CorruptData, match="dimension 8 at offset 512 where the space has 16"):
        open_log(storage, 16)


def test_a_segment_whose_creation_was_interrupted_is_no_obstacle() -> None:
    storage, ids = filled(3)
    storage.create("000000000002.log", 0)
    log = opened(storage)
    for number in range(40):
        observe(log, f"more-{number}")
    log.sync()
    log.close()
    assert len(stored_ids(opened(storage))) == 43
    assert stored_ids(opened(storage))[:3] == ids


def test_foreign_files_are_ignored() -> None:
    storage, ids = filled(2)
    storage.create("notes.txt", 10)
    storage.directory("7.log")
    assert stored_ids(opened(storage)) == ids


@pytest.mark.parametrize("kept", [1, 3])
def test_records_that_cannot_be_read_are_not_a_crashs_remains(monkeypatch: pytest.MonkeyPatch, kept: int) -> None:
    """Unreadable pages look like zeros, and zeros like a write that was never finished, or never begun."""
    storage = FaultyStorage()
    log = opened(storage)
    for number in range(3):
        observe(log, f"id-{number}")
        log.sync()
    crashed = storage.after_power_loss(Random(1))
    for number in range(kept, 3):
        crashed.damage(FIRST, place(number), bytes(record_bytes()))
    monkeypatch.setattr(MemoryFile, "lost_pages", 1)
    before = content_of(crashed)
    with pytest.raises(CorruptData, match="could not be read") as caught:
        opened(crashed)
    assert (caught.value.code, caught.value.field) == ("unreadable_segment", FIRST)
    assert content_of(crashed) == before


def test_a_segment_that_cannot_be_read_is_not_taken_for_a_blank_one(monkeypatch: pytest.MonkeyPatch) -> None:
    storage = FaultyStorage()
    opened(storage)._pool.take(1, SEGMENT)
    stranger = "000000000009.log"
    FaultyStorage.create(storage, stranger, SEGMENT)
    monkeypatch.setattr(MemoryFile, "lost_pages", 1)
    with pytest.raises(CorruptData, match=stranger):
        opened(storage)
    assert stranger in storage.names()
