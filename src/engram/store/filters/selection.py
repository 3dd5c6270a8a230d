"""Selection of the observations that pass a filter at a snapshot, starting with the rarest condition."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engram.model.cue import Between, Filter
from engram.store.filters.columns import CHUNK_BITS, CHUNK_ROWS, ColumnChunk
from engram.store.filters.metadata_index import MetadataIndex

_WORD_BITS: Final = 64
_FEW_ROWS: Final = CHUNK_ROWS // 16

Rows = slice | NDArray[np.int64]


def select(
    attributes: MetadataIndex, filter: Filter, first: int, last: int, alive_at: int | None = None
) -> NDArray[np.int64]:
    """Return the observations with generations from `first` to `last` that pass `filter`.

    Conditions that have a list of generations are applied rarest first, chunk by chunk, so the work is bounded by the
    rarest condition (docs/decisions/0005). Chunks whose times lie outside the filter's time window are skipped.

    Parameters
    ----------
    alive_at
        Only observations that are alive at this generation; None: all, including those superseded or deleted since.

    Returns
    -------
    NDArray[np.int64]
        Generations, shape ``(n,)``, ascending.
    """
    required = sorted((_within(found, first, last) for found in _required(attributes, filter)), key=len)
    excluded = [_within(attributes.tagged(tag), first, last) for tag in filter.without_tags]
    if required:
        numbers: Iterable[int] = _distinct(required[0] >> CHUNK_BITS).tolist()
    else:
        numbers = attributes.columns.within(first, last)
    found = []
    for number in numbers:
        chunk, base = attributes.columns.chunks.get(number), number << CHUNK_BITS
        if chunk is None or _misses(chunk, filter):
            continue
        start, end = chunk.span(first - base, last - base)
        rarest = _rows_in(required[0], base, chunk) if required else None
        # Where few rows have the rarest condition, only these are tested. Where many have it, testing whole columns is
        # faster.
        rows = rarest if rarest is not None and len(rarest) < _FEW_ROWS else slice(start, end)
        keep = chunk.ends[rows] > (alive_at or 0)
        keep &= _fits_columns(chunk, rows, filter)
        for others in required if isinstance(rows, slice) else required[1:]:
            keep &= _marked(others, base, chunk)[rows]
        for others in excluded:
            keep &= ~_marked(others, base, chunk)[rows]
        kept = start + np.flatnonzero(keep) if isinstance(rows, slice) else rows[keep]
        found.append(chunk.offsets_of(kept) + base)
    return np.concatenate(found) if found else np.empty(0, dtype=np.int64)


def bitmap(generations: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return `generations`, which must ascend, as a uint64 bitmap: bit ``g % 64`` of word ``g // 64`` is set."""
    count = int(generations[-1]) + 1 if len(generations) else 0
    flags = np.zeros(count + -count % _WORD_BITS, dtype=bool)
    flags[generations] = True
    return np.packbits(flags, bitorder="little").view(np.uint64)


def _required(attributes: MetadataIndex, filter: Filter) -> Iterable[NDArray[np.int64]]:
    for tag in filter.tags:
        yield attributes.tagged(tag)
    for key, wanted in filter.metadata.items():
        if isinstance(wanted, Between):
            yield attributes.between(key, wanted.low, wanted.high)
        else:
            yield attributes.equal(key, wanted)


def _within(generations: NDArray[np.int64], first: int, last: int) -> NDArray[np.int64]:
    start, end = np.searchsorted(generations, [first, last + 1])
    return generations[start:end]


def _distinct(ascending: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the distinct values of a sorted array; ``np.unique`` would sort it again."""
    return ascending[np.flatnonzero(np.diff(ascending, prepend=-1))]


def _misses(chunk: ColumnChunk, filter: Filter) -> bool:
    since_us, until_us = filter.since_us, filter.until_us
    return (since_us is not None and chunk.times_max < since_us) or (
        until_us is not None and chunk.times_min >= until_us
    )


def _fits_columns(chunk: ColumnChunk, rows: Rows, filter: Filter) -> NDArray[np.bool_] | bool:
    fits: NDArray[np.bool_] | bool = True
    if filter.since_us is not None:
        fits &= chunk.times_us[rows] >= filter.since_us
    if filter.until_us is not None:
        fits &= chunk.times_us[rows] < filter.until_us
    if filter.confidence_min:
        # Compared as float32, as it is stored; otherwise a limit of 0.9 would leave out an observation with confidence
        # 0.9.
        fits &= chunk.confidences[rows] >= np.float32(filter.confidence_min)
    return fits


def _rows_in(generations: NDArray[np.int64], base: int, chunk: ColumnChunk) -> NDArray[np.int64]:
    return chunk.rows_of(_within(generations, base, base + CHUNK_ROWS - 1) - base)


def _marked(generations: NDArray[np.int64], base: int, chunk: ColumnChunk) -> NDArray[np.bool_]:
    marks = np.zeros(len(chunk), dtype=bool)
    marks[_rows_in(generations, base, chunk)] = True
    return marks
