"""Text columns: the UTF-8 of all texts in one blob, and offsets into it."""

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
    """Read one text of a column without checking it; the caller must check the returned ranges.

    For the parameters see `TextColumn`.

    Returns
    -------
    tuple[bytes, tuple[int, int, int, int]]
        A copy of the text's UTF-8; and the ranges that were read, in bytes from the beginning of the payload: begin and
        end of the text's offsets, then begin and end of the text.
    """
    offsets, start, nbytes = place
    offsets += 4 * row
    begin, end = _span_at(memory, payload + offsets)
    first = payload + start
    # Damaged offsets must not lead out of the column, or a large part of the segment might be copied.
    utf8 = bytes(memory[first + begin : first + (end if end < nbytes else nbytes)])
    return utf8, (offsets, offsets + 8, start + begin, start + end)


def encode_texts(texts: Sequence[str]) -> tuple[NDArray[np.uint32], bytes]:
    """Return `texts` as a column.

    Returns
    -------
    tuple[NDArray[np.uint32], bytes]
        The offsets, shape ``(n + 1,)``, ascending; and the blob in which text i is ``blob[offsets[i]:offsets[i + 1]]``.
    """
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
    """A text column inside a record, decoded on demand. It does not check what it reads.

    Parameters
    ----------
    memory
        Bytes that contain the record.
    payload
        Byte in `memory` at which the record's payload begins.
    place
        Position of the column in the payload.
    count
        Number of texts.
    """

    __slots__ = ("_blob", "_offsets")

    def __init__(self, memory: memoryview, payload: int, place: TextPlace, count: int) -> None:
        offsets = payload + place.offsets
        self._offsets = memory[offsets : offsets + 4 * (count + 1)].cast("I")
        self._blob = memory[payload + place.start : payload + place.stop]

    def texts(self) -> list[str]:
        """Return all texts, in the order of the rows."""
        blob = bytes(self._blob)
        offsets = self._offsets.tolist()
        slices = map(slice, offsets[:-1], offsets[1:])
        if blob.isascii():
            return list(map(blob.decode().__getitem__, slices))
        return list(map(bytes.decode, map(blob.__getitem__, slices)))

    def rfind(self, text: str, end: int) -> int:
        """Return the last row before row `end` that holds exactly `text`, or -1."""
        wanted = text.encode()
        offsets = np.frombuffer(self._offsets, np.uint32)
        blob = bytes(self._blob[: int(offsets[end])])
        limit = len(blob)
        # An occurrence in the blob may span two texts or be a part of a longer one. Each such miss lowers the limit.
        while (found := blob.rfind(wanted, 0, limit)) >= 0:
            row = int(np.searchsorted(offsets[: end + 1], found, side="right")) - 1
            if offsets[row] == found and offsets[row + 1] == found + len(wanted):
                return row
            limit = found + len(wanted) - 1
        return -1
