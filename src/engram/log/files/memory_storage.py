"""Implementation of `Storage` in RAM, for `MemoryStore(None)` and for tests, which inject faults into it."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engram.log.files.storage import Buffer

_ALIGNMENT = 64


class MemoryStorage:
    """A directory in RAM that behaves like `FileStorage`, including its errors. It exists as long as it is referenced.

    Safe to use from any thread, but two threads must not write to the same file.
    """

    path = None
    read_only = False

    def __init__(self) -> None:
        self._files: dict[str, NDArray[np.uint8]] = {}
        self._directories: dict[str, MemoryStorage] = {}

    def free_bytes(self) -> int | None:
        """Return None: what memory has is limited elsewhere."""
        return None

    def names(self) -> list[str]:
        """Return the sorted names of files and subdirectories."""
        return sorted([*self._files, *self._directories])

    def is_directory(self, name: str) -> bool:
        """Return whether a subdirectory `name` exists."""
        return name in self._directories

    def create(self, name: str, size: int, begin: Buffer = b"") -> MemoryFile:
        """Create a file of `size` bytes; see `Storage.create`."""
        if name in self._files:
            raise FileExistsError(name)
        self._files[name] = _aligned_zeros(size)
        self._files[name][: len(begin)] = np.frombuffer(begin, dtype=np.uint8)
        return MemoryFile(self._files[name])

    def open(self, name: str) -> MemoryFile:
        """Open an existing file, for writing."""
        return MemoryFile(self._content(name))

    def remove(self, name: str) -> None:
        """Remove a file. Views of it stay valid."""
        self._content(name)
        del self._files[name]

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        return self._content(name).tobytes()

    def replace(self, name: str, data: bytes) -> None:
        """Replace a file's content."""
        self._files[name] = np.frombuffer(bytearray(data), dtype=np.uint8)

    def rename(self, old: str, new: str) -> None:
        """Rename a file or a subdirectory; see `Storage.rename`."""
        if old not in self._directories:
            self._files[new] = self._content(old)
            del self._files[old]
            return
        if new in self._directories and self._directories[new].names():
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), new)
        self._directories[new] = self._directories.pop(old)

    def remove_directory(self, name: str) -> None:
        """Remove a subdirectory with everything in it. Views of its files stay valid."""
        self._directories.pop(name, None)

    def directory(self, name: str) -> MemoryStorage:
        """Return the subdirectory `name`, created if it does not exist."""
        return self._directories.setdefault(name, MemoryStorage())

    def _content(self, name: str) -> NDArray[np.uint8]:
        content = self._files.get(name)
        if content is None:
            raise FileNotFoundError(name)
        return content


def _aligned_zeros(size: int) -> NDArray[np.uint8]:
    """Return zeros: uint8, shape ``(size,)``, aligned to 64 bytes like a mapped file, for vector instructions."""
    memory = np.zeros(size + _ALIGNMENT, dtype=np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size]


class MemoryFile:
    """An open file of a `MemoryStorage`."""

    def __init__(self, content: NDArray[np.uint8]) -> None:
        self._content = content
        self._view = content.view()
        self._view.flags.writeable = False
        self._closed = False

    @property
    def size(self) -> int:
        """Size of the file in bytes."""
        return len(self._content)

    @property
    def lost_pages(self) -> int:
        """None: memory can always be read."""
        return 0

    def open_for_writing(self) -> None:
        """Check that the file is open; nothing else can keep it from being written."""
        self._check_open()

    def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        """Copy `buffers` back to back into the file, starting at `offset`; see `StorageFile.write`."""
        self._check_open()
        parts = [np.frombuffer(buffer, dtype=np.uint8) for buffer in buffers]
        if offset + sum(map(len, parts)) > self.size:
            raise ValueError(f"a write to {offset} does not fit into a file of {self.size} bytes")
        for part in parts:
            self._content[offset : offset + len(part)] = part
            offset += len(part)

    def sync(self) -> None:
        """Check that the file is open. RAM offers no further durability."""
        self._check_open()

    def reserve(self, begin: int) -> None:
        """Do nothing: the memory stays reserved."""

    def give_back(self, begin: int) -> None:
        """Do nothing: the memory stays reserved."""

    def view(self) -> NDArray[np.uint8]:
        """Return the bytes: uint8, shape ``(size,)``, read-only."""
        return self._view

    def close(self) -> None:
        """Refuse further writes. Views stay valid."""
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError("the file is closed")
