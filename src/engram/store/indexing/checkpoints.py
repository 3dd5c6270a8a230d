"""Checkpoints of a space's graph: they save the work of linking it again after a restart, and nothing else.

The log is the store of record, so a checkpoint may be lost or damaged at any time; the graph is then built from the
log. Only a checkpoint that the space's manifest lists is used, and only if its bytes are those that were written.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Generator, Iterator
from typing import Final, TypeVar

from crc32c import crc32c

from engram.errors import Unavailable
from engram.index import HnswIndex
from engram.log.damage import Damages
from engram.log.files.file_storage import FileStorage
from engram.log.files.os_errors import is_passing, typed_failures, unavailable
from engram.log.manifest import CheckpointEntry, Manifest

_KEPT: Final = 2
_NAME: Final = re.compile(r"graph-(\d{20})-([0-9a-f]{8})\.checkpoint")
_TEMPORARY: Final = "graph.tmp"
_CHUNK_BYTES: Final = 4 << 20
DIRECTORY: Final = "checkpoints"
_Result = TypeVar("_Result")
logger: logging.Logger = logging.getLogger(__name__)


class Checkpoints:
    """The checkpoints of one space; the newest two are kept.

    Parameters
    ----------
    storage
        Directory of the checkpoints.
    manifest
        Manifest that lists the checkpoints.
    damages
        Receives reports of damage.
    """

    def __init__(self, storage: FileStorage, manifest: Manifest, damages: Damages) -> None:
        self._storage = storage
        self._manifest = manifest
        self._damages = damages
        self._broken: set[str] = set()

    def newest_first(self) -> Iterator[CheckpointEntry]:
        """Yield the checkpoints that are whole; damaged ones are reported and stay where they are."""
        for entry in self._manifest.checkpoints:
            if self.is_whole(entry):
                yield entry

    def is_whole(self, entry: CheckpointEntry) -> bool:
        """Return whether the file of a checkpoint holds what was written; if not, report the damage.

        That the process has too much open says nothing about the file: it cannot be used now, and is not damaged.
        """
        try:
            return _finished(self.check(entry))
        except OSError:
            return False

    def check(self, entry: CheckpointEntry) -> Generator[int, None, bool]:
        """Do the same as `is_whole` piece by piece, so that the caller can pause: a checkpoint may have gigabytes.

        Yields
        ------
        int
            Bytes read since the last time.

        Raises
        ------
        OSError
            If descriptors or memory are short, which says nothing about the file.
        """
        found = yield from _summing(self._storage, entry.name, shortages_pass=True)
        if found == (entry.nbytes, entry.crc):
            return True
        # A newer checkpoint may have replaced this one meanwhile.
        if entry in self._manifest.checkpoints:
            self.report(
                entry, "the file is missing or cannot be read" if found is None else "it does not fit its checksum"
            )
        return False

    def report(self, entry: CheckpointEntry, what: str) -> None:
        """Report that a checkpoint is unusable; the next one that is written replaces it."""
        self._broken.add(entry.name)
        self._damages.report(f"{DIRECTORY}/{entry.name}", 0, 0, 0, f"{what}; it only costs time")

    def open(self, entry: CheckpointEntry) -> int:
        """Return a descriptor of a checkpoint's file; the caller closes it."""
        return self._storage.descriptor(entry.name, os.O_RDONLY)

    def write(self, index: HnswIndex, count: int = _KEPT) -> int:
        """Write a checkpoint of `index`, so that there are `count` of them; return the generation it covers.

        Raises
        ------
        Unavailable
            If it cannot be written. Older checkpoints are unchanged.
        CorruptData
            If the mapped checkpoint of `index` has lost pages. Older checkpoints are unchanged.
        """
        try:
            descriptor = self._storage.descriptor(_TEMPORARY, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            try:
                generation = index.save_into(descriptor, with_vectors=False, background=True)
                os.fsync(descriptor)
                nbytes, crc = _sum_of(descriptor)
            finally:
                os.close(descriptor)
            entry = CheckpointEntry(f"graph-{generation:020d}-{crc:08x}.checkpoint", generation, nbytes, crc)
            self._storage.rename(_TEMPORARY, entry.name)
            self._broken.discard(entry.name)
            unusable = {entry.name, *self._broken}
            others = [other for other in self._manifest.checkpoints if other.name not in unusable]
            self._manifest.set_checkpoints([entry, *others][:count])
        except OSError as error:
            self._discard(_TEMPORARY)
            raise unavailable(error, "writing a checkpoint") from error
        except RuntimeError as error:
            # The native code raises this for a failed write.
            self._discard(_TEMPORARY)
            raise Unavailable(f"cannot write a checkpoint: {error}", code="checkpoint_failed", field="disk") from error
        self._prune()
        return generation

    def keep_newest(self) -> None:
        """Have one checkpoint only, because nothing is written for a while, and the space should take little room.

        Raises
        ------
        Unavailable
            If it cannot be recorded.
        """
        newest = next((entry for entry in self._manifest.checkpoints if entry.name not in self._broken), None)
        if newest is not None and len(self._manifest.checkpoints) > 1:
            with typed_failures("dropping older checkpoints"):
                self._manifest.set_checkpoints([newest])
            self._prune()

    def forget(self) -> None:
        """Have no checkpoint any more. The files stay until `remove_unlisted`.

        Raises
        ------
        Unavailable
            If it cannot be recorded.
        """
        if self._manifest.checkpoints:
            with typed_failures("dropping the checkpoints"):
                self._manifest.set_checkpoints(())

    def remove_unlisted(self) -> None:
        """Remove the files of what is no checkpoint any more, or was never finished.

        Raises
        ------
        Unavailable
            If one cannot be removed.
        """
        kept = {entry.name for entry in self._manifest.checkpoints}
        with typed_failures("removing old checkpoints"):
            # A name that ends like this is in no list of names.
            with contextlib.suppress(FileNotFoundError):
                self._storage.remove(_TEMPORARY)
            for name in self._storage.names():
                if _NAME.fullmatch(name) and name not in kept:
                    self._storage.remove(name)

    def _prune(self) -> None:
        kept = {entry.name for entry in self._manifest.checkpoints}
        with contextlib.suppress(OSError):
            for name in self._storage.names():
                if _NAME.fullmatch(name) and name not in kept:
                    self._discard(name)

    def _discard(self, name: str) -> None:
        with contextlib.suppress(OSError):
            self._storage.remove(name)


def summed(storage: FileStorage, name: str) -> tuple[int, int] | None:
    """Return the size of a file in bytes and its CRC-32C; None if it cannot be read."""
    return _finished(_summing(storage, name))


def _summing(
    storage: FileStorage, name: str, *, shortages_pass: bool = False
) -> Generator[int, None, tuple[int, int] | None]:
    """Do the same as `summed` piece by piece; yield the number of bytes read each time.

    With `shortages_pass`, what `is_passing` is raised.
    """
    try:
        descriptor = storage.descriptor(name, os.O_RDONLY)
    except OSError as error:
        if shortages_pass and is_passing(error):
            raise
        return None
    try:
        return (yield from _summing_open(descriptor))
    except OSError as error:
        if shortages_pass and is_passing(error):
            raise
        return None
    finally:
        os.close(descriptor)


def checkpoints_of_format_1(storage: FileStorage) -> list[CheckpointEntry]:
    """Return the whole checkpoints of a space of format 1, newest first.

    No manifest lists them yet; the name of each holds its checksum.
    """
    entries = []
    for name in sorted(storage.names(), reverse=True):
        match = _NAME.fullmatch(name)
        found = summed(storage, name) if match else None
        if match and found is not None and found[1] == int(match[2], 16):
            entries.append(CheckpointEntry(name, int(match[1]), *found))
    return entries[:_KEPT]


def _sum_of(descriptor: int) -> tuple[int, int]:
    return _finished(_summing_open(descriptor))


def _summing_open(descriptor: int) -> Generator[int, None, tuple[int, int]]:
    # The file is read and not mapped: if it is truncated meanwhile, a mapping would end the process.
    buffer = memoryview(bytearray(_CHUNK_BYTES))
    nbytes = crc = 0
    while got := os.preadv(descriptor, [buffer], nbytes):
        crc = crc32c(buffer[:got], crc)
        nbytes += got
        yield got
    return nbytes, crc


def _finished(pieces: Generator[int, None, _Result]) -> _Result:
    """Run work in pieces to its end without a pause, and return its result."""
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            result: _Result = end.value
            return result
