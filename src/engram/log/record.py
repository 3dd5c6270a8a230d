"""Records: what a log entry looks like on disk, and how it is read back in place.

    header (192) | vectors | padding | times | confidences | importances | offsets of each text column | texts

Vectors start at a multiple of 64 bytes, so that the index computes on the mapped file itself. Everything stays
columns: writing a batch costs a handful of C-level calls whatever its size, and reading one decodes only what is
asked for. A DELETE record has the ids only.
"""

from __future__ import annotations

import json
from itertools import accumulate
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram.log.header import (
    ALIGNMENT,
    HAS_METADATA,
    HAS_TAGS,
    HEADER_BYTES,
    Header,
    RecordKind,
    read_header,
)
from engram.log.text_column import TextColumn

# Of records with fewer rows, views of the columns are made anew for every look.
_KEPT_ROWS_MIN: Final = 16


class Row(NamedTuple):
    """One row of a record, without its vector."""

    id: str
    time_us: int
    confidence: float
    importance: float
    content: str
    metadata_json: str
    tags: list[str]


class Record:
    """A record of the log, read in place from the mapped segment.

    Holds no object per row; every column is a view into the segment or is decoded on demand. Immutable, safe to read
    from any thread, and valid as long as it is referenced.
    """

    __slots__ = (
        "_dim",
        "_layout",
        "_memory",
        "_nbytes",
        "_position",
        "committed_us",
        "count",
        "first_generation",
        "first_sequence",
        "kind",
        "session",
        "writer",
    )

    def __init__(self, memory: memoryview, header: Header) -> None:
        self.kind = RecordKind(header.kind)
        self.first_generation = header.first_generation
        self.count = header.rows
        self.session = header.session
        self.writer = header.writer
        self.first_sequence = header.first_sequence
        self.committed_us = header.committed_us
        self._dim = header.dim
        self._memory = memory
        self._position = header.position
        self._nbytes = header.length
        self._layout: _Layout | None = None

    @property
    def last_generation(self) -> int:
        """The generation of the last row."""
        return self.first_generation + self.count - 1

    @property
    def vectors(self) -> NDArray[np.float32]:
        """float32, shape ``(count, dim)``, a read-only view; shape ``(0, dim)`` for DELETE.

        Making the view does not touch the segment, whose pages may be on the disk only.
        """
        rows = self.count if self.kind is RecordKind.OBSERVE else 0
        flat = np.frombuffer(self._memory, np.float32, rows * self._dim, self._position + HEADER_BYTES)
        return flat.reshape(rows, self._dim)

    def vector(self, row: int) -> NDArray[np.float32]:
        """The vector of one row; float32, shape ``(dim,)``, read-only."""
        vector: NDArray[np.float32] = self.vectors[row]
        return vector

    @property
    def times_us(self) -> NDArray[np.int64]:
        """int64, shape ``(count,)``, microseconds since 1970 UTC. OBSERVE only, like the following columns."""
        return np.asarray(self._lay_out().times)

    @property
    def confidences(self) -> NDArray[np.float32]:
        """float32, shape ``(count,)``."""
        return np.asarray(self._lay_out().confidences)

    @property
    def importances(self) -> NDArray[np.float32]:
        """float32, shape ``(count,)``."""
        return np.asarray(self._lay_out().importances)

    def time_us(self, row: int) -> int:
        """The time of one row."""
        return self._lay_out().times[row]

    def confidence(self, row: int) -> float:
        """The confidence of one row."""
        return self._lay_out().confidences[row]

    def importance(self, row: int) -> float:
        """The importance of one row."""
        return self._lay_out().importances[row]

    def ids(self) -> list[str]:
        """All ids, in order."""
        return self._lay_out().ids.texts()

    def id(self, row: int) -> str:
        """The id of one row."""
        return self._lay_out().ids[row]

    def rfind(self, id: str, end: int) -> int:
        """The last row before `end` with this id, or -1."""
        return self._lay_out().ids.rfind(id, end)

    def content(self, row: int) -> str:
        """The text of one row."""
        contents = self._lay_out().contents
        return contents[row] if contents else ""

    def metadata_column(self) -> list[dict[str, Any] | None] | None:
        """The metadata of all rows, None where there is none; None if no row has any."""
        return _json_column(self._lay_out().metadata)

    def tags_column(self) -> list[list[str] | None] | None:
        """The tags of all rows, None where there are none; None if no row has any."""
        return _json_column(self._lay_out().tags)

    def contents(self) -> list[str]:
        """All texts, in order."""
        contents = self._lay_out().contents
        return contents.texts() if contents else []

    def metadata_json(self, row: int) -> str:
        """The metadata of one row as the JSON object text that was stored, or ``""``."""
        metadata = self._lay_out().metadata
        return metadata[row] if metadata else ""

    def metadata(self, row: int) -> dict[str, Any]:
        """The metadata of one row."""
        text = self.metadata_json(row)
        return dict(json.loads(text)) if text else {}

    def tags(self, row: int) -> list[str]:
        """The tags of one row."""
        tags = self._lay_out().tags
        text = tags[row] if tags else ""
        return list(json.loads(text)) if text else []

    def row(self, row: int) -> Row:
        """All of one row but its vector, for less than one by one."""
        ids, times, confidences, importances, contents, metadata, tags = self._lay_out()
        return Row(
            ids[row],
            times[row],
            confidences[row],
            importances[row],
            contents[row] if contents else "",
            metadata[row] if metadata else "",
            self.tags(row) if tags else [],
        )

    def beside_vectors(self) -> list[NDArray[np.uint8]]:
        """Its bytes but for the vectors; making the views does not touch the segment."""
        columns = HEADER_BYTES + (4 * self.count * self._dim if self.kind is RecordKind.OBSERVE else 0)
        return [
            np.frombuffer(self._memory, np.uint8, HEADER_BYTES, self._position),
            np.frombuffer(self._memory, np.uint8, self._nbytes - columns, self._position + columns),
        ]

    def _lay_out(self) -> _Layout:
        if self._layout is not None:
            return self._layout
        header = read_header(self._memory, self._position)
        if header is None:
            raise RuntimeError(f"the mapped log changed under a reader at offset {self._position}")
        layout = _lay_out(self._memory, header)
        # The views take about as much memory as a dozen rows. Two threads may both make them; they are equal.
        if self.count >= _KEPT_ROWS_MIN:
            self._layout = layout
        return layout


