"""Which kind of file it is, and which file it is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from engram.cli.files.chunk import FileSource
from engram.cli.files.jsonl import JsonlSource
from engram.cli.files.npz import NpzSource
from engram.cli.files.parquet import ParquetSource
from engram.errors import InvalidInput

FORMATS: Final[dict[str, Callable[[Path], FileSource]]] = {
    "jsonl": JsonlSource,
    "npz": NpzSource,
    "parquet": ParquetSource,
}
_SUFFIXES: Final = {".jsonl": "jsonl", ".ndjson": "jsonl", ".npz": "npz", ".parquet": "parquet", ".pq": "parquet"}
_END_BYTES: Final = 64 * 1024


def open_source(path: Path, format: str | None) -> FileSource:
    """Open a file of observations.

    Parameters
    ----------
    format
        One of `FORMATS`; None to go by the ending of the name.

    Raises
    ------
    InvalidInput
        The ending says nothing, or the file is not what it says.
    MissingExtra
        Reading it needs an optional dependency.
    """
    name = format or _SUFFIXES.get(path.suffix.lower())
    if name is None:
        raise InvalidInput(
            f"the ending of {path.name} does not say what it is; add --format {'|'.join(FORMATS)}",
            code="unknown_format",
            field="format",
            limit=", ".join(FORMATS),
            value=path.suffix,
        )
    return FORMATS[name](path)


def fingerprint(path: Path) -> str:
    """A short name for this very state of a file: another one as soon as it has been changed in any way."""
    status = path.stat()
    digest = hashlib.sha256(f"{status.st_size} {status.st_mtime_ns}".encode())
    with path.open("rb") as file:
        digest.update(file.read(_END_BYTES))
        file.seek(max(0, status.st_size - _END_BYTES))
        digest.update(file.read(_END_BYTES))
    return digest.hexdigest()[:32]
