"""Neighbouring rows of a record, read together: a column of them costs hardly more than one value."""

from __future__ import annotations

import json
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engram.errors import CorruptData
from engram.log.records.layout import NUMBERS, TEXTS
from engram.log.records.record import Record
from engram.model.columns import COLUMNS
from engram.model.hit import StoredRow
from engram.model.values.expiry import NEVER_US
from engram.model.values.metadata import read_metadata_column
from engram.model.values.presence import Presence

_TEXT_NAMES: Final = frozenset(spec.name for spec in TEXTS)
# In the order of `StoredRow`.
_STORED: Final = tuple(spec.name for spec in (*NUMBERS, *TEXTS))
_NUMBER_SPECS: Final = {spec.name: spec for spec in COLUMNS if spec.dtype is not None}
_EXPIRES: Final = "expires_us"


class RecordRows:
    """The rows of a record from `first` on: a source of hits that keeps each column that was asked for.

    If a column has damaged bytes, each value of it is read by itself, so that the damage of one row hides no other.

    Parameters
    ----------
    record
        An OBSERVE record.
    first, count
        The rows.
    """

    __slots__ = ("_columns", "_first", "_metadata", "_record", "count")
    is_read: Final = True
    """That reading one attribute alone costs no more than reading a row; see `Hit`."""

    def __init__(self, record: Record, first: int, count: int) -> None:
        self._record = record
        self._first = first
        self.count: Final = count
        self._columns: dict[str, list[Any] | None] = {}
        self._metadata: list[dict[str, Any] | None] | None = None

    def id(self, row: int) -> str:
        """Return the id of one row; rows are counted from `first` on."""
        column = self._column("ids")
        return self._record.id(self._first + row) if column is None else str(column[row])

    def content(self, row: int) -> str:
        """Return the text of one row."""
        column = self._column("contents")
        return self._record.content(self._first + row) if column is None else str(column[row])

    def has_content(self, row: int) -> bool:
        """Return whether one row has a text, be it empty."""
        return self._record.has_text(self._first + row)

    def time_us(self, row: int) -> int:
        """Return the time of one row, microseconds since 1970 UTC."""
        column = self._column("times_us")
        return self._record.time_us(self._first + row) if column is None else int(column[row])

    def confidence(self, row: int) -> float:
        """Return the confidence of one row."""
        column = self._column("confidences")
        return self._record.confidence(self._first + row) if column is None else float(column[row])

    def importance(self, row: int) -> float:
        """Return the importance of one row."""
        column = self._column("importances")
        return self._record.importance(self._first + row) if column is None else float(column[row])

    def metadata(self, row: int) -> dict[str, Any]:
        """Return the metadata of one row, as an object of its own; empty also if the stored text cannot be read."""
        texts = self._column("metadata")
        if texts is None:
            return self._record.metadata(self._first + row)
        if self._metadata is None:
            self._metadata = read_metadata_column(texts)
        # Each object is given away once. Whoever asks again gets another, which changes of the first do not reach.
        taken, self._metadata[row] = self._metadata[row], None
        return taken if taken is not None else self._record.metadata(self._first + row) if texts[row] else {}

    def tags(self, row: int) -> list[str]:
        """Return the tags of one row."""
        column = self._column("tags")
        if column is None:
            return self._record.tags(self._first + row)
        return list(json.loads(column[row])) if column[row] else []

    def vector(self, row: int) -> NDArray[np.float32] | None:
        """Return the vector of one row: float32, shape ``(dim,)``, read-only; None if it has none."""
        return self._record.vector(self._first + row)

    def row(self, row: int) -> StoredRow:
        """Return one row without its vector."""
        columns = [self._column(name) for name in _STORED]
        if None in columns:
            return self._record.row(self._first + row)
        values = [column[row] for column in columns if column is not None]
        layout = self._record._lay_out()
        if layout.text_presence >= 0 or layout.expires >= 0:
            # Asked only of the few records that have such rows.
            values += (self.has_content(row), self.expires_us(row))
        return StoredRow(*values)

    def expires_us(self, row: int) -> int | None:
        """Return when one row expires, microseconds since 1970 UTC; None: never."""
        if self._record._lay_out().expires < 0:
            return None
        column = self._column(_EXPIRES)
        if column is None:
            return self._record.expires_us(self._first + row)
        return None if column[row] == NEVER_US else int(column[row])

    def texts(self, name: str) -> list[str]:
        """Return a column of texts, named as in `engram.model.columns`; `metadata` and `tags` as JSON.

        Raises
        ------
        CorruptData
            If bytes of it are damaged.
        """
        record = self._record
        place = record._lay_out().text(name)
        if place is None:
            return [""] * self.count
        memory, payload = record.segment.memory, record._payload
        begin, end = place.offsets + 4 * self._first, place.offsets + 4 * (self._first + self.count + 1)
        offsets = np.frombuffer(memory[payload + begin : payload + end], np.uint32).copy()
        # What is copied is checked afterwards; an offset that is not would lead anywhere.
        record._check(begin, end)
        low, high = int(offsets[0]), int(offsets[-1])
        blob = bytes(memory[payload + place.start + low : payload + place.start + high])
        record._check(place.start + low, place.start + high)
        edges = (offsets - offsets[0]).tolist()
        slices = map(slice, edges[:-1], edges[1:])
        if blob.isascii():
            return list(map(blob.decode().__getitem__, slices))
        return list(map(bytes.decode, map(blob.__getitem__, slices)))

    def numbers(self, name: str) -> NDArray[Any]:
        """Return a column of numbers, shape ``(count,)``. Raises as `texts` does."""
        record, spec = self._record, _NUMBER_SPECS[name]
        layout = record._lay_out()
        start = layout.expires if name == _EXPIRES else layout.number(name)
        if start < 0:
            # None of the rows expires; or an older version wrote the record, without this column.
            return np.full(self.count, NEVER_US if name == _EXPIRES else spec.blank(), spec.dtype)
        size = np.dtype(spec.dtype).itemsize
        begin, end = start + size * self._first, start + size * (self._first + self.count)
        numbers: NDArray[Any] = np.frombuffer(
            record.segment.memory, spec.dtype, self.count, record._payload + begin
        ).copy()
        record._check(begin, end)
        return numbers

    def vectors(self) -> NDArray[np.float32]:
        """Return the vectors of the rows that have one: a copy, float32, shape ``(n, dim)``. Raises as `texts` does."""
        record, size = self._record, 4 * self._record.dim
        if record.lacks_vectors:
            return record.vectors(np.arange(self._first, self._first + self.count))
        vectors: NDArray[np.float32] = record.raw_vectors[self._first : self._first + self.count].copy()
        record._check(size * self._first, size * (self._first + self.count))
        return vectors

    def presences(self) -> tuple[Presence | None, Presence | None]:
        """Return which rows have a vector, and which a text; None for all. Raises as `texts` does."""
        rows = slice(self._first, self._first + self.count)
        vectors, texts = self._record.vector_presence(), self._record.text_presence()
        return None if vectors is None else vectors[rows], None if texts is None else texts[rows]

    def _column(self, name: str) -> list[Any] | None:
        """Return a column, or None if it has damaged bytes."""
        try:
            return self._columns[name]
        except KeyError:
            pass
        try:
            column: list[Any] | None = self.texts(name) if name in _TEXT_NAMES else self.numbers(name).tolist()
        except CorruptData:
            column = None
        self._columns[name] = column
        return column
