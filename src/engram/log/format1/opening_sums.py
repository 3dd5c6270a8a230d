"""Checksums for files that have none as fine as a hit, taken when a file is opened, before all of it is checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engram import _core
from engram.log.records.sectors import SECTOR_BYTES

_SUM_BYTES: Final = 4


class OpeningSums:
    """What the sectors of a file were when it was opened.

    The sums are taken first, and whoever takes them checks the whole file against its own checksum then: so no byte can
    have changed between what was checked and what is remembered here.

    Parameters
    ----------
    memory
        The mapped file.
    """

    __slots__ = ("_memory", "_sums")

    def __init__(self, memory: memoryview) -> None:
        self._memory = memory
        self._sums = self._sums_of(0, len(memory))

    def first_change(self, ranges: Sequence[int]) -> int:
        """The offset of the first sector that has changed, of those that pairs of begin and end touch; -1 for none.

        What lies outside of the file has changed, too: whatever led there did.
        """
        for start, stop in zip(ranges[::2], ranges[1::2], strict=True):
            if not 0 <= start <= stop <= len(self._memory):
                return max(0, min(start, len(self._memory) - 1))
            first = start - start % SECTOR_BYTES
            place = first // SECTOR_BYTES * _SUM_BYTES
            found = self._sums_of(first, stop)
            if found != self._sums[place : place + len(found)]:
                pairs = range(0, len(found), _SUM_BYTES)
                wrong = next(p for p in pairs if found[p : p + _SUM_BYTES] != self._sums[place + p :][:_SUM_BYTES])
                return first + wrong // _SUM_BYTES * SECTOR_BYTES
        return -1

    def _sums_of(self, first: int, stop: int) -> bytes:
        """The sums of the sectors from the one at `first` to the one that ends at or behind `stop`."""
        taken = self._memory[first : stop + -stop % SECTOR_BYTES]
        padding = bytes(-len(taken) % SECTOR_BYTES)
        return _core.sector_sums([taken, padding] if padding else [taken], 0, first // SECTOR_BYTES) if taken else b""
