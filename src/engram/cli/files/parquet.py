"""Parquet files, whose columns are the fields of JSON Lines."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engram.cli.files.chunk import FileChunk
from engram.errors import InvalidInput, MissingExtra
from engram.model.columns import COLUMNS, IDS, ExpirySpec, MetadataSpec, TagsSpec, TextSpec
from engram.model.values.ids import made_ids

# The columns, and the arguments of `engram.model.observations.make_batch` that they stand for.
_COLUMNS: Final = {"id": "ids", "embedding": "vectors", **{spec.field: spec.plural for spec in COLUMNS}}
_SPECS: Final = {"id": IDS, **{spec.field: spec for spec in COLUMNS}}


class ParquetSource:
    """A Parquet file.

    Raises
    ------
    MissingExtra
        If pyarrow is not installed.
    InvalidInput
        If the file is not a Parquet file, or has unknown columns.
    """

    def __init__(self, path: Path) -> None:
        try:
            # Imported by name, because pyarrow is optional and has no type information.
            arrow: Any = importlib.import_module("pyarrow")
            parquet: Any = importlib.import_module("pyarrow.parquet")
        except ImportError as error:
            raise MissingExtra(
                "reading Parquet needs pyarrow; install it with: pip install 'engram-stream[parquet]'",
                field="extra",
                limit="parquet",
            ) from error
        try:
            self._file = parquet.ParquetFile(path)
        except (arrow.ArrowException, OSError) as error:
            raise _bad(f"{path} is not a Parquet file: {error}") from error
        names = self._file.schema_arrow.names
        unknown = sorted(set(names) - _COLUMNS.keys())
        if unknown:
            raise _bad(f"{path} has an unknown column {unknown[0]!r}; known are {', '.join(_COLUMNS)}")
        self._arrow = arrow
        self._path = path
        self.total: int = self._file.metadata.num_rows

    def chunks(self, count_max: int) -> Iterator[FileChunk]:
        """Yield the rows in order, at most `count_max` per chunk."""
        start = 0
        for table in self._file.iter_batches(batch_size=count_max):
            count = table.num_rows
            columns = {_COLUMNS[name]: self._column(name, table.column(name)) for name in table.schema.names}
            ids = columns.pop("ids") if "ids" in columns else made_ids(count)
            vectors = columns.pop("vectors", np.empty((count, 0), np.float32))
            yield FileChunk(range(start + 1, start + count + 1), ids, vectors, columns, position=start + count)
            start += count

    def _column(self, name: str, column: Any) -> Any:
        arrow = self._arrow
        if name == "embedding":
            return self._matrix(column)
        spec = _SPECS[name]
        if isinstance(spec, TagsSpec):
            return [value or [] for value in column.to_pylist()]
        if isinstance(spec, MetadataSpec):
            return [_json(value) for value in column.to_pylist()]
        if isinstance(spec, ExpirySpec):
            return column.to_pylist()
        if column.null_count:
            raise _bad(f"column {name!r} of {self._path} has empty values; fill them, or leave the column out")
        if isinstance(spec, TextSpec):
            return column.cast(arrow.string()).to_pylist()
        return column.to_numpy(zero_copy_only=False)

    def _matrix(self, column: Any) -> NDArray[Any]:
        rows = len(column)
        lengths = np.diff(column.offsets.to_numpy()) if hasattr(column, "offsets") else [column.type.list_size]
        if column.null_count or len(set(np.asarray(lengths).tolist())) != 1:
            raise _bad(f"column 'embedding' of {self._path} must hold vectors of one length, without empty ones")
        numbers = column.flatten().to_numpy(zero_copy_only=False)
        matrix: NDArray[Any] = numbers.reshape(rows, -1)
        return matrix


def _json(value: Any) -> str:
    """Return metadata as JSON text: a text is returned unchanged, a struct or map becomes an object."""
    if value is None or isinstance(value, str):
        return value or ""
    pairs = dict(value) if isinstance(value, list) else value
    return json.dumps(pairs, ensure_ascii=False, separators=(",", ":"), default=str)


def _bad(message: str) -> InvalidInput:
    return InvalidInput(message, code="invalid_file", field="file")
