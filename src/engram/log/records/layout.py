"""The layout of a record: the positions of the columns in its payload."""

from __future__ import annotations

from typing import Final, NamedTuple

from engram.log.records.header import Column, Header

COLUMN_ALIGNMENT: Final = 8


class TextPlace(NamedTuple):
    """The position of a text column, in bytes from the beginning of the payload.

    Parameters
    ----------
    offsets
        Position of the column's ``rows + 1`` offsets, which are uint32.
    start, nbytes
        Position and length of the blob of all texts.
    """

    offsets: int
    start: int
    nbytes: int

    @property
    def stop(self) -> int:
        """End of the blob, in bytes from the beginning of the payload."""
        return self.start + self.nbytes


class Layout(NamedTuple):
    """The position of each column, in bytes from the beginning of the payload; -1 or None for a missing column."""

    vectors: int = -1
    vector_sums: int = -1
    times: int = -1
    confidences: int = -1
    importances: int = -1
    ids: TextPlace | None = None
    contents: TextPlace | None = None
    metadata: TextPlace | None = None
    tags: TextPlace | None = None

    @property
    def numbers(self) -> tuple[int, int, int]:
        """Positions of the times, the confidences and the importances."""
        return self[2:5]

    @property
    def texts(self) -> tuple[TextPlace | None, TextPlace | None, TextPlace | None, TextPlace | None]:
        """Positions of the ids, the contents, the metadata and the tags."""
        return self[5:9]


_FIELDS: Final = {
    Column.VECTORS: "vectors",
    Column.VECTOR_SUMS: "vector_sums",
    Column.TIMES: "times",
    Column.CONFIDENCES: "confidences",
    Column.IMPORTANCES: "importances",
    Column.IDS: "ids",
    Column.CONTENTS: "contents",
    Column.METADATA: "metadata",
    Column.TAGS: "tags",
}
_TEXTS: Final = frozenset({Column.IDS, Column.CONTENTS, Column.METADATA, Column.TAGS})


def lay_out(header: Header) -> Layout:
    """Return the layout of a format 2 record."""
    places: dict[str, int | TextPlace] = {}
    offsets_bytes = 4 * (header.rows + 1)
    start = 0
    for number, nbytes in header.columns:
        field = _FIELDS.get(number)  # type: ignore[call-overload]  # This version may not know the number.
        if field is not None:
            is_text = number in _TEXTS
            places[field] = TextPlace(start, start + offsets_bytes, nbytes - offsets_bytes) if is_text else start
        start += nbytes + -nbytes % COLUMN_ALIGNMENT
    return Layout(**places)  # type: ignore[arg-type]  # _TEXTS determines the type of each field.
