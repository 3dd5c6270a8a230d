"""The load of the growth benchmark: the same ids again and again, each time with other vectors and texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.support.datasets import synthetic_rows
from engram import Ack, Space
from engram.log.records.encoding import encode_record
from engram.log.records.entry import LogEntry
from engram.log.records.header import RecordKind
from engram.model.observations import make_batch

SPACE: Final = "growth"
ROOMS: Final = 7
SHELVES: Final = 100
_BATCH: Final = 500
# By how many rows the vectors move from one round to the next.
_MOVED: Final = 7919


class Batch(NamedTuple):
    """Observations that are written together."""

    ids: Sequence[str]
    vectors: NDArray[np.float32]
    contents: Sequence[str]
    metadata: Sequence[dict[str, int]]

    def submit(self, space: Space) -> Future[Ack]:
        """Observe them; the future is done when they are durable."""
        return space.submit(self.ids, self.vectors, self.contents, metadata=self.metadata)

    @property
    def encoded_bytes(self) -> int:
        """What they take as one record of a log."""
        batch = make_batch(self.ids, self.vectors, self.contents, metadata=self.metadata)
        return encode_record(LogEntry(RecordKind.OBSERVE, 1, batch), self.vectors.shape[1]).nbytes


@dataclass(frozen=True, slots=True)
class Load:
    """So many ids, with vectors of this dimension."""

    ids: int
    dim: int

    def batches(self, number: int) -> Iterator[Batch]:
        """Yield round `number`, from 0 on: every id once."""
        vectors = _vectors(self.ids, self.dim)
        for first in range(0, self.ids, _BATCH):
            rows = range(first, min(first + _BATCH, self.ids))
            places = (np.arange(rows.start, rows.stop) + number * _MOVED) % self.ids
            yield Batch(
                [f"id-{row}" for row in rows],
                vectors[places],
                [f"round {number}, observation {row}: the quick brown fox jumps over it" for row in rows],
                [{"room": row % ROOMS, "shelf": row % SHELVES} for row in rows],
            )

    def write(self, space: Space, number: int) -> None:
        """Write round `number`, and wait until it is durable."""
        for batch in self.batches(number):
            batch.submit(space).result()


@cache
def _vectors(count: int, dim: int) -> NDArray[np.float32]:
    return synthetic_rows(count, dim)
