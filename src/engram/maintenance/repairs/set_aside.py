"""Observations whose newest state is not proven, in a JSON Lines file that ``engram ingest`` reads."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from engram.log.records.record import Record
from engram.model.columns import COLUMNS, ExpirySpec, TextSpec, TimeSpec

DIRECTORY: Final = "set-aside"


class SetAside:
    """A file of observations, created when the first one is added.

    Parameters
    ----------
    path
        The file.

    Attributes
    ----------
    count
        Number of observations in the file.
    """

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self.count: int = 0
        self._file: Any = None

    def __enter__(self) -> SetAside:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            sync_directory(self.path.parent)
            sync_directory(self.path.parent.parent)

    def add(self, record: Record, row: int) -> None:
        """Write one row of a record.

        Raises
        ------
        CorruptData
            If the row cannot be read.
        OSError
            If the file cannot be written.
        """
        found, vector = record.row(row), record.vector(row)
        values: dict[str, Any] = {
            "id": found.id,
            "generation": record.generation(row),
            "embedding": None if vector is None else vector.tolist(),
        }
        for spec in COLUMNS:
            value = getattr(found, spec.attribute)
            if isinstance(spec, TextSpec) and not found.has_content:
                value = None
            # Metadata that an earlier version stored and that cannot be read are empty here. `engram ingest` would
            # refuse their text.
            if value or not spec.optional or (value is not None and spec.dtype is not None):
                values[spec.field] = value / 1e6 if isinstance(spec, TimeSpec | ExpirySpec) else value
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("w", encoding="utf-8")
        self._file.write(json.dumps(values, ensure_ascii=False) + "\n")
        self.count += 1


def sync_directory(path: Path) -> None:
    """Make the entries of a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
