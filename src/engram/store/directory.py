"""The data directory of a store: it is opened, and locked for this process."""

from __future__ import annotations

import os
from typing import Final

from engram.errors import FailedPrecondition, InvalidInput, NotFound
from engram.log.files.directory_lock import DirectoryLock
from engram.log.files.file_storage import FileStorage
from engram.log.files.memory_storage import MemoryStorage
from engram.log.files.os_errors import typed_failures
from engram.log.files.storage import Storage
from engram.model.values.scalars import shown

SPACES: Final = "spaces"
"""The directory of the spaces in a data directory."""
BACKUP: Final = "backup.json"
"""The file that makes a directory a backup."""


def open_directory(
    path: str | os.PathLike[str] | None, read_only: bool, *, creates: bool = True
) -> tuple[Storage, DirectoryLock | None]:
    """Open the data directory `path`, created if it does not exist, and return it with its lock.

    Parameters
    ----------
    path
        The directory; None for a storage in memory, which has no lock.
    read_only
        Whether the directory must exist and is never changed; the lock is then shared with other readers.
    creates
        Whether a directory that is none becomes a data directory.

    Raises
    ------
    InvalidInput
        If `path` is empty or is not a path.
    NotFound
        If the directory is not a data directory, and `read_only` is set or `creates` is not.
    FailedPrecondition
        If the directory is a backup, which would be taken for an empty store, and changed.
    StoreLocked
        If another process, or this one, holds the directory; the message names its process id.
    Unavailable
        If the directory cannot be read or written.
    """
    if path is None:
        return MemoryStorage(), None
    check_path(path, or_none=True)
    with typed_failures(f"opening data directory {os.fspath(path)}"):
        storage = FileStorage(path, read_only=read_only)
        try:
            (check_is_no_backup if creates and not read_only else check_is_store)(storage)
            return storage, DirectoryLock(storage.path, storage.root_descriptor, shared=read_only)
        except BaseException:
            storage.close()
            raise


def check_path(path: object, what: str = "the data directory", *, or_none: bool = False) -> None:
    """Refuse a path that names no directory.

    An empty path would mean the working directory, which hardly any caller intends.

    Parameters
    ----------
    path
        The value that was passed.
    what
        The thing that the path is of, for the message.
    or_none
        Whether the message offers None as a choice.

    Raises
    ------
    InvalidInput
        If the path is empty, contains a null character, or is no path.
    """
    if not _is_path(path):
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


def _is_path(path: object) -> bool:
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str) or not text or "\0" in text:
        return False
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return True


def check_is_store(storage: Storage) -> None:
    """Check that a directory is a data directory; a reader must not take any other directory for an empty store.

    Raises
    ------
    FailedPrecondition
        If it is a backup.
    NotFound
        If it has no directory of spaces.
    """
    check_is_no_backup(storage)
    if not storage.is_directory(SPACES):
        raise NotFound(
            f"{storage.path} is no data directory: it has no directory {SPACES!r}", code="no_data", field="path"
        )


def check_is_no_backup(storage: Storage) -> None:
    """Check that a directory is not a backup, which would be taken for an empty store, and changed.

    Raises
    ------
    FailedPrecondition
        If it is one.
    """
    # With a directory of spaces it is a store as well, whose data must stay within reach.
    if BACKUP in storage.names() and not storage.is_directory(SPACES):
        raise FailedPrecondition(
            f"{storage.path} is a backup, no data directory; 'engram restore' makes a data directory of it",
            code="is_backup",
            field="path",
        )
