"""The vectors of the log that can be read: the graph is built of these, and gets to know which others it lacks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from engram import _core
from engram.errors import CorruptData
from engram.index import HnswIndex
from engram.log.records.record import Record


def are_readable(vectors: NDArray[np.float32], sums: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Return which vectors, shape ``(n, dim)``, fit their checksums, shape ``(n,)``: bool, shape ``(n,)``."""
    readable: NDArray[np.bool_] = _core.crc32c_rows(vectors) == sums
    return readable


def append_readable(index: HnswIndex, record: Record, first: int) -> None:
    """Append the vectors of the rows from `first` on to the graph, which notes the versions whose vectors are damaged.

    They are compared with the checksums of the log, since what is read here may not be what was checked when the log
    was opened. Damage is reported, and hides no other vector.

    Raises
    ------
    CorruptData
        If the checksums of the vectors are damaged, so that nothing proves any of them.
    """
    block = record.vector_block(first)
    if block is None:
        return
    readable = are_readable(block.vectors, block.sums)
    for run in _runs(readable):
        vectors, some = block.vectors[run], None if block.generations is None else block.generations[run]
        index.append(vectors, int(block.every_generation[run.start]), vectors, block.sums[run], some)
    damaged = block.every_generation[~readable]
    if not len(damaged):
        return
    for row in record.rows_of(damaged).tolist():
        # Reading it reports where it is damaged.
        with contextlib.suppress(CorruptData):
            record.vector(row)
    index.append_unreadable(damaged)


def _runs(wanted: NDArray[np.bool_]) -> Iterator[slice]:
    """Yield the runs of what is wanted."""
    edges = np.flatnonzero(np.diff(wanted, prepend=False, append=False))
    for start, stop in edges.reshape(-1, 2).tolist():
        yield slice(start, stop)
