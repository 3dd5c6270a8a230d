"""The write-ahead log of one space, which is also its store of record and its vector table."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Final

from engram.errors import FailedPrecondition, Unavailable
from engram.log.encoding import EncodedRecord, encode_record
from engram.log.entry import LogEntry, check_contiguous
from engram.log.failures import typed_failures, unavailable
from engram.log.prepared_write import PreparedWrite, Run
from engram.log.record import Record
from engram.log.recovery import RecoveredLog, recover
from engram.log.segment import Segment
from engram.log.segment_pool import SegmentPool
from engram.log.staging import BLOCK_BYTES
from engram.log.storage import Storage
from engram.observations import now_us

SEGMENT_BYTES_DEFAULT: Final = 64 << 20
_SEGMENT_BYTES_FIRST: Final = 1 << 20


class Log:
    """Records with contiguous generations from 1, in segments that are mapped into memory.

    One thread writes (`append`, `sync`, `close`); any number of threads read (`records`, `locate`, the records
    themselves) without locks, since records are published complete and never change. Not usable in a forked child.
    Open with `Log.open`.
    """

    def __init__(self, storage: Storage, dim: int, segment_bytes: int, recovered: RecoveredLog) -> None:
        self._dim = dim
        self._segment_bytes = segment_bytes
        self._records = recovered.records
        self._first_generations = [record.first_generation for record in recovered.records]
        self._last_generation = recovered.last_generation
        self._synced_generation = recovered.last_generation
        self._nbytes = recovered.nbytes
        self._pool = SegmentPool(storage, recovered.last_epoch, recovered.blanks)
        # After a crash the last segment ends in remains that new records must not be mixed with.
        self._segment = None if recovered.is_torn else recovered.last
        self._failure: Unavailable | None = None
        self._closed = False
        if recovered.last is not None:
            self._make_durable(recovered.last, is_torn=recovered.is_torn)

    @classmethod
    def open(
        cls, storage: Storage, dim: int, *, segment_bytes: int = SEGMENT_BYTES_DEFAULT, trusted_generation: int = 0
    ) -> Log:
        """Open the log on `storage`, or begin one.

        Parameters
        ----------
        storage
            A directory of its own.
        dim
            Dimension of the vectors.
        segment_bytes
            Size of new segments once the log has grown to it; the first ones are smaller. A larger record gets a
            segment of its own.
        trusted_generation
            What a checkpoint covers. Records up to it get only their headers checked, and they must be there.

        Raises
        ------
        CorruptData
            If durable records are broken or missing, naming the file and the offset. An unfinished write at the very
            end, which a crash explains, is dropped instead.
        Unavailable
            If the storage cannot be read or written.
        """
        with typed_failures("opening the log"):
            return cls(storage, dim, segment_bytes, recover(storage, dim, trusted_generation))

    @property
    def last_generation(self) -> int:
        """The generation of the last appended record, or 0."""
        return self._last_generation

    @property
    def synced_generation(self) -> int:
        """The last generation that is known to be durable."""
        return self._synced_generation

    @property
    def nbytes(self) -> int:
        """Bytes of all records."""
        return self._nbytes

    def records(self) -> Sequence[Record]:
        """All records in order; grows while the log is written."""
        return self._records

    def locate(self, generation: int) -> tuple[Record, int]:
        """The record that holds `generation`, and its row there.

        Raises
        ------
        LookupError
            If there is no such generation.
        """
        index = bisect_right(self._first_generations, generation) - 1
        if index >= 0:
            record = self._records[index]
            row = generation - record.first_generation
            if row < record.count:
                return record, row
        raise LookupError(f"generation {generation} is not in the log, which holds 1..{self._last_generation}")

    def records_from(self, generation: int) -> Iterator[Record]:
        """The records from the one that holds `generation` on, up to the newest that is appended meanwhile."""
        index = max(bisect_right(self._first_generations, generation) - 1, 0)
        while index < len(self._first_generations):
            yield self._records[index]
            index += 1

    def generation_at(self, time_us: int) -> int:
        """The last generation that was written at or before `time_us`, microseconds since 1970 UTC; 0 for none."""
        index = bisect_right(self._records, time_us, key=attrgetter("committed_us"))
        return self._records[index - 1].last_generation if index else 0

    def backwards(self, generation: int) -> Iterator[tuple[Record, int]]:
        """The records from the one that holds `generation` back to the first, each with its rows up to there."""
        start = bisect_right(self._first_generations, generation) - 1
        for index in range(start, -1, -1):
            record = self._records[index]
            yield record, min(record.count, generation - record.first_generation + 1)

    def check_usable(self) -> None:
        """Refuse what could not be written any more.

        Raises
        ------
        Unavailable
            After a failure for good; see `append` and `sync`.
        FailedPrecondition
            After `close`.
        """
        if self._closed:
            raise FailedPrecondition("the log is closed", code="closed")
        if self._failure is not None:
            raise Unavailable(self._failure.message, code=self._failure.code, field="disk")

    def append(self, entries: Sequence[LogEntry]) -> list[Record]:
        """Write `entries` in one go. They are not durable before `sync`.

        Raises
        ------
        Unavailable
            ``disk_full`` or ``read_only``: nothing of `entries` is in the log, now or after a crash, and a later
            append may succeed. ``log_failed``: the log takes no more writes; reopening it tells what was stored.
        """
        prepared = self.prepare(entries)
        self.write(prepared)
        return prepared.records

    def prepare(self, entries: Sequence[LogEntry]) -> PreparedWrite:
        """Give `entries` their places, without writing them yet; what comes next must be writing them.

        Raises
        ------
        Unavailable
            As for `append`.
        """
        self.check_usable()
        check_contiguous(entries, self._last_generation + 1)
        return PreparedWrite(self._place([encode_record(entry, self._dim) for entry in entries]))

    def write(self, prepared: PreparedWrite) -> None:
        """Write what was prepared, as `append` does."""
        plan = prepared.runs
        try:
            self._write(plan)
        except OSError as error:
            self._give_up(plan, unavailable(error, "writing the log"))
        except BaseException as error:
            self._fail(f"writing the log was interrupted: {error!r}")
            raise
        self._publish(prepared)

    def sync(self) -> None:
        """Return once everything appended is durable.

        Raises
        ------
        Unavailable
            ``log_failed``: what was appended since the last sync may or may not be stored, and the log takes no more
            writes. After a failed sync the kernel may have dropped the data, so trying again would prove nothing.
        """
        self.check_usable()
        if self._synced_generation == self._last_generation or self._segment is None:
            return
        try:
            self._segment.file.sync()
        except OSError as error:
            raise self._fail(f"a sync of the log failed: {error}") from error
        self._synced_generation = self._last_generation

    def close(self) -> None:
        """Release the files. Records stay readable. Calling it again does nothing."""
        if not self._closed:
            self._closed = True
            self._pool.close()
            if self._segment is not None:
                self._segment.file.close()

    def _place(self, records: Sequence[EncodedRecord]) -> list[Run]:
        """Give every record its place. Creates the segments for all of them first, so a full disk stops it here."""
        plan: list[Run] = []
        # A clock that is set back must not turn the order of generations around.
        committed_us = max(self._records[-1].committed_us if self._records else 0, now_us())
        segment, position = self._segment, 0 if self._segment is None else self._segment.end
        taken: list[Segment] = []
        try:
            for record in records:
                if segment is None or position + record.nbytes > len(segment.view):
                    segment, position = self._pool.take(record.nbytes, self._next_segment_bytes()), 0
                    taken.append(segment)
                if not plan or plan[-1].segment is not segment:
                    plan.append(Run(segment, []))
                place = segment.epoch, position, len(segment.view)
                plan[-1].records.append(record.placed(*place, self._synced_generation, committed_us))
                position += record.nbytes
        except OSError as error:
            self._pool.give_back(taken)
            raise unavailable(error, "adding a segment to the log") from error
        return plan

    def _write(self, plan: Sequence[Run]) -> None:
        previous = self._segment
        for run in plan:
            # Only the last segment may lack a sync, or recovery could not tell a crash from damage.
            if previous is not None and run.segment is not previous:
                self._seal(previous)
            run.segment.write(run.records)
            previous = run.segment

    def _seal(self, segment: Segment) -> None:
        try:
            segment.file.sync()
        except OSError as error:
            raise self._fail(f"a sync of the log failed: {error}") from error

    def _give_up(self, plan: Sequence[Run], failure: Unavailable) -> None:
        """Undo a failed write so that no part of it can ever become part of the log, then report it."""
        try:
            for run in plan:
                run.segment.erase(run.start, run.end)
        except OSError as error:
            code = "read_only" if failure.code == "read_only" else "log_failed"
            raise self._fail(f"{failure.message}, and undoing it failed too: {error}", code) from error
        if failure.code == "log_failed":
            raise self._fail(failure.message)
        self._pool.give_back([run.segment for run in plan if run.segment is not self._segment])
        raise failure

    def _publish(self, prepared: PreparedWrite) -> None:
        appended = prepared.records
        for run in prepared.runs:
            if run.segment is not self._segment:
                if self._segment is not None:
                    self._segment.file.close()
                self._segment = run.segment
                self._pool.prepare(self._next_segment_bytes())
            self._nbytes += run.end - run.start
            run.segment.end = run.end
        # Readers bisect the generations, so the records they lead to must be there first.
        self._records.extend(appended)
        self._first_generations.extend(record.first_generation for record in appended)
        self._last_generation = appended[-1].last_generation

    def _next_segment_bytes(self) -> int:
        """New segments grow with the log, so that many small spaces do not reserve much."""
        return min(self._segment_bytes, max(_SEGMENT_BYTES_FIRST, self._nbytes + -self._nbytes % BLOCK_BYTES))

    def _make_durable(self, last: Segment, *, is_torn: bool) -> None:
        # After kill -9 the records are read from memory the kernel may not have written yet.
        last.file.sync()
        if is_torn:
            last.file.close()

    def _fail(self, message: str, code: str = "log_failed") -> Unavailable:
        # The first failure is the cause of all later ones, so it is the one to report.
        if self._failure is None:
            self._failure = Unavailable(f"{message}; the log takes no more writes", code=code, field="disk")
        return self._failure
