"""A shortage of disk space: what a write needed, and what there was."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, NamedTuple

from engram.errors import Unavailable
from engram.log.files.os_errors import disk_full, is_disk_full, unavailable
from engram.log.files.storage import Storage

_UNMEASURED_S: Final = 60.0


class Shortage(NamedTuple):
    """A write that found no room on the disk.

    Attributes
    ----------
    needed_bytes
        What it needed, in bytes.
    free_bytes
        What was free then; None if the disk did not say.
    path
        The directory that it was to go to; empty if it is not on a file system.
    reason
        What the system said.
    """

    needed_bytes: int
    free_bytes: int | None
    path: str
    reason: str

    @classmethod
    def on(cls, storage: Storage, needed_bytes: int, reason: str) -> Shortage:
        """Return the shortage that a write of `needed_bytes` to `storage` met just now."""
        return cls(needed_bytes, storage.free_bytes(), "" if storage.path is None else str(storage.path), reason)

    @property
    def is_measured(self) -> bool:
        """Whether the free bytes tell of it. Under a quota, or without free inodes, there seems to be room."""
        return self.free_bytes is not None and self.free_bytes < self.needed_bytes

    def is_over(self, storage: Storage) -> bool:
        """Return whether there is room now for what found none, as far as that can be measured."""
        free = storage.free_bytes()
        return self.is_measured and free is not None and free >= self.needed_bytes

    @property
    def message(self) -> str:
        """What is missing, in a sentence."""
        return self.error().message

    def error(self) -> Unavailable:
        """Return the error with which the write is refused."""
        where = f" at {self.path}" if self.path else ""
        return disk_full(where, self.needed_bytes, self.free_bytes, self.reason)


class Shortages:
    """The shortage of disk space that a log has now. The writer meets it; any thread may read it.

    Parameters
    ----------
    storage
        The directory of the log.
    clock
        Returns a time in seconds that only rises.
    """

    def __init__(self, storage: Storage, clock: Callable[[], float] = time.monotonic) -> None:
        self._storage = storage
        self._clock = clock
        self._last: Shortage | None = None
        self._met_s = 0.0

    def error(self, error: OSError, doing: str, needed_bytes: int) -> Unavailable:
        """Return the typed error for `error`, which refused a write; note it if the disk is full.

        Parameters
        ----------
        error
            What the system said.
        doing
            A phrase such as ``"writing the log"``.
        needed_bytes
            What the write needed, in bytes.
        """
        if not is_disk_full(error):
            return unavailable(error, doing)
        self._met_s = self._clock()
        self._last = Shortage.on(self._storage, needed_bytes, error.strerror or str(error))
        return self._last.error()

    def fitted(self, nbytes: int, *, is_new: bool) -> None:
        """Note that there was room for a write. What needs more may still find none.

        Parameters
        ----------
        nbytes
            Its size in bytes.
        is_new
            Whether the disk gave room for it just now, rather than earlier.
        """
        last = self._last
        if last is None:
            return
        if nbytes >= last.needed_bytes or last.is_over(self._storage) or (is_new and not last.is_measured):
            self._last = None

    def present(self) -> Shortage | None:
        """Return the shortage; None if there was none, or there is room now.

        Nothing but a write tells that one is over which cannot be measured, and there may be none for as long as the
        space is called full. So it counts as over a minute after the last write that met it.
        """
        last = self._last
        if last is None or last.is_over(self._storage):
            return None
        return last if last.is_measured or self._clock() - self._met_s < _UNMEASURED_S else None
