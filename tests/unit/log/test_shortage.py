"""What a full disk is short of, and when that is over."""

from __future__ import annotations

import errno
import os

import pytest

from engram.errors import Unavailable
from engram.log.records.entry import LogEntry
from engram.log.records.header import RecordKind
from engram.log.shortage import Shortages
from tests.doubles.batches import batch_of
from tests.doubles.faulty_storage import Fault, FaultyStorage
from tests.doubles.logs import open_log


def test_a_shortage_that_cannot_be_measured_is_over_a_minute_after_the_last_write_that_met_it() -> None:
    now, storage = 100.0, FaultyStorage()
    shortages = Shortages(storage, lambda: now)
    quota = OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
    for room in (None, 1 << 30):
        storage.faults.room = room
        shortages.error(quota, "writing", 8192)
        now += 59
        assert shortages.present() is not None
        shortages.error(quota, "writing", 8192)
        now += 59
        assert shortages.present() is not None
        now += 1
        assert shortages.present() is None
    storage.faults.room = 0
    shortages.error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "writing", 8192)
    now += 3600
    assert shortages.present() is not None, "which the free bytes tell"
    storage.faults.room = 8192
    assert shortages.present() is None


def test_a_shortage_is_over_when_a_write_succeeded_and_not_when_it_is_to_begin() -> None:
    """A copy-on-write file system refuses the write itself: each further try would end the shortage and begin it."""
    storage = FaultyStorage()
    log = open_log(storage, segment_bytes=1 << 16)
    log.append([LogEntry(RecordKind.OBSERVE, 1, batch_of(["a"]))])
    storage.faults.pending.append(Fault("write", errno.ENOSPC))
    entries = [LogEntry(RecordKind.OBSERVE, 2, batch_of(["b"]))]
    with pytest.raises(Unavailable):
        log.append(entries)
    assert log.shortage() is not None
    prepared = log.prepare(entries)
    assert log.shortage() is not None
    log.write(prepared)
    assert log.shortage() is None
    log.close()
