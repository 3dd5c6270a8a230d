"""One process per data directory."""

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
    """Holds a data directory for this process until `release`, or until the process ends in whatever way.

    The lock is the kernel's (``flock``), so nothing is left to clean up after ``kill -9``; the file's content (process
    id, host, time of opening) only serves the message. A forked child does not inherit the lock: it drops its copy of
    the descriptor at once, so that it cannot keep the directory locked when its parent ends.

    Parameters
    ----------
    directory
        Where it is, for messages.
    place
        The directory itself, opened; None: it is found by its name.
    shared
        Whether others may hold the lock in the same way; then nothing is written.

    Raises
    ------
    StoreLocked
        If the directory is held already, by another process or by this one; the message says which.
    OSError
        If the lock file cannot be written.
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
            # Nobody ever opened the directory to write, as that of a copy, perhaps: there is nothing to lock.
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
            # Only now, so that whoever reads meanwhile never finds the file empty.
            os.ftruncate(descriptor, len(text))
        except BaseException:
            with _guard:
                self._drop()
            raise

    def release(self) -> None:
        """Let others have the directory. Calling it again does nothing."""
        if self._descriptor is not None:
            with _guard:
                # Closing alone would do, but not while a child between fork and exec still holds a copy.
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
                self._drop()

    def _take(self, directory: Path, descriptor: int) -> None:
        # Neither call waits for anything. Together they let a thread that comes second find who came first.
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
    """Who holds a directory, in words and as a value, by the content of its lock file.

    The content may be that of an earlier holder, if the present one is just about to write its own, or can write
    nothing since the disk is full. And a process of another container has a number that means nothing here.
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
    """Whether `pid` is a process that this one can see, other than itself."""
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
    global _guard  # noqa: PLW0603 - some other thread of the parent may have held it, and does not exist here.
    _guard = threading.Lock()
    for lock in list(_held):
        lock._drop()


os.register_at_fork(after_in_child=_drop_all_in_child)
