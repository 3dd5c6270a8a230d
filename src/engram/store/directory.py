"""The data directory of a store: opened, and held for this process."""

from __future__ import annotations

import os

from engram.errors import InvalidInput
from engram.log.files.directory_lock import DirectoryLock
from engram.log.files.file_storage import FileStorage
from engram.log.files.memory_storage import MemoryStorage
from engram.log.files.os_errors import typed_failures
from engram.log.files.storage import Storage
from engram.model.scalars import shown
from engram.store.space_catalog import check_is_store


def open_directory(path: str | os.PathLike[str] | None, read_only: bool) -> tuple[Storage, DirectoryLock | None]:
    """The directory `path`, made if it is not there, and the lock on it; memory and no lock for None.

    Raises
    ------
    InvalidInput, NotFound, StoreLocked, Unavailable
        As `MemoryStore`.
    """
    if path is None:
        return MemoryStorage(), None
    _check_path(path)
    with typed_failures(f"opening data directory {os.fspath(path)}"):
        storage = FileStorage(path, read_only=read_only)
        try:
            if read_only:
                check_is_store(storage)
            return storage, DirectoryLock(storage.path, storage.root_descriptor, shared=read_only)
        except BaseException:
            storage.close()
            raise


def _check_path(path: object) -> None:
    """Refuse what names no directory: the empty path would mean the working directory, which nobody asked for."""
    if not isinstance(path, str | os.PathLike) or not os.fspath(path) or "\0" in str(path):
        raise InvalidInput(
            f"the path of the data directory is {shown(path)}; pass a directory, '.' for the working directory, "
            "or None for a store in memory",
            code="invalid_path",
            field="path",
            limit="a path or None",
            value=shown(path),
        )
