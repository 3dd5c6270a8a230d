"""A storage in RAM that fails on demand and can lose power: what was not synced may be gone, in any part."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

import numpy as np
from numpy.typing import NDArray

from engram.log.files.aligned_buffers import BLOCK_BYTES
from engram.log.files.memory_storage import MemoryFile, MemoryStorage
from engram.log.files.storage import Buffer
from engram.log.records.sectors import SECTOR_BYTES

# What a disk or a page cache may write on its own. No disk writes less than a sector.
_BLOCK_SIZES = (512, 4096)


@dataclass
class Fault:
    """The next `times` calls of `operation` raise ``OSError(errno)``.

    A write first writes the whole sectors of `bytes_before` bytes.
    """

    operation: str
    errno: int
    bytes_before: int = 0
    times: int = 1


@dataclass
class Faults:
    """The faults to come, shared by a storage and everything opened from it, and what was called."""

    pending: list[Fault] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    # Bytes that further files may have; None: any number.
    room: int | None = None

    def take(self, operation: str) -> Fault | None:
        self.calls.append(operation)
        fault = next((fault for fault in self.pending if fault.operation == operation), None)
        if fault is not None:
            fault.times -= 1
            if fault.times == 0:
                self.pending.remove(fault)
        return fault

    def spend(self, nbytes: int) -> None:
        """Take room for a file; where there is not enough, the disk is full."""
        if self.room is None:
            return
        if nbytes > self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room -= nbytes

    def check(self, operation: str) -> None:
        fault = self.take(operation)
        if fault is not None:
            raise OSError(fault.errno, os.strerror(fault.errno))


class FaultyStorage(MemoryStorage):
    """A `MemoryStorage` that remembers what is durable. Operations to fail: create, open, reopen, write, sync,
    replace, rename, remove_directory.

    With `whole_blocks` it writes like a file past the page cache: the block a write begins in is written again from its
    start, and the one it ends in is filled with zeros.
    """

    def __init__(self, faults: Faults | None = None, *, whole_blocks: bool = False) -> None:
        super().__init__()
        self.faults = faults or Faults()
        self._whole_blocks = whole_blocks
        self._on_disk: dict[str, NDArray[np.uint8]] = {}
        self._unsynced: dict[str, list[tuple[int, bytes]]] = {}

    def create(self, name: str, size: int, begin: Buffer = b"") -> FaultyFile:
        self.faults.check("create")
        self.faults.spend(size)
        super().create(name, size, begin)
        self._on_disk[name] = self._content(name).copy()
        self._unsynced[name] = []
        return self._file(name)

    def open(self, name: str) -> FaultyFile:
        self.faults.check("open")
        return self._file(name)

    def free_bytes(self) -> int | None:
        return self.faults.room

    def remove(self, name: str) -> None:
        if self.faults.room is not None:
            self.faults.room += len(self._content(name))
        super().remove(name)
        del self._on_disk[name], self._unsynced[name]

    def replace(self, name: str, data: bytes) -> None:
        self.faults.check("replace")
        super().replace(name, data)
        self._on_disk[name] = self._content(name).copy()
        self._unsynced[name] = []

    def rename(self, old: str, new: str) -> None:
        self.faults.check("rename")
        super().rename(old, new)
        if old in self._on_disk:
            self._on_disk[new] = self._on_disk.pop(old)
            self._unsynced[new] = self._unsynced.pop(old)

    def remove_directory(self, name: str) -> None:
        child = self._directories.get(name)
        if child is None:
            return
        assert isinstance(child, FaultyStorage)
        # File by file, so that it can fail, or be interrupted, with any part left.
        for inner in sorted(child._directories):
            child.remove_directory(inner)
        for file in sorted(child._files):
            self.faults.check("remove_directory")
            child.remove(file)
        self.faults.check("remove_directory")
        super().remove_directory(name)

    def directory(self, name: str) -> FaultyStorage:
        child = self._directories.setdefault(name, FaultyStorage(self.faults, whole_blocks=self._whole_blocks))
        assert isinstance(child, FaultyStorage)
        return child

    def share(self, faults: Faults) -> None:
        """Meet `faults` from now on, here and in every directory."""
        self.faults = faults
        for child in self._directories.values():
            assert isinstance(child, FaultyStorage)
            child.share(faults)

    def contents(self) -> Iterator[bytes]:
        """What is in each file, as the process sees it."""
        for content in self._files.values():
            yield content.tobytes()
        for child in self._directories.values():
            assert isinstance(child, FaultyStorage)
            yield from child.contents()

    def after_power_loss(self, random: Random) -> FaultyStorage:
        """What is found after power came back: all that was synced, and any parts of what was not."""
        survivor = FaultyStorage(whole_blocks=self._whole_blocks)
        for name, durable in self._on_disk.items():
            content = durable.copy()
            for offset, data in self._unsynced[name]:
                for start, end in _surviving_parts(random, offset, offset + len(data)):
                    content[start:end] = np.frombuffer(data, np.uint8)[start - offset : end - offset]
            survivor._adopt(name, content)
        for name, child in self._directories.items():
            assert isinstance(child, FaultyStorage)
            survivor._directories[name] = child.after_power_loss(random)
        return survivor

    def after_kill(self) -> FaultyStorage:
        """What the next process finds: everything written, of which the unsynced part is still not durable."""
        survivor = FaultyStorage(whole_blocks=self._whole_blocks)
        for name in self._on_disk:
            survivor._adopt(name, self._on_disk[name].copy())
            survivor._files[name] = self._files[name]
            survivor._unsynced[name] = list(self._unsynced[name])
        for name, child in self._directories.items():
            assert isinstance(child, FaultyStorage)
            survivor._directories[name] = child.after_kill()
        return survivor

    def damage(self, name: str, offset: int, data: bytes) -> None:
        """Overwrite bytes of a file behind everybody's back, durably."""
        for content in (self._files[name], self._on_disk[name]):
            content[offset : offset + len(data)] = np.frombuffer(data, np.uint8)

    def truncate(self, name: str, size: int) -> None:
        """Cut a file."""
        self._adopt(name, self._files[name][:size].copy())

    def _adopt(self, name: str, content: NDArray[np.uint8]) -> None:
        MemoryStorage.create(self, name, len(content)) if name not in self._files else None
        self._files[name] = content
        self._on_disk[name] = content.copy()
        self._unsynced[name] = []

    def _file(self, name: str) -> FaultyFile:
        block = BLOCK_BYTES if self._whole_blocks else 1
        return FaultyFile(self._content(name), self._on_disk[name], self._unsynced[name], self.faults, block)


