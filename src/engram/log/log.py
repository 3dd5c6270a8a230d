"""The write-ahead log of one space, which is also its store of record and its vector table."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from engram.errors import EngramError, FailedPrecondition, Unavailable
from engram.log.damage import Damages
from engram.log.files.aligned_buffers import BLOCK_BYTES
from engram.log.files.os_errors import cannot_open, is_disk_full, typed_failures
from engram.log.files.prepared_write import PreparedWrite, Run
from engram.log.files.storage import Storage
from engram.log.manifest import Manifest, Mark
from engram.log.placement import place
from engram.log.records.encoding import EncodedRecord, encode_record
from engram.log.records.entry import LogEntry, check_order
from engram.log.records.record import Record
from engram.log.records.record_table import RecordTable
from engram.log.recovered_log import RecoveredLog
from engram.log.recovery import recover
from engram.log.segments.segment import Segment
from engram.log.segments.segment_pool import SegmentPool, least_segment_bytes, next_segment_bytes
from engram.log.shortage import Shortage, Shortages
from engram.model.times import now_us

SEGMENT_BYTES_DEFAULT: Final = 64 << 20
logger: logging.Logger = logging.getLogger(__name__)


class Log(RecordTable):
    """Records with rising generations, in segments that are mapped into memory.

    One thread writes (`append`, `sync`, `close`); any number of threads read (`records`, `locate`, the records
    themselves) without locks, because records are published complete and never change. Open with `Log.open`. Not usable
    in a forked child. After `close`, every write raises `FailedPrecondition`.
    """

    def __init__(
        self,
        storage: Storage,
        manifest: Manifest,
        dim: int,
        segment_bytes: int,
        damages: Damages,
        recovered: RecoveredLog,
        read_only: bool,
    ) -> None:
        super().__init__(recovered.pages(), recovered.last_generation)
        self.damages: Final = damages
        self.manifest: Final = manifest
        self.dim: Final = dim
        self._segment_bytes = segment_bytes
        self._synced_generation = recovered.last_generation
        self._pool = SegmentPool(storage, manifest, damages, recovered.last_epoch, recovered.blanks)
        self._segment = recovered.last
        self._is_torn = bool(recovered.segments) and recovered.last is None and recovered.segments[-1].format > 1
        self._failure: Unavailable | None = None
        self.sync_refused: bool = False
        self._shortages = Shortages(storage)
        self._closed = False
        self.read_only: Final = read_only
        if read_only:
            self._failure = Unavailable("the store was opened read-only", code="read_only", field="path")
        else:
            recovered.settle(storage, manifest)
        self._durable_end = self._end_now()

    @classmethod
    def open(
        cls,
        storage: Storage,
        manifest: Manifest,
        dim: int,
        *,
        segment_bytes: int = SEGMENT_BYTES_DEFAULT,
        trusted_generation: int = 0,
        damages: Damages | None = None,
        read_only: bool = False,
    ) -> Log:
        """Open the log on `storage`, or create one.

        Parameters
        ----------
        storage, manifest
            The directory of the log, which holds nothing else; and the space's manifest, which lists the segments.
        dim
            Dimension of the vectors.
        segment_bytes
            Size of new segments in bytes, once the log has grown to it; the first ones are smaller. A larger record
            gets a segment of its own.
        trusted_generation
            The generation that a checkpoint covers. Records up to it must exist, and only their headers are checked.
        damages
            Object that receives reports of damage.
        read_only
            Whether to change nothing on the storage.

        Raises
        ------
        CorruptData
            If durable records are missing or their headers are broken; it names the file and the offset. An unfinished
            write at the very end, which a crash explains, is dropped instead.
        NewerFormat
            If a newer version wrote some of it.
        Unavailable
            If the storage cannot be read or written.
        """
        damages = damages or Damages()
        with typed_failures("opening the log"):
            recovered = recover(storage, manifest, dim, trusted_generation, damages)
            return cls(storage, manifest, dim, segment_bytes, damages, recovered, read_only)

    @property
    def synced_generation(self) -> int:
        """The last generation that is known to be durable."""
        return self._synced_generation

    @property
    def nbytes(self) -> int:
        """Size of all records in bytes."""
        return sum(segment.end - segment.begin for segment in self.segments)

    @property
    def segments(self) -> Sequence[Segment]:
        """The segments that have been written to, oldest first."""
        return [page.segment for page in self.pages]

    @property
    def present(self) -> Segment | None:
        """The segment that records go to; None if the next record begins a new one, as it does after a torn write."""
        return self._segment

    def shortage(self) -> Shortage | None:
        """Return what the last writes that found the disk full are short of; None if there is room for them now."""
        return self._shortages.present()

    def check_usable(self) -> None:
        """Raise if the log takes no more writes.

        Raises
        ------
        Unavailable
            If the log is read-only, or after a permanent failure of `append` or `sync`.
        FailedPrecondition
            After `close`.
        """
        if self._closed:
            raise FailedPrecondition("the log is closed", code="closed")
        if self._failure is not None:
            raise Unavailable(self._failure.message, code=self._failure.code, field="disk")

    def append(self, entries: Sequence[LogEntry], *, gaps: bool = False) -> list[Record]:
        """Write `entries` at once and return their records. They are not durable before `sync`.

        Parameters
        ----------
        gaps
            Whether generations may be missing. This is needed if `entries` come from another log that was damaged.

        Raises
        ------
        Unavailable
            ``disk_full`` or ``read_only``: nothing of `entries` is in the log, now or after a crash, and a later append
            may succeed. ``log_failed``: the log takes no more writes; reopening it shows what was stored.
        ValueError
            If `entries` do not continue the log, or columns have wrong shapes. Nothing is written.
        """
        prepared = self.prepare(entries, gaps=gaps)
        self.write(prepared)
        return prepared.records

    def prepare(self, entries: Sequence[LogEntry], *, gaps: bool = False) -> PreparedWrite:
        """Assign positions to `entries` without writing them. The next call must be `write`.

        Raises
        ------
        Unavailable, ValueError
            As for `append`.
        """
        self.check_usable()
        self._begin_to_write()
        check_order(entries, self._last_generation + 1, gaps=gaps)
        return PreparedWrite(self._place([encode_record(entry, self.dim) for entry in entries]))

    def write(self, prepared: PreparedWrite) -> None:
        """Write what `prepare` returned. Raises as `append` does."""
        plan = prepared.runs
        try:
            self._write(plan)
        except OSError as error:
            nbytes = sum(run.end - run.start for run in plan)
            self._give_up(plan, self._shortages.error(error, "writing the log", nbytes))
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
            writes. The kernel may have dropped the data after the failed sync, so a second attempt would prove nothing.
        """
        self.check_usable()
        if self._synced_generation == self._last_generation or self._segment is None:
            return
        self._seal(self._segment)
        self._synced_generation = self._last_generation
        self._durable_end = self._end_now()

    def end_segment(self) -> None:
        """Let the next record begin a new segment, so that what is there, which is durable, can be rewritten."""
        segment, self._segment = self._segment, None
        if segment is not None:
            segment.file.close()

    def leave_mark(self, *, closed: bool = False) -> None:
        """Record in the manifest up to where the log is durable. Any thread may call it.

        Parameters
        ----------
        closed
            Whether nothing will be written after the mark.

        Raises
        ------
        Unavailable
            If the mark cannot be written. The previous mark still holds then.
        """
        mark = self._durable_end._replace(closed=closed)
        if not self.read_only and mark != self.manifest.mark and (closed or not self._closed):
            with typed_failures("noting how far the log went"):
                self.manifest.set_mark(mark)

    def close(self) -> None:
        """Close the files; mark the end of the log if all is durable. Records stay readable. Idempotent."""
        if self._closed:
            return
        self._closed = True
        is_whole = self._failure is None and not self._is_torn and self._synced_generation == self._last_generation
        try:
            with typed_failures("removing blank segments of the log"):
                self._pool.close(discarding=is_whole)
            if is_whole:
                self.leave_mark(closed=True)
                if self._segment is not None:
                    self._segment.give_back_room()
        except EngramError as error:
            logger.warning("%s", error)
        finally:
            for segment in self.segments:
                segment.file.close()

    def _end_now(self) -> Mark:
        last = self.pages[-1].segment if self.pages else None
        return Mark(self._last_generation, last.epoch if last else 0, last.end if last else 0)

    def _place(self, records: Sequence[EncodedRecord]) -> list[Run]:
        try:
            return place(
                records,
                segment=self._segment,
                pool=self._pool,
                next_bytes=next_segment_bytes(self.nbytes, self._segment_bytes),
                previous_generation=self._last_generation,
                synced_generation=self._synced_generation,
                # As the clock says, even if it was set back: `CommitTimes` makes the best of it.
                now_us=now_us(),
            )
        except OSError as error:
            doing = "adding a segment to the log"
            if not is_disk_full(error):
                raise cannot_open(error, doing) from error
            raise self._shortages.error(error, doing, least_segment_bytes(max(r.nbytes for r in records))) from error

    def _write(self, plan: Sequence[Run]) -> None:
        previous = self._segment
        for run in plan:
            # Only the last segment may be unsynced. Otherwise recovery could not tell a crash from damage.
            if previous is not None and run.segment is not previous:
                self._seal(previous)
            run.segment.write(run.records)
            previous = run.segment

    def _seal(self, segment: Segment) -> None:
        try:
            segment.file.sync()
        except OSError as error:
            raise self._fail_to_sync(error) from error

    def _give_up(self, plan: Sequence[Run], failure: Unavailable) -> None:
        """Undo a failed write so that no part of it can ever become part of the log, then raise the error."""
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
        is_new = any(run.segment is not self._segment for run in prepared.runs)
        self._shortages.fitted(sum(run.end - run.start for run in prepared.runs), is_new=is_new)
        for run in prepared.runs:
            if run.segment is not self._segment:
                if self._segment is not None:
                    self._segment.file.close()
                self._segment = run.segment
                self._is_torn = False
                self._pool.prepare(next_segment_bytes(self.nbytes, self._segment_bytes))
            self._add(run.segment, [record for record in appended if record.segment is run.segment])
            # Whoever reads a segment up to its end must find the records there.
            run.segment.end = run.end

    def _begin_to_write(self) -> None:
        """Clear the mark's `closed` flag before the first write after a clean stop, and reserve what was given back."""
        if self.manifest.mark.closed:
            if self._segment is not None and not self._segment.reserve_room():
                # A new segment is as large as there is room for.
                self.end_segment()
            try:
                self.manifest.set_mark(self.manifest.mark._replace(closed=False))
            except OSError as error:
                raise self._shortages.error(error, "noting that the log goes on", BLOCK_BYTES) from error

    def _fail_to_sync(self, error: OSError) -> Unavailable:
        self.sync_refused = self._failure is None
        return self._fail(f"a sync of the log failed: {error}")

    def _fail(self, message: str, code: str = "log_failed") -> Unavailable:
        # The first failure is the cause of all later ones, so it is the one to report.
        if self._failure is None:
            self._failure = Unavailable(f"{message}; the log takes no more writes", code=code, field="disk")
        return self._failure
