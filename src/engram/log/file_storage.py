"""`Storage` on the file system."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from engram.log.mapped_file import MappedFile
from engram.log.staging import Stagings

_TEMPORARY_SUFFIX = ".tmp"


class FileStorage:
    """A directory of the file system, created with its parents if it is not there.

    Safe to use from any thread; two threads must not write the same file.

    Parameters
    ----------
    path
        Where it is.
    stagings
        Memory to write from; default: some of its own, shared with the directories in it.
    """

    def __init__(self, path: str | os.PathLike[str], stagings: Stagings | None = None) -> None:
        self._path = Path(path)
        self._stagings = stagings or Stagings()
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
            return MappedFile(descriptor, path, self._stagings, random_reads=True)
        except BaseException:
            os.close(descriptor)
            with contextlib.suppress(OSError):
                path.unlink()
            raise

    def open(self, name: str) -> MappedFile:
        """An existing file, for writing."""
        path = self._path / name
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            return MappedFile(descriptor, path, self._stagings, random_reads=False)
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
        return FileStorage(path, self._stagings)


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable: the files that appeared, vanished or were renamed."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


if sys.platform == "linux":

    def _allocate(descriptor: int, size: int) -> None:
        os.posix_fallocate(descriptor, 0, size)

else:

    def _allocate(descriptor: int, size: int) -> None:
        # Without fallocate only writing makes the file system reserve the blocks.
        zeros = bytes(1 << 20)
        for offset in range(0, size, len(zeros)):
            os.pwrite(descriptor, zeros[: size - offset], offset)
