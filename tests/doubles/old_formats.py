"""Directories that earlier versions of Engram wrote."""

from __future__ import annotations

import tarfile
from pathlib import Path

from tests.doubles.places import FIXTURES


def unpack_format(number: int, path: Path) -> Path:
    """Unpack the directory of format `number` into `path`, and return `path`."""
    with tarfile.open(FIXTURES / f"format{number}.tar.gz") as archive:
        # `extractall(filter=...)` came with Python 3.11.4; Debian 12 has 3.11.2.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(path)  # noqa: S202 - our own archive.
    return path
