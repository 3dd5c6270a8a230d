"""A file of the log, written by system calls and read through a memory mapping."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engram import _core
from engram.log.files.aligned_buffers import BLOCK_BYTES, AlignedBufferPool
from engram.log.files.direct_writer import DIRECT, SUPPORTED, DirectWriter
from engram.log.files.disk_blocks import give_blocks_back, reserve_blocks
from engram.log.files.os_errors import is_passing
from engram.log.files.storage import Buffer

# Linux and macOS refuse more buffers than this in one pwritev call.
_BUFFERS_PER_CALL_MAX: Final = 1024
# Smaller writes use the page cache: it does not make them slower, and their data stay in memory for recalls.
DIRECT_BYTES_MIN: Final = 64 << 10


class MappedFile:
    """A file of fixed size. Large writes bypass the page cache where possible; all reads use one shared mapping.

    The kernel keeps writes and mapping consistent: a direct write drops the cached pages in its range, and waits for
    those of them that are not written out yet. The object takes ownership of `descriptor`, unless the constructor
    raises.

    Parameters
    ----------
    descriptor
        Descriptor of the open file.
    reopen
        Function that opens the same file again with the given flags and returns the descriptor.
    pool
        Pool of aligned memory to write from.
    is_new
        Whether the file was just created. A new file keeps its descriptor, as it is about to be written, and is mapped
        without read-ahead, as recalls read at random places. An existing file is read from front to back at recovery,
        and releases its descriptor until it is written: a large log has more files than a process may have open.
    """

    def __init__(self, descriptor: int, reopen: Callable[[int], int], pool: AlignedBufferPool, *, is_new: bool) -> None:
        found = os.fstat(descriptor)
        self._size = found.st_size
        self._identity = found.st_dev, found.st_ino
        self._mapping = _core.Mapping(descriptor, self._size, is_new)
        self._view = self._mapping.view()
        self._reopen = reopen
        self._pool = pool
        self._direct: DirectWriter | None = None
        self._may_be_direct = SUPPORTED and self._size % BLOCK_BYTES == 0
        self._closed = False
        # This assignment comes last: until then the caller owns the descriptor and closes it on failure.
        self._descriptor: int | None = descriptor
        if not is_new:
            self._let_go()

    def __del__(self) -> None:
        # A failure may drop a file without closing it. A file whose constructor failed owns no descriptor.
        if hasattr(self, "_descriptor"):
            self.close()

    @property
    def size(self) -> int:
        """Size of the file in bytes."""
        return self._size

    def open_for_writing(self) -> None:
        """Open the file again if it is not open; see `StorageFile.open_for_writing`."""
        self._open_descriptor()

    def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        """Write `buffers` back to back, starting at `offset`; see `StorageFile.write`."""
        descriptor = self._open_descriptor()
        pending = [memoryview(buffer).cast("B") for buffer in buffers]
        nbytes = sum(map(len, pending))
        if offset + nbytes > self._size:
            raise ValueError(f"a write to {offset} does not fit into a file of {self._size} bytes")
        if nbytes < DIRECT_BYTES_MIN or not self._write_direct(offset, pending):
            _write_cached(descriptor, offset, pending)

    def sync(self) -> None:
        """Return once everything written is on the disk; see `StorageFile.sync`."""
        descriptor = self._open_descriptor()
        _sync_data(descriptor)
        if os.fstat(descriptor).st_nlink == 0:
            raise FileNotFoundError(errno.ENOENT, "the file was removed while it was written")

    def reserve(self, begin: int) -> None:
        """Have the disk reserve what is behind `begin`; see `StorageFile.reserve`."""
        reserve_blocks(self._open_descriptor(), begin, self._size)

    def give_back(self, begin: int) -> None:
        """Have the disk take back what is behind `begin`; see `StorageFile.give_back`."""
        give_blocks_back(self._open_descriptor(), begin + -begin % BLOCK_BYTES, self._size)

    def view(self) -> NDArray[np.uint8]:
        """Return the mapped bytes: uint8, shape ``(size,)``, read-only.

        Pages that cannot be read appear as zeros, so the caller must check what it reads.
        """
        return self._view

    @property
    def lost_pages(self) -> int:
        """Number of pages that could not be read, because of a bad sector or because the file was cut short."""
        return self._mapping.lost_pages

    def close(self) -> None:
        """Close the descriptors and refuse further writes. The mapping stays as long as a view refers to it."""
        self._closed = True
        self._give_up_direct()
        self._let_go()

    def _write_direct(self, offset: int, pending: Sequence[memoryview]) -> bool:
        """Write past the page cache; return False if the file system does not support that."""
        if not self._may_be_direct:
            return False
        try:
            if self._direct is None:
                self._direct = DirectWriter(self._open_direct(), self._view, self._pool)
            self._direct.write(offset, pending)
        except OSError as error:
            if self._direct is None and is_passing(error):
                # A second descriptor only makes writes faster. The next one may get it.
                return False
            if error.errno != errno.EINVAL:
                raise
            self._give_up_direct()
            return False
        return True

    def _open_direct(self) -> int:
        descriptor = self._reopen(os.O_WRONLY | DIRECT)
        if self._is_other(descriptor):
            os.close(descriptor)
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return descriptor

    def _give_up_direct(self) -> None:
        self._may_be_direct = False
        if self._direct is not None:
            self._direct.close()
            self._direct = None

    def _open_descriptor(self) -> int:
        if self._closed:
            raise ValueError("the file is closed")
        if self._descriptor is None:
            descriptor = self._reopen(os.O_RDWR)
            if self._is_other(descriptor):
                os.close(descriptor)
                raise FileNotFoundError(errno.ENOENT, "another file took its place")
            self._descriptor = descriptor
        return self._descriptor

    def _is_other(self, descriptor: int) -> bool:
        """Return whether the descriptor is of another file, which took the name of this one."""
        found = os.fstat(descriptor)
        return (found.st_dev, found.st_ino) != self._identity

    def _let_go(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _write_cached(descriptor: int, offset: int, pending: list[memoryview]) -> None:
    while pending:
        written = os.pwritev(descriptor, pending[:_BUFFERS_PER_CALL_MAX], offset)
        offset += written
        pending = _after(pending, written)


def _after(pending: list[memoryview], written: int) -> list[memoryview]:
    """Return what remains of `pending` after its first `written` bytes."""
    for index, buffer in enumerate(pending):
        if written < len(buffer):
            return [buffer[written:], *pending[index + 1 :]]
        written -= len(buffer)
    return []


if sys.platform == "linux":

    def _sync_data(descriptor: int) -> None:
        os.fdatasync(descriptor)

else:

    def _sync_data(descriptor: int) -> None:
        import fcntl  # noqa: PLC0415  (does not exist on every platform that can import this module)

        # On macOS fsync leaves the data in the drive's cache; only F_FULLFSYNC survives a power loss.
        if hasattr(fcntl, "F_FULLFSYNC"):
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        else:
            os.fsync(descriptor)
