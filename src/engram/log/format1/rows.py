"""Single rows of records of format 1, which have no checksums by sector."""

from __future__ import annotations

import struct
from typing import Any, Final, NamedTuple

import numpy as np

from engram.log.records.layout import NUMBERS, Layout
from engram.log.records.text_column import read_text
from engram.model.hit import StoredRow

_TIME: Final = struct.Struct("<q")
_REAL: Final = struct.Struct("<f")


class ReadRow(NamedTuple):
    """A row, and what was read for it.

    Parameters
    ----------
    row
        The row, which is not checked yet.
    ranges
        Begin and end of each range that was read, in bytes from the beginning of the payload.
    """

    row: StoredRow
    ranges: list[int]


def read_row1(memory: memoryview, payload: int, layout: Layout, row: int) -> ReadRow:
    """Return one row of the record whose payload begins at byte `payload` of `memory`."""
    numbers: list[Any] = []
    texts: list[bytes] = []
    ranges: list[int] = []
    for spec, start in zip(NUMBERS, layout.numbers, strict=True):
        if start < 0:
            numbers.append(spec.blank())
            continue
        kind = _TIME if spec.dtype is np.int64 else _REAL
        begin = start + kind.size * row
        numbers += kind.unpack_from(memory, payload + begin)
        ranges += (begin, begin + kind.size)
    for place in layout.texts:
        utf8, read_from = read_text(memory, payload, place, row) if place else (b"", ())
        texts.append(utf8)
        ranges += read_from
    return ReadRow(StoredRow(*numbers, *(str(utf8, "utf-8") for utf8 in texts)), ranges)
