"""What the log and the catalogue need from a disk, behind two small protocols.

`engram.log.files.file_storage` is the real one; `engram.log.files.memory_storage` is its twin in RAM, which tests give
faults.
Every method raises plain `OSError`; `engram.log.files.os_errors` turns it into the typed error the caller sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Buffer: TypeAlias = bytes | bytearray | memoryview


class StorageFile(Protocol):
    """A file of fixed size: written anywhere, made durable on demand, read through a mapping."""

    @property
    def size(self) -> int:
        """Bytes in the file; fixed when it was created."""

    @property
    def lost_pages(self) -> int:
        """Pages that could not be read when they were asked for, and look like zeros."""

    def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        """Write the non-empty `buffers` one after the other from `offset` on. Not durable before `sync`.

        Files are written from front to back: within a page, what lies behind the last byte may become zero.
        """

    def sync(self) -> None:
        """Return once everything written is on the disk. After a failure nothing is known about what was written.

        It is a failure, too, if the file has no name any more, since nobody would find what was written.
        """

    def view(self) -> NDArray[np.uint8]:
        """The file's bytes, read-only and always current. Valid as long as it is referenced, even after `close`."""

    def close(self) -> None:
        """Release the handle; views stay valid."""


class Storage(Protocol):
    """A directory."""

    @property
    def read_only(self) -> bool:
        """Whether every change is refused."""

    @property
    def path(self) -> Path | None:
        """Where it is on the file system, or None if it is not."""

    def names(self) -> list[str]:
        """The names of files and directories in it, sorted."""

    def is_directory(self, name: str) -> bool:
        """Whether there is a directory called `name` in it."""

    def create(self, name: str, size: int, begin: Buffer = b"") -> StorageFile:
        """A new file of `size` bytes, which begins with `begin` and goes on with zeros.

        It is allocated and durable, so that no later write can find the disk full. A failure leaves no file behind.
        """

    def open(self, name: str) -> StorageFile:
        """An existing file, for writing unless the storage is read-only."""

    def remove(self, name: str) -> None:
        """Remove a file, durably. Views of it stay valid."""

    def read(self, name: str) -> bytes:
        """The content of a file."""

    def replace(self, name: str, data: bytes) -> None:
        """Give the file the content `data`, durably: after a crash it has the old content or the new, never a mix."""

    def directory(self, name: str) -> Storage:
        """The directory `name` in this one, created if it is not there."""
