"""Chunks of a file as columns, and the check of their rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from numpy.typing import NDArray

from engram.errors import FailedPrecondition, InvalidInput
from engram.model.observations import ObservationBatch, make_batch
from engram.model.spaces import SpaceConfig
from engram.text.embeddable import check_rows

# A row that is wrong, and one that needs an embedder where the space has none.
_REFUSALS: Final = (InvalidInput, FailedPrecondition)


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be stored: its number in the file, from 1, and the reason."""

    number: int
    reason: str


@dataclass(slots=True)
class FileChunk:
    """Consecutive rows of a file.

    Parameters
    ----------
    numbers
        Line or row number of each row in the file, from 1.
    ids
        Id of each row.
    vectors
        Numbers of any dtype, shape ``(n, dim)``; ``(n, 0)`` if an embedder is to make the vectors.
    columns
        Other arguments of `engram.model.observations.make_batch`, each with one entry per row.
    bad
        Rows of the same part of the file that could not be read.
    position
        Position in the file at the end of the chunk, in the unit of `FileSource.total`.
    """

    numbers: Sequence[int]
    ids: Sequence[str]
    vectors: NDArray[Any]
    columns: dict[str, Any] = field(default_factory=dict)
    bad: list[BadRow] = field(default_factory=list)
    position: int = 0

    def row(self, index: int) -> FileChunk:
        """Return a chunk with only the row at position `index`."""
        columns = {name: column[index : index + 1] for name, column in self.columns.items()}
        return FileChunk(
            self.numbers[index : index + 1], self.ids[index : index + 1], self.vectors[index : index + 1], columns
        )


class FileSource(Protocol):
    """An open file of observations."""

    @property
    def total(self) -> int:
        """Size of the file in bytes or rows, the unit in which the chunks count their position."""
        ...

    def chunks(self, count_max: int) -> Iterator[FileChunk]:
        """Yield the rows in order, at most `count_max` per chunk."""
        ...


@dataclass(frozen=True, slots=True)
class Screened:
    """The rows of a chunk that can be stored, in order, and those that cannot."""

    batch: ObservationBatch | None
    numbers: Sequence[int]
    bad: Sequence[BadRow]


def screen(chunk: FileChunk, config: SpaceConfig) -> Screened:
    """Check a chunk against a space; check row by row only if the chunk as a whole fails."""
    if not chunk.ids:
        return Screened(None, (), chunk.bad)
    try:
        return Screened(_checked(chunk, config), chunk.numbers, chunk.bad)
    except _REFUSALS:
        pass
    good: list[int] = []
    bad = list(chunk.bad)
    for index, number in enumerate(chunk.numbers):
        try:
            _checked(chunk.row(index), config)
        except _REFUSALS as error:
            bad.append(BadRow(number, error.message))
        else:
            good.append(index)
    bad.sort(key=lambda row: row.number)
    if not good:
        return Screened(None, (), bad)
    columns = {name: [column[index] for index in good] for name, column in chunk.columns.items()}
    kept = FileChunk([chunk.numbers[i] for i in good], [chunk.ids[i] for i in good], chunk.vectors[good], columns)
    return Screened(_checked(kept, config), kept.numbers, bad)


def _checked(chunk: FileChunk, config: SpaceConfig) -> ObservationBatch:
    batch = make_batch(chunk.ids, chunk.vectors, **chunk.columns)
    check_rows(batch, config)
    return batch
