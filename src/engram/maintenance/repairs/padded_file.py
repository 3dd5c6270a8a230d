"""A file that was cut short, padded to its original size."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engram.log.files.storage import Buffer, StorageFile


class PaddedFile:
    """A copy in memory of a file that was cut short. Missing bytes read as zeros, which fail every checksum.

    It refuses writes.

    Parameters
    ----------
    file
        The file that was cut; it is closed.
    size
        The size in bytes that the file should have.
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
        """Size in bytes, including the missing ones."""
        return len(self._bytes)

    def open_for_writing(self) -> None:
        """Refuse to be written.

        Raises
        ------
        OSError
            Always: EROFS.
        """
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        """Refuse to write.

        Raises
        ------
        OSError
            Always: EROFS.
        """
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    def sync(self) -> None:
        """Refuse to sync.

        Raises
        ------
        OSError
            Always: EROFS.
        """
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    def reserve(self, begin: int) -> None:
        """Refuse to be written.

        Raises
        ------
        OSError
            Always: EROFS.
        """
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    def give_back(self, begin: int) -> None:
        """Refuse to be changed.

        Raises
        ------
        OSError
            Always: EROFS.
        """
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    def view(self) -> NDArray[np.uint8]:
        """Return all bytes: uint8, shape ``(size,)``, read-only."""
        return self._bytes

    def close(self) -> None:
        """Do nothing, because the original file is already closed."""
