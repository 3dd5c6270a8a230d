"""Checkpoints of a space's graph: they save the work of linking it again after a restart, and nothing else.

The log is the store of record, so a checkpoint may be lost or broken at any time; the graph is then built from the log.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from crc32c import crc32c

from engram.errors import Unavailable
from engram.index import HnswIndex
from engram.log.failures import unavailable
from engram.log.file_storage import sync_directory

_KEPT: Final = 2
_NAME: Final = re.compile(r"graph-(\d{20})-([0-9a-f]{8})\.checkpoint")
_TEMPORARY: Final = "graph.tmp"
_CHUNK_BYTES: Final = 16 << 20
logger = logging.getLogger(__name__)


class Checkpoint(NamedTuple):
    """A checkpoint file; its name says which generation it covers, and the CRC32C of its content."""

    path: Path
    generation: int
    crc: int

    def is_whole(self) -> bool:
        """Whether the file holds what was written."""
        with contextlib.suppress(OSError, ValueError):
            return _crc_of(self.path) == self.crc
        return False


class Checkpoints:
    """The checkpoints of one space, of which the newest two are kept.

    Parameters
    ----------
    directory
        Where they are, created if it is not there.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(exist_ok=True)

    def newest_first(self) -> Iterator[Checkpoint]:
        """Those that are whole. Broken ones are skipped with a warning, and stay where they are."""
        for checkpoint in self._all():
            if checkpoint.is_whole():
                yield checkpoint
            else:
                logger.warning("skipping checkpoint %s: it is damaged", checkpoint.path)

    def write(self, index: HnswIndex) -> int:
        """Write a checkpoint of `index`; return the generation it covers.

        Raises
        ------
        Unavailable
            If it cannot be written; older ones are still there.
        """
        temporary = self._directory / _TEMPORARY
        try:
            generation = index.save(temporary, with_vectors=False, background=True)
            _sync(temporary)
            name = f"graph-{generation:020d}-{_crc_of(temporary):08x}.checkpoint"
            os.replace(temporary, self._directory / name)
            sync_directory(self._directory)
        except OSError as error:
            self._discard(temporary)
            failure = unavailable(error, "writing a checkpoint")
            if failure.code == "log_failed":
                # The log is as it was: only the checkpoint is missing.
                failure = Unavailable(str(failure), code="checkpoint_failed", field="disk")
            raise failure from error
        self._prune()
        return generation

    def _all(self) -> list[Checkpoint]:
        found = [
            Checkpoint(path, int(match[1]), int(match[2], 16))
            for path in self._directory.iterdir()
            if (match := _NAME.fullmatch(path.name))
        ]
        return sorted(found, key=lambda checkpoint: checkpoint.generation, reverse=True)

    def _prune(self) -> None:
        for checkpoint in self._all()[_KEPT:]:
            self._discard(checkpoint.path)

    def _discard(self, path: Path) -> None:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _crc_of(path: Path) -> int:
    content = np.memmap(path, dtype=np.uint8, mode="r")
    crc = 0
    for start in range(0, len(content), _CHUNK_BYTES):
        crc = crc32c(content[start : start + _CHUNK_BYTES].data, crc)
    return crc
