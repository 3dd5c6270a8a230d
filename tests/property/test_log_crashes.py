"""The log against a model, with crashes: what was synced survives, nothing appears that was never appended."""

from __future__ import annotations

import errno
from collections.abc import Callable
from random import Random

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from engram.errors import Unavailable
from engram.log.records.entry import LogEntry
from engram.log.records.header import RecordKind
from engram.log.records.record import Record
from tests.doubles.batches import batch_of, content_of, vector_of
from tests.doubles.faulty_storage import Fault, FaultyStorage
from tests.doubles.logs import open_log

# One record: its kind, its ids, and the version their contents derive from.
Row = tuple[RecordKind, tuple[str, ...], int]
SHAPES = st.lists(
    st.tuples(st.sampled_from([RecordKind.OBSERVE, RecordKind.OBSERVE, RecordKind.DELETE]), st.integers(1, 12)),
    min_size=1,
    max_size=5,
)


class CrashingLog(RuleBasedStateMachine):
    """Appends, syncs, full disks, failed syncs, kills and power losses in any order."""

    @initialize(segment_bytes=st.sampled_from([2048, 4096, 65536]), whole_blocks=st.booleans())
    def start(self, segment_bytes: int, whole_blocks: bool) -> None:
        self.segment_bytes = segment_bytes
        self.storage = FaultyStorage(whole_blocks=whole_blocks)
        self.synced: list[Row] = []
        self.unsynced: list[Row] = []
        self.has_failed = False
        self.version = 0
        self.open()

    @rule(shape=SHAPES)
    def append(self, shape: list[tuple[RecordKind, int]]) -> None:
        rows, entries = self.make_entries(shape)
        if self.has_failed:
            assert self.code_of(lambda: self.log.append(entries)) == "log_failed"
            return
        records = self.log.append(entries)
        assert [record.first_generation for record in records] == [entry.first_generation for entry in entries]
        self.unsynced += rows

    @rule()
    def sync(self) -> None:
        if self.has_failed:
            return
        self.log.sync()
        self.synced += self.unsynced
        self.unsynced = []

    @precondition(lambda self: not self.has_failed)
    @rule(
        shape=SHAPES,
        operation=st.sampled_from(["write", "create"]),
        bytes_before=st.integers(0, 6000),
        undo_fails=st.sampled_from([False, False, True]),
    )
    def append_to_a_full_disk(
        self, shape: list[tuple[RecordKind, int]], operation: str, bytes_before: int, undo_fails: bool
    ) -> None:
        rows, entries = self.make_entries(shape)
        self.storage.faults.pending = [Fault(operation, errno.ENOSPC, bytes_before)]
        if undo_fails and operation == "write":
            self.storage.faults.pending.append(Fault("write", errno.ENOSPC))
        code = self.code_of(lambda: self.log.append(entries))
        self.storage.faults.pending = []
        assert code in ("", "disk_full", "log_failed")
        self.has_failed = code == "log_failed"
        # Without a code the append did not meet the fault; after a failure anything may have been written.
        if code != "disk_full":
            self.unsynced += rows

    @precondition(lambda self: not self.has_failed and self.unsynced)
    @rule()
    def sync_fails(self) -> None:
        self.storage.faults.pending = [Fault("sync", errno.EIO)]
        assert self.code_of(self.log.sync) == "log_failed"
        self.storage.faults.pending = []
        self.has_failed = True

    @rule(random=st.randoms(use_true_random=False))
    def lose_power(self, random: Random) -> None:
        self.storage = self.storage.after_power_loss(random)
        self.reopen_after_crash()

    @rule()
    def kill(self) -> None:
        self.storage = self.storage.after_kill()
        self.reopen_after_crash()

    @precondition(lambda self: not self.has_failed)
    @rule(trust=st.booleans())
    def close_and_reopen(self, trust: bool) -> None:
        self.log.close()
        self.synced, self.unsynced = self.synced + self.unsynced, []
        self.open(trusted_generation=self.generations(self.synced) if trust else 0)
        assert self.rows_in_log() == self.synced

    @invariant()
    def generations_are_contiguous(self) -> None:
        if self.has_failed:
            return
        rows = self.synced + self.unsynced
        assert self.log.last_generation == self.generations(rows)
        expected = 1
        for record in self.log.records():
            assert record.first_generation == expected
            expected += record.count
            assert self.log.locate(record.last_generation) == (record, record.count - 1)

    def open(self, trusted_generation: int = 0) -> None:
        self.log = open_log(self.storage, segment_bytes=self.segment_bytes, trusted_generation=trusted_generation)

    def reopen_after_crash(self) -> None:
        self.open()
        found = self.rows_in_log()
        assert found[: len(self.synced)] == self.synced
        assert found == (self.synced + self.unsynced)[: len(found)]
        self.synced, self.unsynced, self.has_failed = found, [], False

    def make_entries(self, shape: list[tuple[RecordKind, int]]) -> tuple[list[Row], list[LogEntry]]:
        rows: list[Row] = []
        entries: list[LogEntry] = []
        generation = self.log.last_generation + 1
        for kind, count in shape:
            self.version += 1
            ids = tuple(f"{self.version}-{row}" for row in range(count))
            rows.append((kind, ids, self.version))
            if kind is RecordKind.OBSERVE:
                entries.append(LogEntry(kind, generation, batch_of(ids, self.version), session="s", first_sequence=7))
            else:
                entries.append(LogEntry(kind, generation, ids=ids))
            generation += count
        return rows, entries

    @staticmethod
    def code_of(write: Callable[[], object]) -> str:
        try:
            write()
        except Unavailable as failure:
            return failure.code
        return ""

    def rows_in_log(self) -> list[Row]:
        return [self.checked_row(record) for record in self.log.records()]

    @staticmethod
    def checked_row(record: Record) -> Row:
        ids = tuple(record.ids())
        version = int(ids[0].partition("-")[0])
        if record.kind is RecordKind.OBSERVE:
            assert (record.session, record.first_sequence) == ("s", 7)
            for row, id in enumerate(ids):
                assert record.content(row) == content_of(id, version)
                np.testing.assert_array_equal(record.vector(row), vector_of(id, version))
                assert record.metadata(row) == {"id": id, "version": version}
        return record.kind, ids, version

    @staticmethod
    def generations(rows: list[Row]) -> int:
        return sum(len(ids) for _, ids, _ in rows)


TestCrashingLog = CrashingLog.TestCase
TestCrashingLog.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
