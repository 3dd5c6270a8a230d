"""A segment: one file of the log."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engram import _core
from engram.errors import CorruptData
from engram.log.damage import Damages
from engram.log.files.storage import Buffer, StorageFile
from engram.log.format1.opening_sums import OpeningSums
from engram.log.format1.records import HEADER_BYTES as HEADER1_BYTES
from engram.log.format1.records import lay_out1, payload_is_whole1, read_header1
from engram.log.records.encoding import EncodedRecord
from engram.log.records.header import Header, check_known, read_header
from engram.log.records.layout import Layout, lay_out
from engram.log.records.sectors import SECTOR_BYTES
from engram.model.damage import Damage

_NAME: Final = re.compile(r"(\d{12})(?:-(\d{1,9}))?\.log")
_CHUNK_BYTES: Final = 1 << 20
# What is less than this is not given back at each end and reserved at each beginning.
_ROOM_BYTES_MIN: Final = 1 << 20
LOG_DIRECTORY: Final = "log"
"""The directory of the segments, in that of their space."""
MISFIT: Final = "its bytes do not fit their checksum"


def segment_name(epoch: int, revision: int = 0) -> str:
    """Return the file name of segment number `epoch`; `revision` counts how often it was compacted."""
    return f"{epoch:012d}-{revision}.log" if revision else f"{epoch:012d}.log"


def segment_of(name: str) -> tuple[int, int] | None:
    """Return number and revision of the segment with the file name `name`, or None if it is no segment's name."""
    match = _NAME.fullmatch(name)
    return (int(match[1]), int(match[2] or 0)) if match else None


