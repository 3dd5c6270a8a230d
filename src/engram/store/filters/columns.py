"""Columns of numbers that every observation has, by generation, in chunks."""

from __future__ import annotations

import mmap
import threading
from collections.abc import Iterator
from itertools import pairwise
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
# A chunk with fewer observations than this share of its generations keeps only these.
_FILLED_MIN: Final = 0.5


class ColumnChunk:
    """The columns of the generations from ``number << CHUNK_BITS`` on.

    A chunk has a row for each of its generations, or only for those in `offsets`, because the others are no
    observations or were dropped.

    Parameters
    ----------
    offsets
        int32, shape ``(n,)``, rising: the generations of the rows, counted from the first one of the chunk. None: a row
        for each.

    Attributes
    ----------
    ends
        int64, shape ``(n,)``: the generation from which on a version is dead. The largest int64 stands for a version
        that is alive, 0 for a generation that is not an observation, or was erased.
    times_us
        int64, shape ``(n,)``: observation times, microseconds since 1970 UTC.
    confidences, importances
        float32, shape ``(n,)``.
    ends_min
        The least generation from which on a version of the chunk is dead, or an earlier one.
    ends_max
        The greatest generation that has ended a version of the chunk, or a later one; 0 if none has.
    reached_rows
        No row behind so many was written to; 0 for a chunk that is full of what is kept.
    solid_rows
        So many rows from the first one on are observations, without a gap between them.
    times_min, times_max
        Bounds of all observation times in the chunk.
    """

    __slots__ = (
        "confidences",
        "ends",
        "ends_max",
        "ends_min",
        "importances",
        "offsets",
        "reached_rows",
        "solid_rows",
        "times_max",
        "times_min",
        "times_us",
    )

    def __init__(self, offsets: NDArray[np.int32] | None = None) -> None:
        count = CHUNK_ROWS if offsets is None else len(offsets)
        # Pages of the system, which are zero, and take memory only once they are written to. What the allocator returns
        # may have been used before: it is zeroed as a whole, and a space of one row would take more than a megabyte.
        memory = mmap.mmap(-1, count * _ROW_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        numbers = np.frombuffer(memory, dtype=np.int64, count=2 * count)
        fractions = np.frombuffer(memory, dtype=np.float32, count=2 * count, offset=numbers.nbytes)
        self.offsets: NDArray[np.int32] | None = offsets
        self.ends: NDArray[np.int64] = numbers[:count]
        self.times_us: NDArray[np.int64] = numbers[count:]
        self.confidences: NDArray[np.float32] = fractions[:count]
        self.importances: NDArray[np.float32] = fractions[count:]
        self.reached_rows: int = 0
        self.ends_min: int = int(_NEVER)
        self.ends_max: int = 0
        self.solid_rows: int = 0
        self.times_min: int = int(_NEVER)
        self.times_max: int = -int(_NEVER)

    def __len__(self) -> int:
        return len(self.ends)

    def span(self, first: int, last: int) -> tuple[int, int]:
        """Return begin and end of the rows whose offsets lie within `first` and `last`."""
        if self.offsets is None:
            return max(first, 0), min(last + 1, CHUNK_ROWS)
        begin, end = self.offsets.searchsorted([first, last + 1]).tolist()
        return begin, end

    def rows_of(self, offsets: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows with these `offsets`, which must rise, as far as there are any: int64, shape ``(n,)``."""
        if self.offsets is None:
            return offsets
        rows = self.offsets.searchsorted(offsets)
        rows = rows[rows < len(self)]
        found: NDArray[np.int64] = rows[self.offsets[rows] == offsets[: len(rows)]]
        return found

    def offsets_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the offsets of `rows`: int64, shape ``(n,)``."""
        return rows if self.offsets is None else self.offsets[rows].astype(np.int64)

    def offset_of(self, row: int) -> int:
        """Return the offset of a row."""
        return row if self.offsets is None else int(self.offsets[row])

    def places_of(self, offsets: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_] | None]:
        """Return a row for each of `offsets`, and which of them are really there; None: all are."""
        if self.offsets is None:
            return offsets, None
        rows = np.minimum(self.offsets.searchsorted(offsets), len(self) - 1)
        return rows, self.offsets[rows] == offsets

    def put(self, rows: slice | NDArray[np.int64], record: Record | LogEntry, source: slice) -> None:
        """Fill rows with observations of a record that are alive."""
        times_us = record.times_us[source]
        self.ends[rows] = _NEVER
        self.times_us[rows] = times_us
        self.confidences[rows] = record.confidences[source]
        self.importances[rows] = record.importances[source]
        self.times_min = min(self.times_min, int(times_us.min()))
        self.times_max = max(self.times_max, int(times_us.max()))
        self.reached_rows = rows.stop if isinstance(rows, slice) else int(rows[-1]) + 1
        if isinstance(rows, slice) and rows.start <= self.solid_rows:
            self.solid_rows = rows.stop

    def kept(self, rows: NDArray[np.int64]) -> ColumnChunk:
        """Return a chunk that has only `rows`, of which there is at least one."""
        chunk = ColumnChunk(self.offsets_of(rows).astype(np.int32))
        for name in ("ends", "times_us", "confidences", "importances"):
            getattr(chunk, name)[:] = getattr(self, name)[rows]
        chunk.ends_min, chunk.ends_max = int(chunk.ends.min()), self.ends_max
        chunk.times_min, chunk.times_max = int(chunk.times_us.min()), int(chunk.times_us.max())
        return chunk

    @property
    def nbytes(self) -> int:
        """Memory in bytes."""
        if self.offsets is None:
            # Pages behind the last row that was written take none.
            return self.reached_rows * _ROW_BYTES
        return len(self) * _ROW_BYTES + self.offsets.nbytes


class Columns:
    """The columns of all observations of a space that may still be recalled.

    The committer thread writes them ahead of what is visible. Any thread reads them without locks.

    Attributes
    ----------
    chunks
        The chunks that have an observation, by number, in order.
    """

    def __init__(self) -> None:
        self.chunks: dict[int, ColumnChunk] = {}
        # Held to end versions, and to replace a chunk by one that has fewer.
        self._changing = threading.Lock()

    def add(self, record: Record | LogEntry) -> None:
        """Append a record of the log, or an entry that becomes one; it must follow the last one."""
        if record.kind is not RecordKind.OBSERVE:
            return
        for number, rows, source in _pieces(record):
            self._chunk(number).put(rows, record, source)

    def end(self, generations: NDArray[np.int64], at: NDArray[np.int64]) -> None:
        """Record the generations at which versions end; only the first end of a version counts.

        Parameters
        ----------
        generations, at
            int64, shape ``(n,)``: the versions, and the generation that ends each of them.
        """
        parts = list(_by_chunk(generations))
        with self._changing:
            for number, places in parts:
                chunk = self.chunks.get(number)
                if chunk is not None:
                    _end(chunk, generations[places] & (CHUNK_ROWS - 1), at[places])

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
        offsets = generations & (CHUNK_ROWS - 1)
        alive = np.zeros(len(generations), dtype=bool)
        for number, places in _by_chunk(generations):
            chunk = self.chunks.get(number)
            if chunk is None:
                continue
            rows, is_there = chunk.places_of(offsets[places])
            found = chunk.ends[rows] > at
            alive[places] = found if is_there is None else found & is_there
        return alive

    def ended_within(self, first: int, last: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the versions that ended at generations from `first`, at least 1, to `last`, and these generations.

        Returns
        -------
        tuple
            The versions, and the generation that ended each of them: int64, shape ``(n,)``, the latter ascending.
        """
        versions, ends = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
        for number in self.within(0, last):
            chunk = self.chunks.get(number)
            if chunk is None or chunk.ends_min > last or chunk.ends_max < first:
                continue
            # Rows behind the last one that was written have never ended.
            written = chunk.ends[: chunk.reached_rows or None]
            rows = np.flatnonzero((written >= first) & (written <= last))
            versions.append((number << CHUNK_BITS) + chunk.offsets_of(rows))
            ends.append(written[rows])
        at = np.concatenate(ends)
        order = np.argsort(at, kind="stable")
        return np.concatenate(versions)[order], at[order]

    def within(self, first: int, last: int) -> list[int]:
        """Return the numbers of the chunks that have generations from `first` to `last`."""
        low, high = first >> CHUNK_BITS, last >> CHUNK_BITS
        return [number for number in list(self.chunks) if low <= number <= high]

    def pieces(self, first: int, last: int) -> Iterator[tuple[int, ColumnChunk, int, int]]:
        """Yield the chunks that have generations from `first` to `last`, and which of their rows these are.

        Each comes with the generation of its offset 0, and with the begin and the end of the rows, of which there is at
        least one.
        """
        for number in self.within(first, last):
            chunk, base = self.chunks.get(number), number << CHUNK_BITS
            if chunk is not None:
                begin, end = chunk.span(first - base, last - base)
                if begin < end:
                    yield base, chunk, begin, end

    def alive_count(self, first: int, last: int, at: int) -> int:
        """Return how many of the generations from `first` to `last` are observations that are alive at `at`."""
        pieces = self.pieces(first, last)
        return sum(int(np.count_nonzero(chunk.ends[begin:end] > at)) for _, chunk, begin, end in pieces)

    def drop(self, horizon: int) -> None:
        """Free the rows of versions that ended at or before `horizon`, a chunk at a time. Any thread may call it."""
        for number in self.within(0, max(horizon - CHUNK_ROWS + 1, 0)):
            if (number + 1) << CHUNK_BITS > horizon + 1:
                continue
            with self._changing:
                chunk = self.chunks.get(number)
                if chunk is not None:
                    self._keep(number, chunk, np.flatnonzero(chunk.ends > horizon))

    @property
    def first_generation(self) -> int:
        """No generation before this one is of an observation that is left."""
        return min(list(self.chunks), default=0) << CHUNK_BITS

    @property
    def row_count(self) -> int:
        """Number of rows, some of which may be of no observation."""
        return sum(len(chunk) for chunk in list(self.chunks.values()))

    @property
    def nbytes(self) -> int:
        """Memory in bytes."""
        return sum(chunk.nbytes for chunk in list(self.chunks.values()))

    def _chunk(self, number: int) -> ColumnChunk:
        """Return a chunk that has a row for each generation."""
        chunk = self.chunks.get(number)
        if chunk is None:
            with self._changing:
                # Nothing is added to the last one any more. Deletions and compactions may have left few observations.
                for last, filled in list(self.chunks.items())[-1:]:
                    self._keep(last, filled, np.flatnonzero(filled.ends > 0))
            chunk = self.chunks[number] = ColumnChunk()
            # Nothing has the generation 0.
            chunk.solid_rows = 1 if number == 0 else 0
        return chunk

    def _keep(self, number: int, chunk: ColumnChunk, rows: NDArray[np.int64]) -> None:
        if not len(rows):
            del self.chunks[number]
        elif len(rows) < _FILLED_MIN * len(chunk):
            self.chunks[number] = chunk.kept(rows)


def _pieces(record: Record | LogEntry) -> Iterator[tuple[int, slice | NDArray[np.int64], slice]]:
    """Yield for each chunk that a record has rows in its number, the rows there, and the rows in the record."""
    generations = record.generations
    if generations is None or record.last_generation - record.first_generation + 1 == record.count:
        done = 0
        while done < record.count:
            number, row = divmod(record.first_generation + done, CHUNK_ROWS)
            taken = min(record.count - done, CHUNK_ROWS - row)
            yield number, slice(row, row + taken), slice(done, done + taken)
            done += taken
        return
    numbers = generations >> CHUNK_BITS
    starts = np.flatnonzero(np.diff(numbers, prepend=-1)).tolist()
    for start, end in zip(starts, [*starts[1:], record.count], strict=True):
        yield int(numbers[start]), generations[start:end] & (CHUNK_ROWS - 1), slice(start, end)


def _by_chunk(generations: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield the number of each chunk that `generations` are in, and the places of those that are: int64, rising."""
    numbers = generations >> CHUNK_BITS
    # Sorted once: to compare all of them with each number would take the square of the time.
    order = np.argsort(numbers, kind="stable")
    numbers = numbers[order]
    starts = np.flatnonzero(np.diff(numbers, prepend=-1)).tolist()
    for start, end in pairwise([*starts, len(order)]):
        yield int(numbers[start]), order[start:end]


def _end(chunk: ColumnChunk, offsets: NDArray[np.int64], at: NDArray[np.int64]) -> None:
    order = np.argsort(offsets)
    offsets, at = offsets[order], at[order]
    if chunk.offsets is not None:
        is_there = np.isin(offsets, chunk.offsets)
        offsets, at = offsets[is_there], at[is_there]
    rows = chunk.rows_of(offsets)
    if len(rows):
        chunk.ends_min = min(chunk.ends_min, int(at.min()))
        chunk.ends_max = max(chunk.ends_max, int(at.max()))
        chunk.ends[rows] = np.minimum(chunk.ends[rows], at)
