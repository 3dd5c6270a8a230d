"""The layout of a record: the positions of the columns in its payload."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from engram.log.records.header import COLUMN_OF, Column, Header
from engram.model.columns import COLUMNS, IDS

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


NUMBERS: Final = tuple(spec for spec in COLUMNS if spec.dtype is not None and not spec.optional)
"""The columns of numbers that every record of observations has, in the order of a record."""

TEXTS: Final = (IDS, *(spec for spec in COLUMNS if spec.dtype is None))
"""The columns of texts, in the order of a record."""

_NUMBER_INDEX: Final = {spec.name: index for index, spec in enumerate(NUMBERS)}
_TEXT_INDEX: Final = {spec.name: index for index, spec in enumerate(TEXTS)}
_NAMES: Final = {COLUMN_OF[spec.name]: spec.name for spec in (*NUMBERS, *TEXTS)}


class Layout(NamedTuple):
    """The position of each column, in bytes from the beginning of the payload; -1 or None for a missing column.

    Parameters
    ----------
    vectors, vector_sums
        Where the vectors and their checksums begin.
    numbers, texts
        Where the columns of `NUMBERS` begin, and where those of `TEXTS` lie, in their order.
    generations
        Where the generations of the rows begin, if they have gaps.
    ranges, horizon
        Where the columns of a PROGRESS record begin.
    vector_presence, text_presence
        Where the bits begin that say which rows have a vector, and a text.
    expires
        Where the column of when rows expire begins, if one does.
    """

    vectors: int
    vector_sums: int
    numbers: tuple[int, ...]
    texts: tuple[TextPlace | None, ...]
    generations: int = -1
    ranges: int = -1
    horizon: int = -1
    vector_presence: int = -1
    text_presence: int = -1
    expires: int = -1

    def number(self, name: str) -> int:
        """Return where a column of numbers begins."""
        return self.numbers[_NUMBER_INDEX[name]]

    def text(self, name: str) -> TextPlace | None:
        """Return where a column of texts lies."""
        return self.texts[_TEXT_INDEX[name]]


def make_layout(
    numbers: Mapping[str, int], texts: Mapping[str, TextPlace], vectors: int = -1, vector_sums: int = -1
) -> Layout:
    """Return the layout with these columns, by their names in `engram.model.columns`."""
    return Layout(
        vectors,
        vector_sums,
        tuple([numbers.get(name, -1) for name in _NUMBER_INDEX]),
        tuple([texts.get(name) for name in _TEXT_INDEX]),
    )


def lay_out(header: Header) -> Layout:
    """Return the layout of a format 2 record."""
    return _lay_out(header.rows, header.columns)


# Records with one row, of which there may be millions, do not keep their layouts, and many of them have the same one.
@lru_cache(256)
def _lay_out(rows: int, columns: tuple[tuple[int, int], ...]) -> Layout:
    numbers: dict[str, int] = {}
    texts: dict[str, TextPlace] = {}
    starts: dict[int, int] = {}
    offsets_bytes = 4 * (rows + 1)
    start = 0
    for number, nbytes in columns:
        # A newer version may have written a column whose number this one does not know.
        name = _NAMES.get(number)  # type: ignore[call-overload]  # A column is its number.
        if name in _TEXT_INDEX:
            texts[name] = TextPlace(start, start + offsets_bytes, nbytes - offsets_bytes)
        elif name is not None:
            numbers[name] = start
        else:
            starts[number] = start
        start += nbytes + -nbytes % COLUMN_ALIGNMENT
    layout = make_layout(numbers, texts, starts.get(Column.VECTORS, -1), starts.get(Column.VECTOR_SUMS, -1))
    return layout._replace(
        generations=starts.get(Column.GENERATIONS, -1),
        ranges=starts.get(Column.RANGES, -1),
        horizon=starts.get(Column.HORIZON, -1),
        vector_presence=starts.get(Column.VECTOR_PRESENCE, -1),
        text_presence=starts.get(Column.TEXT_PRESENCE, -1),
        expires=starts.get(Column.EXPIRES_AT, -1),
    )