class Segment:
    """A file of the log: a first sector that names its owner, then records back to back, then zeros.

    The file never shrinks, and no byte of a record ever changes, so views of its mapping stay valid for good.

    Parameters
    ----------
    epoch
        Number of the segment.
    file
        The file.
    salt
        The number that the segment's checksums start from.
    damages
        Object that receives reports of damage.
    format
        1 for a segment that Engram 0.1 wrote. It has no sector checksums, so all of it must be read and checked when it
        is opened.
    revision
        How often the segment was compacted. A compacted one ends with a PROGRESS record and gets no more records.

    Attributes
    ----------
    end
        Offset where the next record goes. The writer moves it once the records are part of the log.
    opening_sums
        Format 1 only: the checksums that the sectors had when all of the file was checked; None until then.
    last_layout
        Position and layout of the record whose layout was computed last, for records that do not keep their own.
    """

    __slots__ = (
        "damages",
        "end",
        "epoch",
        "file",
        "format",
        "last_layout",
        "memory",
        "opening_sums",
        "revision",
        "salt",
        "view",
    )

    def __init__(
        self, epoch: int, file: StorageFile, salt: int, damages: Damages, format: int = 2, revision: int = 0
    ) -> None:
        self.epoch: int = epoch
        self.revision: int = revision
        self.file: StorageFile = file
        self.salt: int = salt
        self.damages: Damages = damages
        self.format: int = format
        self.view: NDArray[np.uint8] = file.view()
        self.memory: memoryview[int] = self.view.data
        self.end: int = self.begin
        self.opening_sums: OpeningSums | None = None
        self.last_layout: tuple[int, Layout | None] = -1, None

    @property
    def name(self) -> str:
        """The segment's file name."""
        return segment_name(self.epoch, self.revision)

    @property
    def begin(self) -> int:
        """Offset where the first record begins, in bytes."""
        return SECTOR_BYTES if self.format > 1 else 0

    def write(self, records: Sequence[EncodedRecord]) -> None:
        """Write `records` at once. They were placed in this segment back to back."""
        buffers: list[Buffer] = [buffer for record in records for buffer in record.buffers]
        self.file.write(records[0].header.position, buffers)

    def give_back_room(self) -> None:
        """Have the disk take back what is reserved for records that do not come, if that is much, and it does so."""
        with contextlib.suppress(OSError):
            if self._has_much_room:
                self.file.give_back(self.end)

    def reserve_room(self) -> bool:
        """Have the disk reserve again what `give_back_room` gave back; return False if it does not."""
        try:
            if self._has_much_room:
                self.file.reserve(self.end)
        except OSError:
            return False
        return True

    def erase(self, start: int, end: int) -> None:
        """Overwrite the bytes from `start` to `end`, which a failed write may have left, with zeros, durably."""
        zeros = bytes(_CHUNK_BYTES)
        for offset in range(start, end, _CHUNK_BYTES):
            self.file.write(offset, [zeros[: end - offset]])
        self.file.sync()

    def header_at(self, position: int) -> Header | None:
        """Return the header of the record at `position`, or None if there is no valid header.

        Raises
        ------
        NewerFormat
            If a newer version of Engram wrote the record.
        """
        if self.format == 1:
            header1 = read_header1(self.memory, position, self.epoch)
            return None if header1 is None else header1.header
        header = read_header(self.memory, position, self.salt, self.epoch)
        if header is not None:
            check_known(header, self.name)
        return header

    def payload_of(self, header: Header) -> int:
        """Return the offset of a record's payload in the segment, in bytes."""
        return header.payload if self.format > 1 else header.position + HEADER1_BYTES

    def lay_out(self, header: Header) -> Layout:
        """Return the positions of the columns in a record's payload."""
        return lay_out(header) if self.format > 1 else lay_out1(header)

    def first_damage(self, position: int, ranges: Sequence[int]) -> int:
        """Check parts of the record at `position`.

        Parameters
        ----------
        position
            Offset of the record in the file.
        ranges
            Pairs of begin and end, one after the other, in bytes from the beginning of the record's payload.

        Returns
        -------
        int
            The offset in the file of the first sector that is not as it was written; -1 if all are.
        """
        if self.format == 1:
            payload = position + HEADER1_BYTES
            sums = self.opening_sums
            return -1 if sums is None else sums.first_change([payload + edge for edge in ranges])
        return _core.check_sectors(self.view, position, ranges, self.salt)

    def damage_in(self, header: Header) -> int:
        """Check every byte behind a record's header; return the offset in the file of the first damage, or -1."""
        if self.format > 1:
            return _core.check_all(self.view, header.position, self.salt)
        header1 = read_header1(self.memory, header.position, self.epoch)
        whole = header1 is not None and payload_is_whole1(self.memory, header1)
        return -1 if whole else header.position

    def check_records(self, position: int, bytes_max: int) -> tuple[int, int]:
        """Check the records from the one at `position` on, about `bytes_max` bytes of them. Format 2 only.

        Returns
        -------
        tuple[int, int]
            The offset that was reached, and -1; or the offset where the first damaged record begins, and that of the
            damage.
        """
        return _core.check_records(self.view, position, self.end, self.salt, bytes_max)

    def report(self, offset: int, first_generation: int, last_generation: int, what: str = MISFIT) -> Damage:
        """Report damage at `offset`, in a record that holds the given generations, and return it."""
        return self.damages.report(f"{LOG_DIRECTORY}/{self.name}", offset, first_generation, last_generation, what)

    @property
    def has_remains(self) -> bool:
        """Whether something lies behind the last record, such as a write that a crash interrupted. Format 2 only."""
        return self.nonzero_from(self.end) >= 0

    def nonzero_from(self, start: int) -> int:
        """Return the offset of the first sector from `start` on that was written to, or -1 if all of them are zero."""
        if start >= len(self.view):
            return -1
        return _core.nonzero_sector(self.view, start, len(self.view))

    def later_headers(self, start: int) -> list[Header]:
        """Return all valid headers from `start` on, in whatever state their records are."""
        positions = range(start, len(self.view) - SECTOR_BYTES + 1, SECTOR_BYTES)
        found = (read_header(self.memory, position, self.salt, self.epoch) for position in positions)
        return [header for header in found if header is not None]

    @property
    def _has_much_room(self) -> bool:
        """Whether so much is reserved behind the last record that the disk takes it back while nothing is written."""
        return self.file.size - self.end >= _ROOM_BYTES_MIN


def check_size(segment: Segment, nbytes: int) -> None:
    """Refuse a segment whose file does not have the size it was created with.

    Raises
    ------
    CorruptData
        If the sizes differ; the error names both.
    """
    if len(segment.view) != nbytes:
        raise CorruptData(
            f"{segment.name} has {len(segment.view)} bytes where it was made with {nbytes}: it was cut at offset "
            f"{len(segment.view)}",
            code="truncated_segment",
            field=segment.name,
            limit=nbytes,
            value=len(segment.view),
        )
