"""One process per data directory."""

from __future__ import annotations

import contextlib
import fcntl
import os
import weakref
from pathlib import Path
from typing import Final

from engram.errors import StoreLocked

FILE_NAME: Final = "LOCK"


class DirectoryLock:
    """Holds a data directory for this process until `release`, or until the process ends in whatever way.

    The lock is the kernel's (``flock``), so nothing is left to clean up after ``kill -9``; the file's content, the
    owner's process id, only serves the message. A forked child does not inherit the lock: it drops its copy of the
    descriptor at once, so that it cannot keep the directory locked when its parent ends.

    Parameters
    ----------
    directory
        Where it is, for messages.
    descriptor
        The directory itself, opened; None: it is found by its name.
    shared
        Whether others may hold the lock in the same way; then nothing is written.

    Raises
    ------
    StoreLocked
        If the directory is held already, by another process or by this one.
    OSError
        If the lock file cannot be written.
    """

    def __init__(self, directory: Path, descriptor: int | None = None, *, shared: bool = False) -> None:
        flags = os.O_RDONLY if shared else os.O_RDWR | os.O_CREAT
        path = directory / FILE_NAME if descriptor is None else Path(FILE_NAME)
        self._descriptor: int | None = None
        try:
            descriptor = os.open(path, flags | os.O_CLOEXEC, 0o644, dir_fd=descriptor)
        except FileNotFoundError:
            if not shared:
                raise
            # Read-only, of a directory that nobody ever opened: a copy, perhaps. There is nothing to lock.
            return
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            if not shared:
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        except BlockingIOError:
            owner = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise StoreLocked(
                f"data directory {directory} is in use by process {owner}", field="path", value=f"pid {owner}"
            ) from None
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        _held.add(self)

    def release(self) -> None:
        """Let others have the directory. Calling it again does nothing."""
        if self._descriptor is not None:
            # Closing alone would do, but not while a child between fork and exec still holds a copy.
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            self._drop()

    def _drop(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        _held.discard(self)
        if descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(descriptor)


_held: weakref.WeakSet[DirectoryLock] = weakref.WeakSet()


def _drop_all_in_child() -> None:
    for lock in list(_held):
        lock._drop()


os.register_at_fork(after_in_child=_drop_all_in_child)
