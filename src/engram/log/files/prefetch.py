"""Read-ahead: records are read from the disk before a reader touches them.

The kernel reads a page of the mapped log that is not in memory when the page is touched, one page after the other. A
thread that touches such a page from Python holds the GIL meanwhile and so blocks all other threads.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from engram import _core
from engram.log.records.record import Record

# Larger pieces are not read ahead: a reader wants few of their rows, so they are read when they are touched.
_RECORD_BYTES_MAX: Final = 256 << 10
# This many of the records that were read are assumed to be in memory still.
_REMEMBERED_MAX: Final = 1024


class Prefetch:
    """Reads records into memory before they are touched. Any thread may use it."""

    def __init__(self) -> None:
        self._read: set[Record] = set()

    def read(self, records: Iterable[Record]) -> None:
        """Read everything of `records` but their vectors into memory, without holding the GIL.

        Pieces of more than 256 KiB are skipped.
        """
        missing = set(records) - self._read
        if not missing:
            return
        pieces = [piece for record in missing for piece in record.beside_vectors() if len(piece) <= _RECORD_BYTES_MAX]
        _core.read_ahead(pieces)
        # Assign a new set, because other threads may be reading the current one. Records that two threads add at the
        # same time may be lost from the set; they are then read again.
        self._read = missing if len(self._read) + len(missing) > _REMEMBERED_MAX else self._read | missing
