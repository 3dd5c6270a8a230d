"""Opening of a file by its format, and fingerprints of files."""

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
    path
        The file.
    format
        One of `FORMATS`; None to choose by the suffix of the file name.

    Raises
    ------
    InvalidInput
        If the suffix is unknown, or the file does not have the format.
    MissingExtra
        If reading the format needs an optional dependency that is not installed.
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
    """Return 32 hexadecimal digits that identify a file and its state.

    They are a hash of the size, the modification time, and the first and last 64 KiB of the file.
    """
    status = path.stat()
    digest = hashlib.sha256(f"{status.st_size} {status.st_mtime_ns}".encode())
    with path.open("rb") as file:
        digest.update(file.read(_END_BYTES))
        file.seek(max(0, status.st_size - _END_BYTES))
        digest.update(file.read(_END_BYTES))
    return digest.hexdigest()[:32]
