"""Records are read from the disk before a reader touches them.

A page of the mapped log that is on the disk only is read when it is touched, one after the other; and a thread that
touches it from Python keeps the interpreter from all others meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from engram import _core
from engram.log.record import Record

# Of a larger record few rows are wanted, so it is read where it is touched.
_RECORD_BYTES_MAX: Final = 256 << 10


def read_ahead(records: Iterable[Record]) -> None:
    """Have all that `records` hold besides their vectors in memory, without keeping the interpreter meanwhile."""
    pieces = [piece for record in set(records) for piece in record.beside_vectors() if len(piece) <= _RECORD_BYTES_MAX]
    _core.read_ahead(pieces)
