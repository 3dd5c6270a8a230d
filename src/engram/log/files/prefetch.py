"""Records are read from the disk before a reader touches them.

A page of the mapped log that is on the disk only is read when it is touched, one after the other; and a thread that
touches it from Python keeps the interpreter from all others meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from engram import _core
from engram.log.records.record import Record

# Of a larger record few rows are wanted, so it is read where it is touched.
_RECORD_BYTES_MAX: Final = 256 << 10
# So many records that were read are taken to be still in memory.
_REMEMBERED_MAX: Final = 1024


class Prefetch:
    """Has records in memory before they are touched; usable from any thread."""

    def __init__(self) -> None:
        self._read: set[Record] = set()

    def read(self, records: Iterable[Record]) -> None:
        """Have all that `records` hold besides their vectors in memory, without keeping the interpreter meanwhile."""
        missing = set(records) - self._read
        if not missing:
            return
        pieces = [piece for record in missing for piece in record.beside_vectors() if len(piece) <= _RECORD_BYTES_MAX]
        _core.read_ahead(pieces)
        # A new set, as other threads may be looking at this one; what they add meanwhile is read again, at worst.
        self._read = missing if len(self._read) + len(missing) > _REMEMBERED_MAX else self._read | missing
