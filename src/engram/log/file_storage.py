"""`Storage` on the file system."""

from __future__ import annotations

import contextlib
import mmap
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engram.log.storage import Buffer

# More buffers than this in one pwritev call are refused by Linux and macOS alike.
_BUFFERS_PER_CALL_MAX = 1024
_TEMPORARY_SUFFIX = ".tmp"
_WARM_BYTES = 1 << 20


class FileStorage:
    """A directory of the file system, created with its parents if it is not there.

    Safe to use from any thread; two threads must not write the same file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._path.mkdir(parents=True, exist_ok=True)

    @property
    def path(self) -> Path:
        """The directory."""
        return self._path

    def names(self) -> list[str]:
        """The names of files and directories in it, sorted. Leftovers of interrupted `replace` calls do not count."""
        return sorted(name for name in os.listdir(self._path) if not name.endswith(_TEMPORARY_SUFFIX))

    def create(self, name: str, size: int) -> MappedFile:
        """A new file of `size` bytes; see `Storage.create`."""
        path = self._path / name
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            _allocate(descriptor, size)
            os.fsync(descriptor)
            sync_directory(self._path)
            return MappedFile(descriptor, size)
        except BaseException:
            os.close(descriptor)
            with contextlib.suppress(OSError):
                path.unlink()
            raise

    def open(self, name: str) -> MappedFile:
        """An existing file, for writing."""
        descriptor = os.open(self._path / name, os.O_RDWR | os.O_CLOEXEC)
        try:
            return MappedFile(descriptor, os.fstat(descriptor).st_size)
        except BaseException:
            os.close(descriptor)
            raise

    def remove(self, name: str) -> None:
        """Remove a file, durably."""
        (self._path / name).unlink()
        sync_directory(self._path)

    def read(self, name: str) -> bytes:
        """The content of a file."""
        return (self._path / name).read_bytes()

    def replace(self, name: str, data: bytes) -> None:
        """Replace a file's content atomically and durably."""
        temporary = self._path / (name + _TEMPORARY_SUFFIX)
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self._path / name)
        sync_directory(self._path)

    def directory(self, name: str) -> FileStorage:
        """The directory `name` in this one."""
        path = self._path / name
        if not path.is_dir():
            path.mkdir()
            sync_directory(self._path)
        return FileStorage(path)


class MappedFile:
    """An open file of fixed size, written by `pwritev` and read through one shared mapping."""

    def __init__(self, descriptor: int, size: int) -> None:
        self._size = size
        # An empty file, which only a crash inside `create` leaves behind, cannot be mapped.
        mapping = mmap.mmap(descriptor, size, prot=mmap.PROT_READ) if size else b""
        self._view = np.frombuffer(mapping, dtype=np.uint8)
        # The last line: until then the caller still owns the descriptor and closes it on failure.
        self._descriptor: int | None = descriptor

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return self._size

    def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        """Write `buffers` one after the other from `offset` on, without joining or copying them."""
        pending = [memoryview(buffer).cast("B") for buffer in buffers]
        if offset + sum(map(len, pending)) > self._size:
            raise ValueError(f"a write to {offset} does not fit into a file of {self._size} bytes")
        while pending:
            written = os.pwritev(self._open_descriptor(), pending[:_BUFFERS_PER_CALL_MAX], offset)
            offset += written
            pending = _after(pending, written)

    def sync(self) -> None:
        """Return once everything written is on the disk."""
        _sync_data(self._open_descriptor())

    def warm(self, enough: Callable[[], bool]) -> None:
        """Read the file piece by piece: reserved blocks read as zeros, without the disk, and leave pages behind."""
        scratch = bytearray(_WARM_BYTES)
        for offset in range(0, self._size, _WARM_BYTES):
            if enough():
                return
            os.preadv(self._open_descriptor(), [scratch], offset)

    def view(self) -> NDArray[np.uint8]:
        """The mapped bytes, read-only."""
        return self._view

    def close(self) -> None:
        """Close the descriptor; the mapping stays as long as a view refers to it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open_descriptor(self) -> int:
        if self._descriptor is None:
            raise ValueError("the file is closed")
        return self._descriptor


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable: the files that appeared, vanished or were renamed."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _after(pending: list[memoryview], written: int) -> list[memoryview]:
    """What is left of `pending` when its first `written` bytes are done."""
    for index, buffer in enumerate(pending):
        if written < len(buffer):
            return [buffer[written:], *pending[index + 1 :]]
        written -= len(buffer)
    return []


if sys.platform == "linux":

    def _allocate(descriptor: int, size: int) -> None:
        os.posix_fallocate(descriptor, 0, size)

    def _sync_data(descriptor: int) -> None:
        os.fdatasync(descriptor)

else:

    def _allocate(descriptor: int, size: int) -> None:
        # Without fallocate only writing makes the file system reserve the blocks.
        zeros = bytes(1 << 20)
        for offset in range(0, size, len(zeros)):
            os.pwrite(descriptor, zeros[: size - offset], offset)

    def _sync_data(descriptor: int) -> None:
        import fcntl  # noqa: PLC0415  (does not exist on every platform that can import this module)

        # On macOS fsync leaves the data in the drive's cache; only F_FULLFSYNC survives a power loss.
        if hasattr(fcntl, "F_FULLFSYNC"):
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        else:
            os.fsync(descriptor)
