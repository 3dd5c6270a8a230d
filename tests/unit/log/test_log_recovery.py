"""Recovery: a crash's remains are dropped, damage is reported, and nothing is touched in either case."""

from __future__ import annotations

import logging
from random import Random

import pytest

from doubles.batches import DIM, batch_of
from doubles.faulty_storage import FaultyStorage
from engram.errors import CorruptData
from engram.log.entry import LogEntry
from engram.log.header import RecordKind
from engram.log.log import Log

SEGMENT = 8192


def opened(storage: FaultyStorage, trusted_generation: int = 0) -> Log:
    return Log.open(storage, DIM, segment_bytes=SEGMENT, trusted_generation=trusted_generation)


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
    storage.damage("000000000001.log", 3 * record_bytes() + 70, b"torn")
    with caplog.at_level(logging.WARNING):
        log = opened(storage)
    assert stored_ids(log) == ids
    assert "unfinished write at offset" in caplog.text
    before = storage.read("000000000001.log")
    observe(log, "next")
    log.sync()
    log.close()
    assert storage.read("000000000001.log") == before
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
    storage.damage("000000000001.log", size, bytes(size))
    log = opened(storage)
    assert stored_ids(log) == ids
    observe(log, "real")
    log.sync()
    assert stored_ids(opened(storage.after_kill())) == [*ids, "real"]


def test_a_torn_record_is_not_trusted_for_its_generation() -> None:
    storage, _ = filled(1)
    log = opened(storage)
    size = log.nbytes
    observe(log, "torn")
    # Its header reached the disk, its payload did not; the log then went on in the next segment.
    storage = storage.after_kill()
    storage.damage("000000000001.log", size + 192, bytes(size - 192))
    log = opened(storage)
    observe(log, "real")
    log.sync()
    log.close()
    assert stored_ids(opened(storage, trusted_generation=2)) == ["id-0", "real"]


def test_torn_records_are_not_trusted_across_two_crashes() -> None:
    storage, _ = filled(1)
    log = opened(storage)
    size = log.nbytes
    observe(log, "torn")
    storage = storage.after_kill()
    storage.damage("000000000001.log", size + 192, bytes(size - 192))
    log = opened(storage)
    observe(log, "torn too")
    storage = storage.after_kill()
    # Of this write not even the header reached the disk whole, but parts of its payload did.
    storage.damage("000000000002.log", 0, bytes(64))
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
@pytest.mark.parametrize("place", [0, 5, 40, 191, 192, 300])
def test_damage_in_the_middle_is_reported(number: int, place: int) -> None:
    storage, _ = filled(8)
    size = record_bytes()
    name = "000000000001.log"
    offset = number * size + place
    storage.damage(name, offset, bytes([storage.read(name)[offset] ^ 0x40]))
    before = content_of(storage)
    with pytest.raises(CorruptData, match=rf"{name} is damaged at offset {number * size}\b") as report:
        opened(storage)
    assert (report.value.field, report.value.value) == (name, str(number * size))
    assert content_of(storage) == before


def test_damage_at_the_end_of_an_older_segment_is_reported() -> None:
    storage, _ = filled(40)
    first, *others = storage.names()
    assert others
    last_in_first = opened(storage).records()[SEGMENT // record_bytes() - 1]
    offset = (SEGMENT // record_bytes() - 1) * record_bytes()
    assert last_in_first.last_generation == SEGMENT // record_bytes()
    storage.damage(first, offset + 200, b"!")
    with pytest.raises(CorruptData, match=rf"{first} is damaged at offset {offset}\b"):
        opened(storage)


def test_a_missing_segment_is_reported() -> None:
    storage, _ = filled(60)
    names = storage.names()
    assert len(names) >= 3
    storage.remove(names[1])
    with pytest.raises(CorruptData, match=f"{names[0]} is damaged at offset"):
        opened(storage)


def test_the_first_segment_is_missed_too() -> None:
    storage, _ = filled(60)
    names = storage.names()
    storage.remove(names[0])
    with pytest.raises(CorruptData, match=f"generation 1 is .* {names[1]} continues"):
        opened(storage)


@pytest.mark.parametrize("keep", [1024, 4096, 8000])
@pytest.mark.parametrize("which", [0, 1, -1])
def test_a_cut_segment_is_reported(which: int, keep: int) -> None:
    storage, _ = filled(60)
    name = storage.names()[which]
    assert keep > record_bytes()
    storage.truncate(name, keep)
    with pytest.raises(CorruptData, match=f"{name} .*it was cut"):
        opened(storage)


def test_garbage_in_place_of_an_older_segment_is_reported() -> None:
    storage, _ = filled(60)
    storage.damage(storage.names()[0], 0, Random(1).randbytes(SEGMENT))
    with pytest.raises(CorruptData):
        opened(storage)


def test_garbage_in_place_of_the_last_segment_is_reported() -> None:
    storage, _ = filled(60)
    *_, last = storage.names()
    storage.damage(last, 0, Random(1).randbytes(SEGMENT))
    before = content_of(storage)
    with pytest.raises(CorruptData, match=rf"{last} is damaged at offset 0\b"):
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
    size = record_bytes()
    storage.damage("000000000001.log", 2 * size + 200, b"?")
    assert opened(storage).last_generation == 2
    assert opened(storage, trusted_generation=3).last_generation == 3
    assert opened(storage, trusted_generation=3).records()[1].id(0) == ids[1]


def test_another_dimension_is_reported() -> None:
    storage, _ = filled(1)
    with pytest.raises(CorruptData, match="dimension 8 at offset 0 where the space has 16"):
        Log.open(storage, 16)


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
