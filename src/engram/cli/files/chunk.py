"""A stretch of a file as columns, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from numpy.typing import NDArray

from engram.client.sending.micro_batch import check_outgoing
from engram.errors import InvalidInput
from engram.model.observations import ObservationBatch, make_batch
from engram.model.spaces import SpaceConfig


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be stored: its number in the file, from 1, and why."""

    number: int
    reason: str


@dataclass(slots=True)
class FileChunk:
    """Consecutive rows of a file.

    Parameters
    ----------
    numbers
        Line or row number of each row, from 1.
    columns
        Arguments of `engram.model.observations.make_batch` besides the ids, each with one entry per row.
    vectors
        Shape ``(n, dim)``; ``(n, 0)`` if the file leaves them to the embedder.
    bad
        Rows of the same stretch that could not even be read.
    position
        How much of the file is read with it, in the unit of `FileSource.total`.
    """

    numbers: Sequence[int]
    ids: Sequence[str]
    vectors: NDArray[Any]
    columns: dict[str, Any] = field(default_factory=dict)
    bad: list[BadRow] = field(default_factory=list)
    position: int = 0

    def row(self, index: int) -> FileChunk:
        """The chunk of one row."""
        columns = {name: column[index : index + 1] for name, column in self.columns.items()}
        return FileChunk(
            self.numbers[index : index + 1], self.ids[index : index + 1], self.vectors[index : index + 1], columns
        )


class FileSource(Protocol):
    """An open file."""

    @property
    def total(self) -> int:
        """Its size in bytes or rows, whatever it counts progress in."""
        ...

    def chunks(self, count_max: int) -> Iterator[FileChunk]:
        """Its rows in order, at most `count_max` at a time."""
        ...


@dataclass(frozen=True, slots=True)
class Screened:
    """The rows of a chunk that may be sent, in order, and the others."""

    batch: ObservationBatch | None
    numbers: Sequence[int]
    bad: Sequence[BadRow]


def screen(chunk: FileChunk, config: SpaceConfig) -> Screened:
    """Check a chunk against a space; only when something is wrong, row by row."""
    if not chunk.ids:
        return Screened(None, (), chunk.bad)
    try:
        return Screened(_checked(chunk, config), chunk.numbers, chunk.bad)
    except InvalidInput:
        pass
    good: list[int] = []
    bad = list(chunk.bad)
    for index, number in enumerate(chunk.numbers):
        try:
            _checked(chunk.row(index), config)
        except InvalidInput as error:
            bad.append(BadRow(number, error.message))
        else:
            good.append(index)
    bad.sort(key=lambda row: row.number)
    if not good:
        return Screened(None, (), bad)
    columns = {name: [column[index] for index in good] for name, column in chunk.columns.items()}
    kept = FileChunk([chunk.numbers[i] for i in good], [chunk.ids[i] for i in good], chunk.vectors[good], columns)
    return Screened(_checked(kept, config), kept.numbers, bad)


def from_row(batch: ObservationBatch, start: int, end: int | None = None) -> ObservationBatch:
    """The part of a batch from row `start` on, up to `end`."""
    part = slice(start, end)
    return replace(
        batch,
        ids=batch.ids[part],
        vectors=batch.vectors[part],
        contents=batch.contents[part],
        times_us=batch.times_us[part],
        confidences=batch.confidences[part],
        importances=batch.importances[part],
        metadata=None if batch.metadata is None else batch.metadata[part],
        tags=None if batch.tags is None else batch.tags[part],
    )


def _checked(chunk: FileChunk, config: SpaceConfig) -> ObservationBatch:
    return check_outgoing(make_batch(chunk.ids, chunk.vectors, **chunk.columns), config)
