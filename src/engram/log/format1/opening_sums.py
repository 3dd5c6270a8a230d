"""Sector checksums of a format 1 file, computed when the file is opened, before all of it is checked.

Format 1 has one checksum per record, which is too coarse to check a single hit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engram import _core
from engram.log.records.sectors import SECTOR_BYTES

_SUM_BYTES: Final = 4


class OpeningSums:
    """The checksums that the sectors of a file had when it was opened.

    The constructor computes the sums. The caller then checks the whole file against the file's own checksums. Because
    of this order, no byte can have changed between what was checked and what is remembered here.

    Parameters
    ----------
    memory
        The bytes of the mapped file.
    """

    __slots__ = ("_memory", "_sums")

    def __init__(self, memory: memoryview) -> None:
        self._memory = memory
        self._sums = self._sums_of(0, len(memory))

    def first_change(self, ranges: Sequence[int]) -> int:
        """Return the file offset of the first changed sector that `ranges` touch, or -1 if none has changed.

        Parameters
        ----------
        ranges
            Pairs of begin and end, one after the other, as offsets in the file. A range outside of the file counts as
            changed, because only changed data can have led there.
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
        """Return the checksums of the sectors from the one at `first` to the one that ends at or behind `stop`."""
        taken = self._memory[first : stop + -stop % SECTOR_BYTES]
        sums = _core.sector_sums([taken, bytes(-len(taken) % SECTOR_BYTES)])
        return _core.salted_sums(sums, 0, first // SECTOR_BYTES)
