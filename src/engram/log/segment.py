"""One file of the log."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import numpy as np

from engram.errors import CorruptData
from engram.log.encoding import EncodedRecord
from engram.log.header import ALIGNMENT, MAGIC, Header, payload_is_whole, read_header
from engram.log.record import Record
from engram.log.storage import Buffer, StorageFile

_NAME: Final = re.compile(r"(\d{12})\.log")
_MAGIC_WORD: Final = int.from_bytes(MAGIC, "little")
_CHUNK_BYTES: Final = 1 << 20


def segment_name(epoch: int) -> str:
    """The file name of segment number `epoch`."""
    return f"{epoch:012d}.log"


def segment_epoch(name: str) -> int | None:
    """The number of the segment called `name`, or None if that is no segment's name."""
    match = _NAME.fullmatch(name)
    return int(match[1]) if match else None


class Segment:
    """A file of the log: records one after the other from offset 0, zeros behind them.

    It never shrinks and no byte of a record changes, so its mapping may be handed out for good. `end` is where the
    next record goes; whoever writes moves it, once the records are part of the log.
    """

    __slots__ = ("end", "epoch", "file", "memory", "view")

    def __init__(self, epoch: int, file: StorageFile) -> None:
        self.epoch = epoch
        self.file = file
        self.view = file.view()
        self.memory = self.view.data
        self.end = 0

    @property
    def name(self) -> str:
        """Its file name."""
        return segment_name(self.epoch)

    def write(self, records: Sequence[EncodedRecord]) -> None:
        """Write `records`, which were placed here back to back, in one go."""
        buffers: list[Buffer] = [buffer for record in records for buffer in record.buffers()]
        self.file.write(records[0].header.position, buffers)

    def erase(self, start: int, end: int) -> None:
        """Durably overwrite with zeros what a failed write may have left."""
        zeros = bytes(_CHUNK_BYTES)
        for offset in range(start, end, _CHUNK_BYTES):
            self.file.write(offset, [zeros[: end - offset]])
        self.file.sync()

    def is_blank(self, start: int = 0) -> bool:
        """Whether nothing was ever written from `start` on."""
        size = len(self.view)
        return not any(self.view[offset : offset + _CHUNK_BYTES].any() for offset in range(start, size, _CHUNK_BYTES))

    def first_header(self) -> Header | None:
        """The header of the first record, if it checks out."""
        return self._header_at(0)

    def scan(self, next_generation: int, dim: int, trusted_generation: int) -> list[Record]:
        """Read the records that continue the log at `next_generation`, and set `end` behind them.

        Records up to `trusted_generation` are known to be whole; only their headers are checked.

        Raises
        ------
        CorruptData
            If the file was cut, or belongs to a log of another dimension.
        """
        records: list[Record] = []
        self.end = 0
        while (header := self._header_at(self.end)) is not None and header.first_generation == next_generation:
            self._check_origin(header, dim)
            if header.last_generation > trusted_generation and not payload_is_whole(self.memory, header):
                break
            records.append(Record(self.memory, header))
            next_generation = header.last_generation + 1
            self.end += header.length
        return records

    def later_headers(self) -> list[Header]:
        """The headers that check out somewhere behind `end`, in whatever state their records are."""
        words = np.frombuffer(self.memory, np.uint32, (len(self.view) - self.end) // 4, self.end)
        candidates = self.end + ALIGNMENT * np.flatnonzero(words[:: ALIGNMENT // 4] == _MAGIC_WORD)
        headers = [self._header_at(int(position)) for position in candidates]
        return [header for header in headers if header is not None]

    def _header_at(self, position: int) -> Header | None:
        header = read_header(self.memory, position)
        return header if header is not None and header.epoch == self.epoch else None

    def _check_origin(self, header: Header, dim: int) -> None:
        if header.segment_bytes != len(self.view):
            raise CorruptData(
                f"{self.name} has {len(self.view)} bytes where its records say {header.segment_bytes}: it was cut at "
                f"offset {len(self.view)}",
                code="truncated_segment",
                field=self.name,
                limit=header.segment_bytes,
                value=len(self.view),
            )
        if header.dim != dim:
            raise CorruptData(
                f"{self.name} holds vectors of dimension {header.dim} at offset {header.position} where the space has "
                f"{dim}",
                field=self.name,
                limit=dim,
                value=header.dim,
            )
