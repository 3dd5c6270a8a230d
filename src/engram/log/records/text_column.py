"""Texts as a column: all their UTF-8 in one blob, and offsets into it."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engram.log.records.layout import TextPlace

_span_at: Final = struct.Struct("<II").unpack_from


def read_text(memory: memoryview, payload: int, place: TextPlace, row: int) -> tuple[bytes, tuple[int, int, int, int]]:
    """One text of a column; see `TextColumn` for the parameters. It is as good as its memory: check the ranges.

    Returns
    -------
    bytes, tuple
        A copy of its UTF-8; and what it was read from, begin and end of its offsets and of itself, in bytes from the
        payload's begin.
    """
    offsets, start, nbytes = place
    offsets += 4 * row
    begin, end = _span_at(memory, payload + offsets)
    first = payload + start
    # Offsets that are damaged must not lead out of the column, to a copy of half the segment.
    utf8 = bytes(memory[first + begin : first + (end if end < nbytes else nbytes)])
    return utf8, (offsets, offsets + 8, start + begin, start + end)


def encode_texts(texts: Sequence[str]) -> tuple[NDArray[np.uint32], bytes]:
    """The column of `texts`: ``n + 1`` offsets, and the blob in which text i is ``blob[offsets[i]:offsets[i + 1]]``."""
    joined = "".join(texts)
    if joined.isascii():
        blob = joined.encode()
        lengths = map(len, texts)
    else:
        encoded = list(map(str.encode, texts))
        blob = b"".join(encoded)
        lengths = map(len, encoded)
    return np.fromiter(accumulate(lengths, initial=0), np.uint32, len(texts) + 1), blob


class TextColumn:
    """A column of texts inside a record, decoded when asked. What it reads is as good as its memory.

    Parameters
    ----------
    memory
        Where the record is.
    payload
        Where the record's payload begins in it.
    place
        Where the column lies in the payload.
    count
        Number of texts.
    """

    __slots__ = ("_blob", "_offsets")

    def __init__(self, memory: memoryview, payload: int, place: TextPlace, count: int) -> None:
        offsets = payload + place.offsets
        self._offsets = memory[offsets : offsets + 4 * (count + 1)].cast("I")
        self._blob = memory[payload + place.start : payload + place.stop]

    def texts(self) -> list[str]:
        """All texts, in order."""
        blob = bytes(self._blob)
        offsets = self._offsets.tolist()
        slices = map(slice, offsets[:-1], offsets[1:])
        if blob.isascii():
            return list(map(blob.decode().__getitem__, slices))
        return list(map(bytes.decode, map(blob.__getitem__, slices)))

    def rfind(self, text: str, end: int) -> int:
        """The last row before `end` that holds exactly `text`, or -1."""
        wanted = text.encode()
        offsets = np.frombuffer(self._offsets, np.uint32)
        blob = bytes(self._blob[: int(offsets[end])])
        limit = len(blob)
        # An occurrence may straddle two texts, or be a part of a longer one; each miss moves the limit down.
        while (found := blob.rfind(wanted, 0, limit)) >= 0:
            row = int(np.searchsorted(offsets[: end + 1], found, side="right")) - 1
            if offsets[row] == found and offsets[row + 1] == found + len(wanted):
                return row
            limit = found + len(wanted) - 1
        return -1
