"""The lock on a data directory: one process that writes, or any number of processes that only read."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from engram.errors import StoreLocked

FILE_NAME: Final = "LOCK"
_TEXT_BYTES_MAX = 512


class DirectoryLock:
    """Holds a data directory for this process until `release` or until the process ends, however it ends.

    The lock is the kernel's (``flock``), so nothing has to be cleaned up after ``kill -9``. The content of the lock
    file (process id, host, time of opening) serves error messages only. A forked child does not inherit the lock: it
    closes its copy of the descriptor at once, so that it cannot keep the directory locked after its parent has ended.

    Parameters
    ----------
    directory
        Path of the directory. It is used in messages, and to find the lock file if `place` is None.
    place
        Descriptor of the open directory; None to find the directory by its path.
    shared
        Whether to take a shared lock, which other processes may hold at the same time. Nothing is written then.

    Raises
    ------
    StoreLocked
        If another process, or this one, already holds the directory. The message says which.
    OSError
        If the lock file cannot be opened or written.
    """

    def __init__(self, directory: Path, place: int | None = None, *, shared: bool = False) -> None:
        self._descriptor: int | None = None
        flags = os.O_RDONLY if shared else os.O_RDWR | os.O_CREAT
        path = directory / FILE_NAME if place is None else Path(FILE_NAME)
        try:
            descriptor = os.open(path, flags | os.O_CLOEXEC, 0o644, dir_fd=place)
        except FileNotFoundError:
            if not shared:
                raise
            # No process ever opened the directory for writing (it may be a copy), so there is nothing to lock.
            return
        except OSError as error:
            error.filename = str(directory / FILE_NAME)
            raise
        self._descriptor = descriptor
        self._shared = shared
        self._opened_at = datetime.now(UTC).isoformat(" ", "seconds")
        status = os.fstat(descriptor)
        self._file = (status.st_dev, status.st_ino)
        try:
            self._take(directory, descriptor)
            if shared:
                return
            text = f"{os.getpid()} {socket.gethostname()} {self._opened_at}\n".encode()
            os.pwrite(descriptor, text, 0)
            # Truncate after the write, so that a concurrent reader never finds the file empty.
            os.ftruncate(descriptor, len(text))
        except BaseException:
            with _guard:
                self._drop()
            raise

    def release(self) -> None:
        """Release the lock. Further calls do nothing."""
        if self._descriptor is not None:
            with _guard:
                # Closing alone does not release the lock while a child between fork and exec holds a copy.
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
                self._drop()

    def _take(self, directory: Path, descriptor: int) -> None:
        # Taking the lock and noting its holder never block. The guard lets a second thread find the first holder.
        with _guard:
            try:
                fcntl.flock(descriptor, (fcntl.LOCK_SH if self._shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = next((lock for lock in _held if lock._file == self._file), None)
            else:
                _held.add(self)
                return
        if holder is not None:
            owner = f"by this very process ({os.getpid()}, opened at {holder._opened_at}); use that store or close it"
            value = f"pid {os.getpid()}"
        else:
            owner, value = _describe(os.pread(descriptor, _TEXT_BYTES_MAX, 0))
        raise StoreLocked(f"data directory {directory} is in use {owner}", field="path", value=value)

    def _drop(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        _held.discard(self)
        if descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(descriptor)


def _describe(text: bytes) -> tuple[str, str]:
    """Return who holds a directory, as a phrase and as a short value, from the content of its lock file.

    The content may be that of an earlier holder: the current holder may be about to write its own, or may be unable to
    write because the disk is full. The process id of a process in another container has no meaning here.
    """
    pid, _, rest = text.decode(errors="replace").split("\n", 1)[0].strip().partition(" ")
    host, _, opened_at = rest.partition(" ")
    since = f" (opened at {opened_at})" if opened_at else ""
    if not pid.isdecimal():
        return "by another process, which has not said its name", "pid unknown"
    if host in ("", socket.gethostname()) and _is_other_process(int(pid)):
        return f"by process {pid}{since}", f"pid {pid}"
    where = f" of host or container {host}" if host else ""
    return (
        f"by another process, which is not visible from here; the last that opened it was process {pid}{where}{since}",
        f"pid {pid}{where}",
    )


def _is_other_process(pid: int) -> bool:
    """Return whether `pid` is a process that is visible from here and is not this one."""
    if pid in (0, os.getpid()):
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


_held: set[DirectoryLock] = set()
_guard = threading.Lock()


def _drop_all_in_child() -> None:
    global _guard  # noqa: PLW0603 - another thread of the parent may have held it; the child lacks that thread.
    _guard = threading.Lock()
    for lock in list(_held):
        lock._drop()


os.register_at_fork(after_in_child=_drop_all_in_child)