class FaultyFile(MemoryFile):
    """A file of a `FaultyStorage`."""

    def __init__(
        self,
        content: NDArray[np.uint8],
        on_disk: NDArray[np.uint8],
        unsynced: list[tuple[int, bytes]],
        faults: Faults,
        block: int,
    ) -> None:
        super().__init__(content)
        self._block = block
        self._on_disk = on_disk
        self._unsynced = unsynced
        self._faults = faults

    def open_for_writing(self) -> None:
        super().open_for_writing()
        self._faults.check("reopen")

    def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        fault = self._faults.take("write")
        begun = self.view()[offset - offset % self._block : offset].tobytes()
        offset -= len(begun)
        data = begun + b"".join(buffers)
        data += bytes(min(-len(data) % self._block, self.size - offset - len(data)))
        if fault is not None:
            # A file system writes whole sectors of what it writes at all.
            data = data[: fault.bytes_before - fault.bytes_before % SECTOR_BYTES]
        if data:
            super().write(offset, [data])
            self._unsynced.append((offset, data))
        if fault is not None:
            raise OSError(fault.errno, os.strerror(fault.errno))

    def sync(self) -> None:
        super().sync()
        self._faults.check("sync")
        for offset, data in self._unsynced:
            self._on_disk[offset : offset + len(data)] = np.frombuffer(data, np.uint8)
        self._unsynced.clear()


def _surviving_parts(random: Random, start: int, end: int) -> Iterable[tuple[int, int]]:
    size = random.choice(_BLOCK_SIZES)
    likelihood = random.choice((0.0, 0.5, 0.9, 1.0))
    for block in range(start - start % size, end, size):
        if random.random() < likelihood:
            yield max(block, start), min(block + size, end)
