"""Protocols for the storage that the log and the catalogue need.

`engram.log.files.file_storage` implements them on the file system, `engram.log.files.memory_storage` in RAM; tests
inject faults into the latter. Every method raises plain `OSError`. `engram.log.files.os_errors` turns it into the typed
error that the caller sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Buffer: TypeAlias = bytes | bytearray | memoryview


class StorageFile(Protocol):
    """A file of fixed size. It is written at any offset, made durable on demand, and read through a mapping."""

    @property
    def size(self) -> int:
        """Size of the file in bytes, fixed at its creation."""

    @property
    def lost_pages(self) -> int:
        """Pages that could not be read when they were asked for, and look like zeros."""

    def open_for_writing(self) -> None:
        """Open the file again if it is not open, so that no write finds that this is not possible.

        Raises
        ------
        OSError
            If it cannot be opened now. Nothing has happened to the file.
        ValueError
            If the file is closed.
        """

    def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        """Write the non-empty `buffers` back to back, starting at `offset`. They are not durable before `sync`.

        Files are written from front to back. Bytes behind the last written byte may become zero, up to the end of its
        page.

        Raises
        ------
        OSError
            If the write fails.
        ValueError
            If the buffers do not fit into the file, or the file is closed.
        """

    def sync(self) -> None:
        """Return once everything written is on the disk.

        Raises
        ------
        OSError
            If the sync fails; the state of the written data is unknown then. A file that has no name any more is such a
            failure, because nobody could find its data.
        ValueError
            If the file is closed.
        """

    def reserve(self, begin: int) -> None:
        """Have the disk reserve all that is behind the offset `begin` and was given back.

        Raises
        ------
        OSError
            If there is no room for it.
        """

    def give_back(self, begin: int) -> None:
        """Have the disk take back what is reserved behind the offset `begin`, where all is zero, and stays so.

        Raises
        ------
        OSError
            If it does not.
        """

    def view(self) -> NDArray[np.uint8]:
        """Return the file's bytes: uint8, shape ``(size,)``, read-only and always current.

        The view is valid as long as it is referenced, even after `close`.
        """

    def close(self) -> None:
        """Release the handle. Views stay valid."""


class Storage(Protocol):
    """A directory with files and subdirectories."""

    @property
    def read_only(self) -> bool:
        """Whether every change is refused."""

    @property
    def path(self) -> Path | None:
        """Path of the directory on the file system, or None if it is not on one."""

    def free_bytes(self) -> int | None:
        """Return how many bytes of the disk are free; None if that is not limited or not known."""

    def names(self) -> list[str]:
        """Return the sorted names of files and subdirectories."""

    def is_directory(self, name: str) -> bool:
        """Return whether a subdirectory `name` exists."""

    def create(self, name: str, size: int, begin: Buffer = b"") -> StorageFile:
        """Create a file of `size` bytes that begins with `begin` and is filled up with zeros.

        The file is allocated and durable on return, so no later write to it can find the disk full. A failure leaves no
        file behind.
        """

    def open(self, name: str) -> StorageFile:
        """Open an existing file, for writing unless the storage is read-only."""

    def remove(self, name: str) -> None:
        """Remove a file, durably. Views of it stay valid."""

    def read(self, name: str) -> bytes:
        """Return the content of a file."""

    def replace(self, name: str, data: bytes) -> None:
        """Replace a file's content with `data`, durably. A crash leaves the old content or the new, never a mix."""

    def rename(self, old: str, new: str) -> None:
        """Rename a file or a subdirectory, durably.

        A file that has the new name is replaced, and so is a subdirectory by another one, if it is empty.
        """

    def remove_directory(self, name: str) -> None:
        """Remove a subdirectory with everything in it, durably. Views of its files stay valid.

        A crash leaves any part of it. What does not exist is removed already.
        """

    def directory(self, name: str) -> Storage:
        """Return the subdirectory `name`, created if it does not exist."""
