"""What a recall cannot answer from, because the bytes are damaged: it raises, or goes on without and says so."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Final

from engram.errors import CorruptData
from engram.log.log import Log
from engram.log.records.record import Record


class LeftOut:
    """The observations that one recall met and could not read. To be used by one thread at a time.

    Parameters
    ----------
    log
        Where the observations are.
    skip
        Whether to go on without them.

    Attributes
    ----------
    generations
        Searches append those they left out; `settle` looks at them afterwards.
    """

    def __init__(self, log: Log, skip: bool = False) -> None:
        self._log = log
        self.skip: Final = skip
        self.generations: Final[list[int]] = []
        self._settled = 0

    @property
    def any(self) -> bool:
        """Whether the answer is incomplete."""
        return bool(self.generations)

    def settle(self) -> None:
        """Report what searches left out since the last call.

        Raises
        ------
        CorruptData
            Naming the first damaged place, unless damage is skipped. The next call raises it, too: whoever goes on
            after the error must not get an answer that lacks something unsaid.
        """
        for generation in self.generations[self._settled :]:
            error = self._report(generation)
            if not self.skip:
                raise error
            self._settled += 1

    def note(self, generations: Sequence[int]) -> None:
        """Leave out observations whose vectors were found damaged by others. Raises as `settle`."""
        self.generations.extend(generations)
        self.settle()

    def add(self, unreadable: Sequence[tuple[int, CorruptData]]) -> None:
        """Leave out observations that were found damaged by others.

        Raises
        ------
        CorruptData
            The first error given, unless damage is skipped.
        """
        for generation, error in unreadable:
            if not self.skip:
                raise copy.copy(error)
            self.generations.append(generation)
            self._settled += 1

    def can_be_read(self, record: Record, row: int) -> bool:
        """Whether all of an observation can be read; only looked at where damage is skipped."""
        if self.skip:
            try:
                record.row(row)
                record.vector(row)
            except CorruptData:
                self.generations.append(record.first_generation + row)
                self._settled += 1
                return False
        return True

    def _report(self, generation: int) -> CorruptData:
        record, row = self._log.locate(generation)
        try:
            record.vector(row)
        except CorruptData as error:
            return error
        # A record of format 1 has one checksum for all of it, and what differs is the sum made when it was opened.
        what = "the vector is not the one that was read when the space was opened"
        segment = record.segment
        return segment.report(record.payload_offset + 4 * record.dim * row, generation, generation, what).error()
