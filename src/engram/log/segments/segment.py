"""One file of the log."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

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

_NAME: Final = re.compile(r"(\d{12})\.log")
_CHUNK_BYTES: Final = 1 << 20
MISFIT: Final = "its bytes do not fit their checksum"


def segment_name(epoch: int) -> str:
    """The file name of segment number `epoch`."""
    return f"{epoch:012d}.log"


def segment_epoch(name: str) -> int | None:
    """The number of the segment called `name`, or None if that is no segment's name."""
    match = _NAME.fullmatch(name)
    return int(match[1]) if match else None


class Segment:
    """A file of the log: a sector that says whose it is, then records one after the other, then zeros.

    It never shrinks and no byte of a record changes, so its mapping may be handed out for good. `end` is where the
    next record goes; whoever writes moves it, once the records are part of the log.

    Parameters
    ----------
    epoch
        Its number.
    file
        Where it is.
    salt
        What its checksums start from.
    damages
        Where damage is reported.
    format
        1 for a segment that Engram 0.1 wrote. It has no checksums of sectors, so whoever opens it reads and checks all
        of it first.

    Attributes
    ----------
    opening_sums
        Of a segment of format 1: what its sectors were when all of it was checked; None until then.
    last_layout
        The position of the record whose layout was made last, and that layout; for records that keep none.
    """

    __slots__ = ("damages", "end", "epoch", "file", "format", "last_layout", "memory", "opening_sums", "salt", "view")

    def __init__(self, epoch: int, file: StorageFile, salt: int, damages: Damages, format: int = 2) -> None:
        self.epoch = epoch
        self.file = file
        self.salt = salt
        self.damages = damages
        self.format = format
        self.view = file.view()
        self.memory = self.view.data
        self.end = self.begin
        self.opening_sums: OpeningSums | None = None
        self.last_layout: tuple[int, Layout | None] = -1, None

    @property
    def name(self) -> str:
        """Its file name."""
        return segment_name(self.epoch)

    @property
    def begin(self) -> int:
        """Where its first record begins."""
        return SECTOR_BYTES if self.format > 1 else 0

    def write(self, records: Sequence[EncodedRecord]) -> None:
        """Write `records`, which were placed here back to back, in one go."""
        buffers: list[Buffer] = [buffer for record in records for buffer in record.buffers]
        self.file.write(records[0].header.position, buffers)

    def erase(self, start: int, end: int) -> None:
        """Durably overwrite with zeros what a failed write may have left."""
        zeros = bytes(_CHUNK_BYTES)
        for offset in range(start, end, _CHUNK_BYTES):
            self.file.write(offset, [zeros[: end - offset]])
        self.file.sync()

    def header_at(self, position: int) -> Header | None:
        """The header of the record at `position`, if one checks out there.

        Raises
        ------
        NewerFormat
            If a newer version wrote it.
        """
        if self.format == 1:
            header1 = read_header1(self.memory, position, self.epoch)
            return None if header1 is None else header1.header
        header = read_header(self.memory, position, self.salt, self.epoch)
        if header is not None:
            check_known(header, self.name)
        return header

    def payload_of(self, header: Header) -> int:
        """Where the payload of a record begins."""
        return header.payload if self.format > 1 else header.position + HEADER1_BYTES

    def lay_out(self, header: Header) -> Layout:
        """Where the columns of a record lie in its payload."""
        return lay_out(header) if self.format > 1 else lay_out1(header)

    def first_damage(self, position: int, ranges: Sequence[int]) -> int:
        """Check parts of the record at `position`: pairs of begin and end, in bytes from the beginning of its payload.

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
        """The offset of the first damage behind the header of a record, or -1: every byte of it is read."""
        if self.format > 1:
            return _core.check_all(self.view, header.position, self.salt)
        header1 = read_header1(self.memory, header.position, self.epoch)
        whole = header1 is not None and payload_is_whole1(self.memory, header1)
        return -1 if whole else header.position

    def check_records(self, position: int, bytes_max: int) -> tuple[int, int]:
        """Check the records from the one at `position` on, about `bytes_max` bytes of them; format 2 only.

        Returns
        -------
        position, wrong
            How far it got, and -1; or where the first damaged record begins, and the offset of the damage.
        """
        return _core.check_records(self.view, position, self.end, self.salt, bytes_max)

    def report(self, offset: int, first_generation: int, last_generation: int, what: str = MISFIT) -> Damage:
        """Note damage in a record that holds these generations."""
        return self.damages.report(f"log/{self.name}", offset, first_generation, last_generation, what)

    def nonzero_from(self, start: int) -> int:
        """The offset of the first sector from `start` on that was written to, or -1."""
        if start >= len(self.view):
            return -1
        return _core.nonzero_sector(self.view, start, len(self.view))

    def later_headers(self, start: int) -> list[Header]:
        """The headers that check out somewhere from `start` on, in whatever state their records are."""
        positions = range(start, len(self.view) - SECTOR_BYTES + 1, SECTOR_BYTES)
        found = (read_header(self.memory, position, self.salt, self.epoch) for position in positions)
        return [header for header in found if header is not None]


def check_size(segment: Segment, nbytes: int) -> None:
    """Refuse a segment whose file has another size than it was made with.

    Raises
    ------
    CorruptData
        Naming both.
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
