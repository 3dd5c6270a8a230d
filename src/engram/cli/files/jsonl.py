"""JSON Lines: one object a line with id, text, embedding, time, confidence, importance, metadata, tags."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engram.cli.files.chunk import BadRow, Chunk
from engram.observations import now_us

# What an export or a repair adds for people; it is not taken over.
_PASSED_OVER: Final = frozenset({"generation"})
_FIELDS: Final = ("id", "text", "embedding", "time", "confidence", "importance", "metadata", "tags")
# A line holds at most a vector, a text and metadata; what is longer is not JSON Lines.
_LINE_BYTES_MAX: Final = 1024 * 1024
_NO_VECTOR: Final = np.empty(0, np.float32)

_Row = tuple[str, NDArray[np.float32], str, int, float, float, str, list[str]]


class JsonlSource:
    """A JSON Lines file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.total = path.stat().st_size

    def chunks(self, count_max: int) -> Iterator[Chunk]:
        """Rows in order; a chunk ends where the length of the embeddings changes."""
        position = 0
        numbers: list[int] = []
        rows: list[_Row] = []
        bad: list[BadRow] = []
        with self._path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(_LINE_BYTES_MAX + 1), b""), 1):
                row = _read(line)
                if isinstance(row, str):
                    bad.append(BadRow(number, row))
                elif row is not None:
                    if len(rows) >= count_max or (rows and rows[0][1].size != row[1].size):
                        yield _chunk(numbers, rows, bad, position)
                        numbers, rows, bad = [], [], []
                    numbers.append(number)
                    rows.append(row)
                position += len(line)
                if len(line) > _LINE_BYTES_MAX:
                    break
        yield _chunk(numbers, rows, bad, position)


def _chunk(numbers: list[int], rows: list[_Row], bad: list[BadRow], position: int) -> Chunk:
    if not rows:
        return Chunk([], [], np.empty((0, 0), np.float32), bad=bad, position=position)
    ids, vectors, contents, times_us, confidences, importances, metadata, tags = zip(*rows, strict=True)
    columns = {
        "contents": contents,
        "timestamps": np.array(times_us, np.int64).view("datetime64[us]"),
        "confidences": confidences,
        "importances": importances,
        "metadata": metadata,
        "tags": tags,
    }
    return Chunk(numbers, ids, np.stack(vectors), columns, bad, position)


def _read(line: bytes) -> _Row | str | None:
    """The row of a line, or what is wrong with it, or None for a blank line."""
    if not line.strip():
        return None
    if len(line) > _LINE_BYTES_MAX:
        return f"the line is longer than {_LINE_BYTES_MAX} bytes, so this is not JSON Lines; nothing behind it is read"
    try:
        return _row(json.loads(line))
    except json.JSONDecodeError as error:
        return f"not valid JSON: {error}"
    except (ValueError, RecursionError) as error:
        return str(error)


def _row(item: Any) -> _Row:
    if not isinstance(item, dict):
        raise ValueError(f"a JSON object is needed, not {type(item).__name__}")
    unknown = item.keys() - set(_FIELDS) - _PASSED_OVER
    if unknown:
        raise ValueError(f"unknown field {min(unknown)!r}; known are {', '.join(_FIELDS)}")
    tags = item.get("tags") or []
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise ValueError("field 'tags' must be an array of texts")
    metadata = item.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise ValueError("field 'metadata' must be an object")
    return (
        _typed(item, "id", str, None),
        _vector(item.get("embedding")),
        _typed(item, "text", str, ""),
        _time_us(item.get("time")),
        _typed(item, "confidence", float, 1.0),
        _typed(item, "importance", float, 0.5),
        json.dumps(metadata, ensure_ascii=False, separators=(",", ":")) if metadata else "",
        tags,
    )


def _typed(item: dict[str, Any], name: str, kind: type, default: Any) -> Any:
    value = item.get(name, default)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind):
        wanted = "a number" if kind is float else "a text"
        raise ValueError(f"field {name!r} must be {wanted}" + (" and may not be missing" if default is None else ""))
    return value


def _vector(value: Any) -> NDArray[np.float32]:
    if value is None:
        return _NO_VECTOR
    try:
        vector = np.array(value, dtype=np.float32)
    except (TypeError, ValueError, OverflowError):
        vector = _NO_VECTOR
    if not isinstance(value, list) or vector.ndim != 1 or vector.size == 0:
        raise ValueError("field 'embedding' must be an array of numbers")
    return vector


def _time_us(value: Any) -> int:
    try:
        if value is None:
            return now_us()
        if isinstance(value, str):
            return round(datetime.fromisoformat(value).timestamp() * 1e6)
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**43:
            return round(value * 1e6)
    except (ValueError, OverflowError):
        pass
    raise ValueError("field 'time' must be seconds since 1970 or a text like 2025-01-31T12:00:00Z")
