"""A file that was cut short, as long as it should be."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engram.log.files.storage import Buffer, StorageFile


class PaddedFile:
    """A copy in memory, in which what is missing reads as zeros: no checksum lets these pass. It takes no writes.

    Parameters
    ----------
    file
        What is left; it is closed.
    size
        How long it should be.
    """

    def __init__(self, file: StorageFile, size: int) -> None:
        self._bytes = np.zeros(size, np.uint8)
        left = file.view()[:size]
        self._bytes[: len(left)] = left
        self._bytes.flags.writeable = False
        self._lost_pages = file.lost_pages
        file.close()

    @property
    def lost_pages(self) -> int:
        """Pages of what is left that could not be read."""
        return self._lost_pages

    @property
    def size(self) -> int:
        """Bytes, those included that are missing."""
        return len(self._bytes)

    def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        """Refuse."""
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    def sync(self) -> None:
        """Refuse."""
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    def view(self) -> NDArray[np.uint8]:
        """All of it, read-only."""
        return self._bytes

    def close(self) -> None:
        """Do nothing."""
