"""What is in the log when it is opened: every durable record, and nothing that was never one.

A crash may leave the last writes torn: some sectors new, some still zero, in any order. Such a tail is dropped, for
nothing in it was acknowledged. Anything else that is broken was durable once and is reported, never repaired:
nothing is deleted or overwritten here.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from engram.errors import CorruptData
from engram.log.header import MAGIC, Header
from engram.log.record import Record
from engram.log.segment import Segment, segment_epoch, segment_name
from engram.log.storage import Storage

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class RecoveredLog:
    """The state of a log on its storage.

    Parameters
    ----------
    records
        All of them, generations contiguous from 1.
    last
        The segment that holds the last record, or None if there is no record.
    is_torn
        Whether `last` has the remains of a crash behind its end, so that it must not be written again.
    blanks
        Prepared segments that were never used, oldest first.
    last_epoch
        The highest segment number that is taken.
    nbytes
        Bytes of all records.
    """

    records: list[Record]
    last: Segment | None
    is_torn: bool
    blanks: list[Segment]
    last_epoch: int
    nbytes: int
    # The segments that were written to and how many of the records are in each.
    _taken: list[tuple[Segment, int]] = field(default_factory=list)

    @property
    def last_generation(self) -> int:
        """The generation of the last record, or 0."""
        return self.records[-1].last_generation if self.records else 0

    def take_over(self, segment: Segment, records: list[Record]) -> None:
        """Add `segment`, which was written to. Blank ones before it are passed: numbers rise with generations."""
        self.blanks.remove(segment)
        self.close()
        self.blanks.clear()
        self.last = segment
        self._add(segment, records)

    def recheck(self, generation: int, dim: int) -> None:
        """Read again, without trust, the segments that seem to hold `generation` and what follows.

        A later segment begins with that generation: a crash left the earlier ones torn, so their headers alone, which
        may have survived where their payloads did not, must not be believed.
        """
        suspects = []
        while self._taken and self.last_generation >= generation:
            segment, count = self._taken.pop()
            del self.records[len(self.records) - count :]
            self.nbytes -= segment.end
            suspects.append(segment)
        for segment in reversed(suspects):
            self._add(segment, segment.scan(self.last_generation + 1, dim, trusted_generation=0))

    def _add(self, segment: Segment, records: list[Record]) -> None:
        self._taken.append((segment, len(records)))
        self.records.extend(records)
        self.nbytes += segment.end

    def close(self) -> None:
        """Close the handles; records stay readable."""
        for segment in self.blanks:
            segment.file.close()
        if self.last is not None:
            self.last.file.close()


def recover(storage: Storage, dim: int, trusted_generation: int) -> RecoveredLog:
    """Read the log on `storage`.

    Parameters
    ----------
    storage
        The directory of the log.
    dim
        Dimension of the vectors in it.
    trusted_generation
        What a checkpoint covers. Records up to it get only their headers checked, and they must be there.

    Raises
    ------
    CorruptData
        Naming the file and the offset, if durable records are broken or missing.
    """
    epochs = sorted(epoch for name in storage.names() if (epoch := segment_epoch(name)) is not None)
    log = RecoveredLog([], None, False, [], epochs[-1] if epochs else 0, 0)
    try:
        _recover_segments(log, storage, epochs, dim, trusted_generation)
        _check_reaches(log, trusted_generation)
    except BaseException:
        log.close()
        raise
    return log


def _recover_segments(
    log: RecoveredLog, storage: Storage, epochs: Sequence[int], dim: int, trusted_generation: int
) -> None:
    for epoch in epochs:
        segment = Segment(epoch, storage.open(segment_name(epoch)))
        log.blanks.append(segment)
        first = segment.first_header()
        if first is not None and first.first_generation <= log.last_generation:
            log.recheck(first.first_generation, dim)
        records = segment.scan(log.last_generation + 1, dim, trusted_generation)
        if not records and segment.is_blank():
            continue
        if first is not None and first.first_generation != log.last_generation + 1:
            raise _gap(log, segment, first)
        log.take_over(segment, records)
    if log.last is not None:
        _judge_tail(log, log.last)


def _gap(log: RecoveredLog, segment: Segment, first: Header) -> CorruptData:
    """The report of a segment that does not begin where the log ends so far."""
    name, offset = (log.last.name, log.last.end) if log.last is not None else (segment.name, 0)
    return _corrupt(
        name,
        offset,
        f"generation {log.last_generation + 1} is broken or missing there, and {segment.name} continues with "
        f"{first.first_generation}",
    )


def _judge_tail(log: RecoveredLog, last: Segment) -> None:
    """Decide whether a crash explains what lies behind the last record."""
    if last.is_blank(last.end):
        return
    lost = log.last_generation + 1
    start = bytes(last.memory[last.end : last.end + len(MAGIC)])
    # A torn write leaves each byte as it was or as it should be; nothing else can have come from this log.
    if any(found not in (0, meant) for found, meant in zip(start, MAGIC, strict=False)):
        raise _corrupt(last.name, last.end, f"the record of generation {lost} should begin there, but {start!r} does")
    known_durable = max((header.synced_generation for header in last.later_headers()), default=0)
    if known_durable >= lost:
        raise _corrupt(
            last.name,
            last.end,
            f"the record of generation {lost} is broken, and later records show that everything up to generation "
            f"{known_durable} was durable",
        )
    log.is_torn = True
    logger.warning(
        "%s: dropped an unfinished write at offset %d, left by a crash; the log ends with generation %d",
        last.name,
        last.end,
        log.last_generation,
    )


def _check_reaches(log: RecoveredLog, trusted_generation: int) -> None:
    if log.last_generation >= trusted_generation:
        return
    name, offset = (log.last.name, log.last.end) if log.last is not None else ("the log", 0)
    raise _corrupt(
        name, offset, f"the log ends there with generation {log.last_generation}, but {trusted_generation} was durable"
    )


def _corrupt(name: str, offset: int, what: str) -> CorruptData:
    return CorruptData(f"{name} is damaged at offset {offset}: {what}", code="corrupt_log", field=name, value=offset)
