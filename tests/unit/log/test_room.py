"""The room that a log reserves on the disk: given back at rest, reserved again before the first write."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from engram.log.files.disk_blocks import give_blocks_back, reserve_blocks
from engram.log.files.file_storage import FileStorage
from engram.log.files.mapped_file import MappedFile
from engram.log.log import Log
from engram.log.records.entry import LogEntry
from engram.log.records.header import RecordKind
from engram.model.observations import make_batch
from tests.doubles.batches import DIM, vector_of
from tests.doubles.logs import open_log, segment_names

SEGMENT = 16 << 20
RECORD = 300_000


@pytest.fixture
def storage(tmp_path: Path) -> FileStorage:
    return FileStorage(tmp_path)


def filled(log: Log, count: int) -> Log:
    """The log with `count` more records, which are durable."""
    for _ in range(count):
        generation = log.last_generation + 1
        vectors = np.stack([vector_of("a")])
        batch = make_batch(ids=[f"id-{generation}"], vectors=vectors, contents=["x" * RECORD])
        log.append([LogEntry(RecordKind.OBSERVE, generation, batch, (), "", 0)])
    log.sync()
    return log


def opened(storage: FileStorage) -> Log:
    return open_log(storage, DIM, segment_bytes=SEGMENT)


def reserved_bytes(storage: FileStorage) -> int:
    return sum(os.stat(storage.path / name).st_blocks * 512 for name in segment_names(storage))


def takes_blocks_back(path: Path) -> bool:
    """Whether the file system does, whatever a log asks of it."""
    with path.open("w+b") as file:
        reserve_blocks(file.fileno(), 0, SEGMENT)
        try:
            give_blocks_back(file.fileno(), 0, SEGMENT)
        except OSError:
            return False
        return os.fstat(file.fileno()).st_blocks == 0


def test_a_log_at_rest_takes_what_is_in_it(storage: FileStorage, tmp_path_factory: pytest.TempPathFactory) -> None:
    if not takes_blocks_back(tmp_path_factory.mktemp("probe") / "file"):
        pytest.skip("this file system takes no blocks back")
    log = filled(opened(storage), 70)
    assert reserved_bytes(storage) >= 2 * SEGMENT
    sizes = {segment.name: segment.file.size for segment in log.segments}
    log.close()
    assert reserved_bytes(storage) < log.nbytes + (2 << 20)
    assert {name: os.stat(storage.path / name).st_size for name in segment_names(storage)} == sizes
    for _ in range(3):
        # Reading reserves nothing.
        again = opened(storage)
        assert [record.ids() for record in again.records()] == [[f"id-{number}"] for number in range(1, 71)]
        again.close()
    assert reserved_bytes(storage) < log.nbytes + (2 << 20)


def test_a_log_that_goes_on_reserves_what_it_gave_back(storage: FileStorage) -> None:
    filled(opened(storage), 70).close()
    log = filled(opened(storage), 1)
    present = log.present
    assert present is not None
    assert os.stat(storage.path / present.name).st_blocks * 512 >= present.file.size
    log.close()
    assert opened(storage).last_generation == 71


def test_a_log_goes_on_in_a_smaller_segment_if_there_is_no_room_for_what_it_gave_back(
    storage: FileStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = filled(opened(storage), 70)
    epoch = first.segments[-1].epoch
    first.close()

    def reserve(file: MappedFile, begin: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(MappedFile, "reserve", reserve)
    log = filled(opened(storage), 2)
    assert log.segments[-1].epoch > epoch
    log.close()
    assert opened(storage).last_generation == 72


def test_what_a_crash_left_reserved_stays(storage: FileStorage) -> None:
    log = filled(opened(storage), 70)
    (*_, present) = log.segments
    present.file.close()
    assert opened(storage).last_generation == 70
    assert os.stat(storage.path / present.name).st_blocks * 512 >= present.file.size
