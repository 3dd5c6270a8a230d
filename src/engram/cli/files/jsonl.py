"""JSON Lines: one object per line with the fields of `FIELDS`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engram.cli.files.chunk import BadRow, FileChunk
from engram.errors import InvalidInput
from engram.model.arguments import nothing_to_observe
from engram.model.columns import COLUMNS, ColumnSpec, ExpirySpec, MetadataSpec, TagsSpec, TextSpec, TimeSpec
from engram.model.limits import BATCH_BYTES_MAX, MESSAGE_BYTES_MAX
from engram.model.values.ids import made_id
from engram.model.values.vectors import as_query

# Exports and repairs add these fields for people; ingest ignores them.
_PASSED_OVER: Final = frozenset({"generation"})
FIELDS: Final = ("id", "embedding", *(spec.field for spec in COLUMNS))
# Each column, with what converts the value of its field.
_CONVERSIONS: Final = tuple((spec, spec.converter(f"field {spec.field!r}")) for spec in COLUMNS)
# What a field of JSON holds, where its converter takes more than that.
_TYPES: Final[dict[type[ColumnSpec], tuple[type, str]]] = {
    TextSpec: (str, "a text"),
    MetadataSpec: (dict, "an object"),
    TagsSpec: (list, "an array of texts"),
}
# A line holds at most a vector, a text and metadata. A file with a longer line is not JSON Lines.
_LINE_BYTES_MAX: Final = MESSAGE_BYTES_MAX
# Lines of more bytes become a chunk, however few they are.
_CHUNK_BYTES: Final = 2 * BATCH_BYTES_MAX
_NO_VECTOR: Final = np.empty(0, np.float32)

_Row = tuple[str, NDArray[np.float32], list[Any]]
"""Id, vector, and the elements of all other columns."""


class JsonlSource:
    """A JSON Lines file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.total: int = path.stat().st_size

    def chunks(self, count_max: int) -> Iterator[FileChunk]:
        """Yield the rows in order, at most `count_max` per chunk; all embeddings of a chunk have one length."""
        position = begun = 0
        numbers: list[int] = []
        rows: list[_Row] = []
        bad: list[BadRow] = []
        with self._path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(_LINE_BYTES_MAX + 1), b""), 1):
                row = _read(line)
                if isinstance(row, str):
                    bad.append(BadRow(number, row))
                    # A large file of another format has only bad rows, so their number per chunk is bounded, too.
                    if len(bad) >= count_max:
                        yield _chunk(numbers, rows, bad, position + len(line))
                        numbers, rows, bad = [], [], []
                elif row is not None:
                    is_full = len(rows) >= count_max or position - begun >= _CHUNK_BYTES
                    if is_full or (rows and rows[0][1].size != row[1].size):
                        yield _chunk(numbers, rows, bad, position)
                        numbers, rows, bad, begun = [], [], [], position
                    numbers.append(number)
                    rows.append(row)
                position += len(line)
                if len(line) > _LINE_BYTES_MAX:
                    break
        yield _chunk(numbers, rows, bad, position)


def _chunk(numbers: list[int], rows: list[_Row], bad: list[BadRow], position: int) -> FileChunk:
    if not rows:
        return FileChunk([], [], np.empty((0, 0), np.float32), bad=bad, position=position)
    ids, vectors, values = zip(*rows, strict=True)
    columns: dict[str, Any] = {}
    for spec, column in zip(COLUMNS, zip(*values, strict=True), strict=True):
        gathered: Any = column if spec.dtype is None else spec.gather(column)
        if isinstance(spec, TimeSpec | ExpirySpec):
            # NumPy's NaT is the number that stands for a row of which nothing is said.
            gathered = None if gathered is None else gathered.view("datetime64[us]")
        if gathered is not None:
            columns[spec.plural] = gathered
    return FileChunk(numbers, ids, np.stack(vectors), columns, bad, position)


def _read(line: bytes) -> _Row | str | None:
    """Return the row of a line, a text that describes the problem, or None for a blank line."""
    if not line.strip():
        return None
    if len(line) > _LINE_BYTES_MAX:
        return f"the line is longer than {_LINE_BYTES_MAX} bytes, so this is not JSON Lines; nothing behind it is read"
    try:
        # Given bytes, `json` would guess the encoding and accept others than UTF-8, some of them by chance.
        return _row(_decode(line.decode("utf-8-sig")))
    except InvalidInput as error:
        return error.message
    except UnicodeDecodeError as error:
        return f"not UTF-8: {error}"
    except (ValueError, RecursionError) as error:
        return f"not valid JSON: {error}"


def _row(item: Any) -> _Row:
    if not isinstance(item, dict):
        raise _bad(f"a JSON object is needed, not {type(item).__name__}")
    unknown = item.keys() - set(FIELDS) - _PASSED_OVER
    if unknown:
        raise _bad(f"unknown field {min(unknown)!r}; known are {', '.join(FIELDS)}")
    id = item.get("id")
    if not isinstance(id, str | None):
        raise _bad("field 'id' must be a text")
    if id is None and all(item.get(name) is None for name in FIELDS):
        raise nothing_to_observe(FIELDS)
    values = [_value(item, spec, convert) for spec, convert in _CONVERSIONS]
    return made_id() if id is None else id, _vector(item.get("embedding")), values


def _value(item: dict[str, Any], spec: ColumnSpec, convert: Callable[[Any], Any]) -> Any:
    if spec.field not in item:
        return spec.blank()
    value = item[spec.field]
    if value is None and isinstance(spec, TextSpec):
        # No text, which is something else than an empty one.
        return None
    if spec.optional and (value is None or (spec.dtype is None and not value)):
        return spec.blank()
    kind, wanted = _TYPES.get(type(spec), (object, ""))
    if not isinstance(value, kind):
        raise _bad(f"field {spec.field!r} must be {wanted}")
    return convert(value)


def _vector(value: Any) -> NDArray[np.float32]:
    if value is None:
        return _NO_VECTOR
    if not isinstance(value, list):
        raise _bad("field 'embedding' must be an array of numbers")
    return as_query(value, "field 'embedding'")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise _bad("a key occurs twice in one object")
    return made


def _bad(message: str) -> InvalidInput:
    return InvalidInput(message, code="bad_row", field="row")


# The default hooks parse numbers, because they are faster; the numbers are checked later as columns.
_decode: Final = json.JSONDecoder(object_pairs_hook=_unique).decode