def _json_column(column: TextColumn | None) -> list[Any] | None:
    # One document for all rows: decoding them one by one would cost several times as much.
    return None if column is None else json.loads(f"[{','.join(text or 'null' for text in column.texts())}]")


class _Layout(NamedTuple):
    """The columns of a record, as views into its segment; numbers are empty for DELETE."""

    ids: TextColumn
    times: memoryview[int]
    confidences: memoryview[float]
    importances: memoryview[float]
    contents: TextColumn | None
    metadata: TextColumn | None
    tags: TextColumn | None


def _lay_out(memory: memoryview, header: Header) -> _Layout:
    count = header.rows
    start = header.position + HEADER_BYTES
    observe = header.kind == RecordKind.OBSERVE
    vectors_bytes = 4 * count * header.dim if observe else 0
    times = start + vectors_bytes + -vectors_bytes % ALIGNMENT
    numbers = count if observe else 0
    confidences = times + 8 * numbers
    importances = confidences + 4 * numbers
    offsets = importances + 4 * numbers if observe else start
    present = [
        True,
        observe,
        observe and bool(header.columns & HAS_METADATA),
        observe and bool(header.columns & HAS_TAGS),
    ]
    sizes = [header.ids_bytes, header.contents_bytes, header.metadata_bytes, header.tags_bytes]
    offsets_bytes = 4 * (count + 1)
    texts = offsets + offsets_bytes * sum(present)
    starts = accumulate(sizes, initial=texts)
    places = accumulate(map(int, present), initial=0)
    columns = [
        TextColumn(memory, offsets + offsets_bytes * place, begin, size, count) if is_present else None
        for place, begin, size, is_present in zip(places, starts, sizes, present, strict=False)
    ]
    assert columns[0] is not None  # noqa: S101  (every record has ids; this tells the type checker)
    return _Layout(
        columns[0],
        memory[times:confidences].cast("q"),
        memory[confidences:importances].cast("f"),
        memory[importances : importances + 4 * numbers].cast("f"),
        *columns[1:],
    )
