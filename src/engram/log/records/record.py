"""Records: the stored form of log entries, read in place and checked on every read.

Data stay in columns: writing a batch costs a handful of C-level calls whatever its size, and reading one decodes only
what is requested. Each read first copies the bytes it needs out of the mapping and then checks the sectors in the
mapping, so the returned bytes are known to have been intact after they were copied.
"""

from __future__ import annotations

import json
import struct
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engram import _core
from engram.errors import CorruptData
from engram.log.format1.rows import read_row1
from engram.log.records.header import Header, RecordKind
from engram.log.records.layout import NUMBERS, TEXTS, Layout, TextPlace
from engram.log.records.progress import Horizon, SessionProgress
from engram.log.records.record_vectors import RecordVectors
from engram.log.records.text_column import TextColumn, read_text
from engram.log.segments.segment import Segment
from engram.model.columns import IDS, TagsSpec
from engram.model.hit import StoredRow
from engram.model.values.expiry import NEVER_US
from engram.model.values.metadata import read_metadata, read_metadata_column

# Records with fewer rows do not keep their layout; it is computed again for every read.
_KEPT_ROWS_MIN: Final = 16
_TIME: Final = struct.Struct("<q")
_REAL: Final = struct.Struct("<f")


class Record(RecordVectors):
    """A record of the log.

    Holds no object per row; every column is decoded on demand. Immutable, safe to read from any thread, and valid as
    long as it is referenced. Every method that returns stored values raises `CorruptData` if the bytes are not the ones
    that were written.
    """

    __slots__ = (
        "_layout",
        "_nbytes",
        "_position",
        "committed_us",
        "first_sequence",
        "kind",
        "session",
        "writer",
    )

    def __init__(self, segment: Segment, header: Header) -> None:
        self.kind: RecordKind = RecordKind(header.kind)
        super().__init__(segment, header)
        self.session: str = header.session
        self.writer: int = header.writer
        self.first_sequence: int = header.first_sequence
        self.committed_us: int = header.committed_us
        self._position = header.position
        self._nbytes = header.length
        self._layout: Layout | None = None

    @property
    def payload_offset(self) -> int:
        """Offset of the columns in the segment, in bytes. The vectors come first."""
        return self._payload

    @property
    def position(self) -> int:
        """Offset of the record in its segment, in bytes."""
        return self._position

    @property
    def nbytes(self) -> int:
        """Size of the record on disk in bytes."""
        return self._nbytes

    @property
    def times_us(self) -> NDArray[np.int64]:
        """Observation times: int64, shape ``(count,)``, microseconds since 1970 UTC. OBSERVE records only."""
        return self._numbers(self._lay_out().number("times_us"), np.int64)

    @property
    def confidences(self) -> NDArray[np.float32]:
        """Confidences: float32, shape ``(count,)``. OBSERVE records only."""
        return self._numbers(self._lay_out().number("confidences"), np.float32)

    @property
    def importances(self) -> NDArray[np.float32]:
        """Importances: float32, shape ``(count,)``. OBSERVE records only."""
        return self._numbers(self._lay_out().number("importances"), np.float32)

    @property
    def expiries_us(self) -> NDArray[np.int64] | None:
        """When each row expires, or `NEVER_US`: int64, shape ``(count,)``; None if none does."""
        if self.kind is not RecordKind.OBSERVE:
            return None
        start = self._lay_out().expires
        return None if start < 0 else self._numbers(start, np.int64)

    def expires_us(self, row: int) -> int | None:
        """Return when one row expires, microseconds since 1970 UTC; None: never. OBSERVE records only."""
        start = self._lay_out().expires
        if start < 0:
            return None
        found = int(self._number(start, _TIME, row))
        return None if found == NEVER_US else found

    def time_us(self, row: int) -> int:
        """Return the observation time of one row, microseconds since 1970 UTC. OBSERVE records only."""
        return int(self._number(self._lay_out().number("times_us"), _TIME, row))

    def confidence(self, row: int) -> float:
        """Return the confidence of one row. OBSERVE records only."""
        return self._number(self._lay_out().number("confidences"), _REAL, row)

    def importance(self, row: int) -> float:
        """Return the importance of one row. OBSERVE records only."""
        return self._number(self._lay_out().number("importances"), _REAL, row)

    def ids(self) -> list[str]:
        """Return all ids, in the order of the rows."""
        return self._whole(self._lay_out().text("ids")).texts()

    def id(self, row: int) -> str:
        """Return the id of one row."""
        return self._text(self._lay_out().text("ids"), row)

    def rfind(self, id: str, end: int) -> int:
        """Return the last row before row `end` that has this id, or -1."""
        return self._whole(self._lay_out().text("ids")).rfind(id, end)

    def content(self, row: int) -> str:
        """Return the text of one row."""
        return self._text(self._lay_out().text("contents"), row)

    def contents(self) -> list[str]:
        """Return all texts, in the order of the rows; empty for DELETE."""
        place = self._lay_out().text("contents")
        return self._whole(place).texts() if place else []

    def metadata_column(self) -> list[dict[str, Any] | None] | None:
        """Return the metadata of all rows, None for a row without readable metadata; None if no row has any."""
        place = self._lay_out().text("metadata")
        return None if place is None else read_metadata_column(self._whole(place).texts())

    def tags_column(self) -> list[list[str] | None] | None:
        """Return the tags of all rows, None for a row without tags; None if no row has any."""
        place = self._lay_out().text("tags")
        return None if place is None else _decode_tags(self._whole(place).texts())

    def columns(self) -> dict[str, Any]:
        """Return the columns that the record has, apart from ids and vectors, as they are in an `ObservationBatch`."""
        layout = self._lay_out()
        numbers = [(spec, layout.number(spec.name)) for spec in NUMBERS]
        columns: dict[str, Any] = {
            spec.name: self._numbers(start, dtype)
            for spec, start in numbers
            if start >= 0 and (dtype := spec.dtype) is not None
        }
        if layout.expires >= 0:
            columns["expires_us"] = self._numbers(layout.expires, np.int64)
        for spec in TEXTS:
            place = layout.text(spec.name)
            if spec is not IDS and place is not None:
                texts = self._whole(place).texts()
                columns[spec.name] = [row or () for row in _decode_tags(texts)] if isinstance(spec, TagsSpec) else texts
        for name, presence in (("vector_presence", self.vector_presence()), ("text_presence", self.text_presence())):
            if presence is not None:
                columns[name] = presence
        return columns

    def progress(self) -> SessionProgress:
        """Return the content of a PROGRESS record."""
        layout = self._lay_out()
        generation, committed_us = self._numbers(layout.horizon, np.int64, 2).tolist()
        ranges = self._numbers(layout.ranges, np.uint64, 4 * self.count).reshape(self.count, 4)
        return SessionProgress(self.ids(), ranges, Horizon(generation, committed_us))

    def metadata_json(self, row: int) -> str:
        """Return the metadata of one row as the stored JSON object text, ``""`` for none."""
        return self._text(self._lay_out().text("metadata"), row)

    def metadata(self, row: int) -> dict[str, Any]:
        """Return the metadata of one row; empty also if the stored text cannot be read."""
        return read_metadata(self.metadata_json(row)) or {}

    def tags(self, row: int) -> list[str]:
        """Return the tags of one row."""
        text = self._text(self._lay_out().text("tags"), row)
        return list(json.loads(text)) if text else []

    def row(self, row: int) -> StoredRow:
        """Return one row without its vector, at a lower cost than reading each column of it."""
        layout, segment = self._lay_out(), self.segment
        if segment.format == 1:
            found, ranges = read_row1(segment.memory, self._payload, layout, row)
            self._check(*ranges)
            return found
        read = _core.read_row(
            segment.view, self._position, self._payload, layout.numbers, layout.texts, row, segment.salt
        )
        if isinstance(read, int):
            raise self._damaged(read)
        if -1 in layout.numbers:
            # An older version wrote the record, without some columns.
            numbers = [spec.blank() if value is None else value for spec, value in zip(NUMBERS, read, strict=False)]
            read = (*numbers, *read[len(NUMBERS) :])
        stored = StoredRow(*read)
        # Asked only of the few records that have such rows.
        if layout.text_presence >= 0:
            stored = stored._replace(has_content=self.has_text(row))
        return stored if layout.expires < 0 else stored._replace(expires_us=self.expires_us(row))

    def beside_vectors(self) -> list[NDArray[np.uint8]]:
        """Return views of all bytes but the vectors: uint8, one-dimensional. Making them does not touch the segment."""
        columns = self._payload + 4 * self.vector_count * self._dim
        view = self.segment.view
        return [view[self._position : self._payload], view[columns : self._position + self._nbytes]]

    def check(self) -> None:
        """Read and check every byte.

        Raises
        ------
        CorruptData
            If a byte is damaged; the error names the first damaged place.
        """
        offset = self.segment.damage_in(self._header())
        if offset >= 0:
            raise self._damaged(offset)

    def _text(self, place: TextPlace | None, row: int) -> str:
        if place is None:
            return ""
        segment = self.segment
        if segment.format == 1:
            utf8, ranges = read_text(segment.memory, self._payload, place, row)
            self._check(*ranges)
            return utf8.decode()
        read = _core.read_text(segment.view, self._position, self._payload, place, row, segment.salt)
        if isinstance(read, int):
            raise self._damaged(read)
        return read

    def _whole(self, place: TextPlace | None) -> TextColumn:
        """Return a whole text column, as a copy that has been checked."""
        assert place is not None  # noqa: S101  (for the type checker: the callers know that the column exists)
        memory, begin, end = self.segment.memory, self._payload, place.offsets + 4 * (self.count + 1)
        # Two slices, because the offsets and the texts are not adjacent in format 1.
        taken = b"".join(
            (memory[begin + place.offsets : begin + end], memory[begin + place.start : begin + place.stop])
        )
        self._check(place.offsets, end, place.start, place.stop)
        return TextColumn(memoryview(taken), 0, TextPlace(0, end - place.offsets, place.nbytes), self.count)

    def _number(self, start: int, kind: struct.Struct, row: int) -> float:
        begin = start + kind.size * row
        (taken,) = kind.unpack_from(self.segment.memory, self._payload + begin)
        self._check(begin, begin + kind.size)
        return taken  # type: ignore[no-any-return]  # `kind` says what it is.

    def _numbers(self, start: int, dtype: type, count: int = -1) -> NDArray[Any]:
        rows = self.count if count < 0 else count
        taken: NDArray[Any] = np.frombuffer(self.segment.memory, dtype, rows, self._payload + start).copy()
        self._check(start, start + taken.nbytes)
        return taken

    def _check(self, *ranges: int) -> None:
        offset = self.segment.first_damage(self._position, ranges)
        if offset >= 0:
            raise self._damaged(offset)

    def _damaged(self, offset: int) -> CorruptData:
        return self.segment.report(offset, self.first_generation, self.last_generation).error()

    def _read_generations(self) -> NDArray[np.int64]:
        return self._numbers(self._lay_out().generations, np.int64)

    def _header(self) -> Header:
        header = self.segment.header_at(self._position)
        if header is None:
            raise self._damaged(self._position)
        return header

    def _lay_out(self) -> Layout:
        if self._layout is not None:
            return self._layout
        # The columns of a hit are usually read one after the other, so the segment keeps its last layout.
        position, layout = self.segment.last_layout
        if position == self._position and layout is not None:
            return layout
        layout = self.segment.lay_out(self._header())
        # A layout takes about as much memory as a dozen rows. Two threads may both compute it, with equal results.
        if self.count >= _KEPT_ROWS_MIN:
            self._layout = layout
        else:
            self.segment.last_layout = self._position, layout
        return layout


def _decode_tags(texts: list[str]) -> list[list[str] | None]:
    # All rows are decoded as one JSON document: decoding them one by one would cost several times as much.
    return list(json.loads(f"[{','.join(text or 'null' for text in texts)}]"))
