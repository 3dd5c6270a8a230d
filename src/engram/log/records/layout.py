"""Where the columns of a record lie in its payload."""

from __future__ import annotations

from typing import Final, NamedTuple

from engram.log.records.header import Column, Header

COLUMN_ALIGNMENT: Final = 8


class TextPlace(NamedTuple):
    """Where a column of texts lies, in bytes from the beginning of the payload.

    Parameters
    ----------
    offsets
        The beginning of its ``rows + 1`` offsets, uint32.
    start, nbytes
        The blob of all texts.
    """

    offsets: int
    start: int
    nbytes: int

    @property
    def stop(self) -> int:
        """Where the blob ends."""
        return self.start + self.nbytes


class Layout(NamedTuple):
    """The beginning of each column, in bytes from the beginning of the payload; -1 or None where there is none."""

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
        """Those of times, confidences and importances."""
        return self[2:5]

    @property
    def texts(self) -> tuple[TextPlace | None, TextPlace | None, TextPlace | None, TextPlace | None]:
        """Those of ids, contents, metadata and tags."""
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
    """The layout of a record of format 2."""
    places: dict[str, int | TextPlace] = {}
    offsets_bytes = 4 * (header.rows + 1)
    start = 0
    for number, nbytes in header.columns:
        field = _FIELDS.get(number)  # type: ignore[call-overload]  # A number may be one that is not known here.
        if field is not None:
            is_text = number in _TEXTS
            places[field] = TextPlace(start, start + offsets_bytes, nbytes - offsets_bytes) if is_text else start
        start += nbytes + -nbytes % COLUMN_ALIGNMENT
    return Layout(**places)  # type: ignore[arg-type]  # Which field is of which kind, _TEXTS says.
