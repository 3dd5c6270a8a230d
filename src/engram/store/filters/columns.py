"""Columns of numbers that every observation has, by generation, in chunks that are never moved."""

from __future__ import annotations

import mmap
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engram.log.records.entry import LogEntry
from engram.log.records.header import RecordKind
from engram.log.records.record import Record

CHUNK_BITS: Final = 16
CHUNK_ROWS: Final = 1 << CHUNK_BITS
_ROW_BYTES: Final = 8 + 8 + 4 + 4
_NEVER: Final = np.iinfo(np.int64).max


class ColumnChunk:
    """The columns of the generations from ``number << CHUNK_BITS`` on.

    Attributes
    ----------
    ends
        int64, shape ``(CHUNK_ROWS,)``: the generation from which on a version is dead. The largest int64 stands for a
        version that is alive, 0 for a generation that is not an observation.
    times_us
        int64, shape ``(CHUNK_ROWS,)``: observation times, microseconds since 1970 UTC.
    confidences, importances
        float32, shape ``(CHUNK_ROWS,)``.
    ends_min
        The least generation from which on a version of the chunk is dead, or an earlier one.
    has_gaps
        Whether a generation of the chunk that was given is not one of an observation.
    times_min, times_max
        Bounds of all observation times in the chunk.
    """

    __slots__ = (
        "confidences",
        "ends",
        "ends_min",
        "has_gaps",
        "importances",
        "times_max",
        "times_min",
        "times_us",
    )

    def __init__(self) -> None:
        # Pages of the system, which are zero, and take memory only once they are written to. What the allocator returns
        # may have been used before: it is zeroed as a whole, and a space of one row would take more than a megabyte.
        memory = mmap.mmap(-1, CHUNK_ROWS * _ROW_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        numbers = np.frombuffer(memory, dtype=np.int64, count=2 * CHUNK_ROWS)
        fractions = np.frombuffer(memory, dtype=np.float32, offset=numbers.nbytes)
        self.ends: NDArray[np.int64] = numbers[:CHUNK_ROWS]
        self.times_us: NDArray[np.int64] = numbers[CHUNK_ROWS:]
        self.confidences: NDArray[np.float32] = fractions[:CHUNK_ROWS]
        self.importances: NDArray[np.float32] = fractions[CHUNK_ROWS:]
        self.ends_min: int = int(_NEVER)
        self.has_gaps: bool = False
        self.times_min: int = int(_NEVER)
        self.times_max: int = -int(_NEVER)


class Columns:
    """The columns of all observations of a space.

    The committer thread writes them ahead of what is visible. Any thread reads them without locks.
    """

    def __init__(self) -> None:
        self.chunks: list[ColumnChunk] = []
        self._next = 1

    def add(self, record: Record | LogEntry) -> None:
        """Append a record of the log, or an entry that becomes one; it must follow the last one."""
        while len(self.chunks) <= record.last_generation >> CHUNK_BITS:
            self.chunks.append(ColumnChunk())
        is_observed = record.kind is RecordKind.OBSERVE
        gap_end = record.first_generation if is_observed else record.last_generation + 1
        if gap_end > self._next:
            for number in range(self._next >> CHUNK_BITS, ((gap_end - 1) >> CHUNK_BITS) + 1):
                self.chunks[number].has_gaps = True
        self._next = record.last_generation + 1
        if not is_observed:
            return
        times_us, confidences, importances = record.times_us, record.confidences, record.importances
        done = 0
        while done < record.count:
            number, row = divmod(record.first_generation + done, CHUNK_ROWS)
            taken = min(record.count - done, CHUNK_ROWS - row)
            chunk, rows, source = self.chunks[number], slice(row, row + taken), slice(done, done + taken)
            chunk.ends[rows] = _NEVER
            chunk.times_us[rows] = times_us[source]
            chunk.confidences[rows] = confidences[source]
            chunk.importances[rows] = importances[source]
            chunk.times_min = min(chunk.times_min, int(times_us[source].min()))
            chunk.times_max = max(chunk.times_max, int(times_us[source].max()))
            done += taken

    def end(self, generations: NDArray[np.int64], at: NDArray[np.int64]) -> None:
        """Record the generations at which versions end; only the first end of a version counts.

        Parameters
        ----------
        generations, at
            int64, shape ``(n,)``: the versions, and the generation that ends each of them.
        """
        numbers, rows = generations >> CHUNK_BITS, generations & (CHUNK_ROWS - 1)
        for number in np.unique(numbers).tolist():
            here = numbers == number
            chunk, ends = self.chunks[number], self.chunks[number].ends
            chunk.ends_min = min(chunk.ends_min, int(at[here].min()))
            ends[rows[here]] = np.minimum(ends[rows[here]], at[here])

    def alive(self, generations: NDArray[np.int64], at: int) -> NDArray[np.bool_]:
        """Return which of `generations` are observations that are alive at the generation `at`.

        Parameters
        ----------
        generations
            int64, shape ``(n,)``.

        Returns
        -------
        NDArray[np.bool_]
            Shape ``(n,)``.
        """
        numbers, rows = generations >> CHUNK_BITS, generations & (CHUNK_ROWS - 1)
        alive = np.empty(len(generations), dtype=bool)
        for number in np.unique(numbers).tolist():
            here = numbers == number
            alive[here] = self.chunks[number].ends[rows[here]] > at
        return alive

    @property
    def nbytes(self) -> int:
        """Memory in bytes."""
        # The rest of the last chunk has not been written to.
        return self._next * _ROW_BYTES if self.chunks else 0
