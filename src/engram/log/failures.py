"""What an `OSError` of the disk means for the caller."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from engram.errors import Unavailable

_DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


def unavailable(error: OSError, doing: str) -> Unavailable:
    """The typed error for `error`, met while `doing`: code ``disk_full``, ``read_only`` or ``log_failed``."""
    reason = error.strerror or str(error)
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in _DISK_FULL:
        return Unavailable(f"the disk is full while {doing}{where}: {reason}", code="disk_full", field="disk")
    if error.errno in _READ_ONLY:
        return Unavailable(f"cannot write while {doing}{where}: {reason}", code="read_only", field="disk")
    return Unavailable(f"the disk failed while {doing}{where}: {reason}", code="log_failed", field="disk")


@contextmanager
def typed_failures(doing: str) -> Iterator[None]:
    """Turn every `OSError` of the body into `Unavailable`."""
    try:
        yield
    except OSError as error:
        raise unavailable(error, doing) from error
