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
    check_path(path, or_none=True)
    with typed_failures(f"opening data directory {os.fspath(path)}"):
        storage = FileStorage(path, read_only=read_only)
        try:
            if read_only:
                check_is_store(storage)
            return storage, DirectoryLock(storage.path, storage.root_descriptor, shared=read_only)
        except BaseException:
            storage.close()
            raise


def check_path(path: object, what: str = "the data directory", *, or_none: bool = False) -> None:
    """Refuse what names no directory: the empty path would mean the working directory, which nobody asked for.

    Parameters
    ----------
    path
        What was passed.
    what
        What it is the path of.
    or_none
        Whether None is a choice, too, which only the advice says.

    Raises
    ------
    InvalidInput
        Saying what to pass.
    """
    if not isinstance(path, str | os.PathLike) or not os.fspath(path) or "\0" in str(path):
        advice = "a directory, or '.' for the working directory"
        if or_none:
            advice = "a directory, '.' for the working directory, or None for a store in memory"
        raise InvalidInput(
            f"the path of {what} is {shown(path)}; pass {advice}",
            code="invalid_path",
            field="path",
            limit="a path or None" if or_none else "a path",
            value=shown(path),
        )
