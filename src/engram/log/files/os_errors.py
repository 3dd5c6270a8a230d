"""Translation of disk errors (`OSError`) into Engram's typed errors."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from engram.errors import Unavailable

# A quota, and a limit of the size of files (`ulimit -f`), leave room on the disk that may not be used.
_DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM})
_IN_THE_WAY = frozenset({errno.EEXIST, errno.ENOTDIR, errno.EISDIR})
_TOO_MANY_FILES = frozenset({errno.EMFILE, errno.ENFILE})
# A shortage ends when somebody closes something, which takes a moment.
_RETRY_AFTER_MS = 1000


class NoRoom(OSError):
    """The error of a full disk, with what was missing.

    Parameters
    ----------
    error
        What the system said.
    path
        The file that found no room.
    needed_bytes, free_bytes
        Its size in bytes, and what was free; None if the disk did not say.
    """

    def __init__(self, error: OSError, path: str, needed_bytes: int, free_bytes: int | None) -> None:
        super().__init__(error.errno, error.strerror, path)
        self.needed_bytes = needed_bytes
        self.free_bytes = free_bytes


def is_passing(error: OSError) -> bool:
    """Return whether `error` says nothing about the file: the process or the system has too much open."""
    return error.errno in _TOO_MANY_FILES or error.errno == errno.ENOMEM


def is_disk_full(error: OSError) -> bool:
    """Return whether `error` says that there is no room on the disk, or in the part of it that may be used."""
    return error.errno in _DISK_FULL


def disk_full(where: str, needed_bytes: int, free_bytes: int | None, reason: str) -> Unavailable:
    """Return the typed error for a write that found no room, with what it needed and what was free.

    Parameters
    ----------
    where
        What follows "the disk is full", such as ``" at data"``.
    needed_bytes, free_bytes
        As for `NoRoom`.
    reason
        What the system said.
    """
    free = "an unknown number" if free_bytes is None else str(free_bytes)
    return Unavailable(
        f"the disk is full{where}: a write needs {needed_bytes} bytes, and {free} are free ({reason})",
        code="disk_full",
        field="disk",
        limit="" if free_bytes is None else free_bytes,
        value=needed_bytes,
    )


def unavailable(error: OSError, doing: str) -> Unavailable:
    """Return the typed error for `error`, which occurred while `doing`, a phrase such as ``"opening the log"``.

    The code is ``disk_full``, ``read_only``, ``in_the_way`` (for example a file where a directory should be),
    ``too_many_files``, ``no_memory``, or ``log_failed`` for everything else.
    """
    reason = error.strerror or str(error)
    where = f" ({error.filename})" if error.filename else ""
    if isinstance(error, NoRoom):
        return disk_full(f" while {doing}{where}", error.needed_bytes, error.free_bytes, reason)
    if error.errno in _DISK_FULL:
        return Unavailable(f"the disk is full while {doing}{where}: {reason}", code="disk_full", field="disk")
    if error.errno == errno.EROFS:
        return Unavailable(f"cannot write while {doing}{where}: {reason}", code="read_only", field="disk")
    if error.errno in _FORBIDDEN:
        return Unavailable(
            f"not permitted while {doing}{where}: {reason}; "
            f"user {os.geteuid()} needs the right to read and write there",
            code="read_only",
            field="disk",
        )
    if error.errno in _IN_THE_WAY:
        return Unavailable(
            f"something else is in the way while {doing}{where}: {reason}", code="in_the_way", field="path"
        )
    return _shortage(error, doing, where) or Unavailable(
        f"the disk failed while {doing}{where}: {reason}", code="log_failed", field="disk"
    )


def _shortage(error: OSError, doing: str, where: str) -> Unavailable | None:
    """Return the typed error for what `is_passing`."""
    reason = error.strerror or str(error)
    if error.errno in _TOO_MANY_FILES:
        return Unavailable(
            f"too many files are open while {doing}{where}: {reason}; `ulimit -n` tells and sets how many may be",
            code="too_many_files",
            field="ulimit",
            retry_after_ms=_RETRY_AFTER_MS,
        )
    if error.errno == errno.ENOMEM:
        return Unavailable(
            f"the system has no memory left while {doing}{where}: {reason}",
            code="no_memory",
            field="memory",
            retry_after_ms=_RETRY_AFTER_MS,
        )
    return None


def cannot_open(error: OSError, doing: str) -> Unavailable:
    """Return the typed error for `error`, which kept a file from being opened, so that nothing has happened to it.

    The code is as in `unavailable`, but ``open_failed`` for a disk that failed, which may pass.
    """
    found = unavailable(error, doing)
    if error.errno != errno.EIO:
        return found
    return Unavailable(found.message, code="open_failed", field="disk", retry_after_ms=_RETRY_AFTER_MS)


@contextmanager
def typed_failures(doing: str) -> Iterator[None]:
    """Turn every `OSError` of the body into `Unavailable`; see `unavailable`."""
    try:
        yield
    except OSError as error:
        raise unavailable(error, doing) from error
