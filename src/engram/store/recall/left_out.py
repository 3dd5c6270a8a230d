"""Handling of damaged observations in a recall: it raises, or leaves them out and reports this."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Final

from engram.errors import CorruptData, Unavailable
from engram.log.log import Log
from engram.log.records.record import Record


class LeftOut:
    """The damaged observations that one recall has met. One thread at a time may use it.

    Parameters
    ----------
    log
        The log that has the observations.
    skip
        Whether the recall goes on without damaged observations.
    generation
        The retained generation as of which the recall reads; 0 if it reads observations of all times.

    Attributes
    ----------
    generations
        Generations that were left out. Searches append to it, and `settle` handles them afterwards.
    """

    def __init__(self, log: Log, skip: bool = False, generation: int = 0) -> None:
        self._log = log
        self._generation = generation
        self.skip: Final = skip
        self.generations: Final[list[int]] = []
        self._settled = 0

    @property
    def any(self) -> bool:
        """Whether the answer is incomplete."""
        return bool(self.generations)

    def settle(self) -> None:
        """Report the observations that searches have left out since the last call.

        A search that goes on while something is erased finds that as damaged. It is passed over: nothing is left out
        that should be there.

        Raises
        ------
        CorruptData
            Names the first damaged place, unless damage is skipped. The next call raises the error again: a caller that
            continues after it must not get an answer that is incomplete without saying so.
        """
        while self._settled < len(self.generations):
            try:
                error = self._report(self.generations[self._settled])
            except Unavailable as gone:
                if gone.code != "erased":
                    raise
                del self.generations[self._settled]
                continue
            if not self.skip:
                raise error
            self._settled += 1

    def note(self, generations: Sequence[int]) -> None:
        """Leave out observations whose vectors were found damaged elsewhere.

        Raises
        ------
        CorruptData
            As for `settle`.
        """
        self.generations.extend(generations)
        self.settle()

    def add(self, unreadable: Sequence[tuple[int, CorruptData]]) -> None:
        """Leave out observations that were found unreadable elsewhere.

        Raises
        ------
        CorruptData
            The first error in `unreadable`, unless damage is skipped.
        """
        for generation, error in unreadable:
            if not self.skip:
                raise copy.copy(error)
            self.generations.append(generation)
            self._settled += 1

    def can_be_read(self, record: Record, row: int) -> bool:
        """Return whether a whole observation can be read; if damage is not skipped, return True without reading it."""
        if self.skip:
            try:
                record.row(row)
                record.vector(row)
            except CorruptData:
                self.generations.append(record.generation(row))
                self._settled += 1
                return False
        return True

    def _report(self, generation: int) -> CorruptData:
        with self._log.as_of(self._generation):
            record, row = self._log.locate(generation)
        try:
            record.vector(row)
        except CorruptData as error:
            return error
        # A record of format 1 has a single checksum, which reading one vector does not check. The mismatch is with the
        # checksum that was computed when the space was opened.
        what = "the vector is not the one that was read when the space was opened"
        segment = record.segment
        return segment.report(record.vector_offset(row), generation, generation, what).error()
