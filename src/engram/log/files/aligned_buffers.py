"""Aligned memory from which files are written past the page cache."""

from __future__ import annotations

import contextlib
import mmap
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

# What direct writes align to: pages, and the blocks of every disk in use.
BLOCK_BYTES: Final = 4096
# A huge page; one write of this size is within a tenth of what larger ones reach.
STAGING_BYTES: Final = 2 << 20
# Kept for the next write. One thread commits for all logs, so a second one is the exception.
_KEPT_MAX: Final = 2


class AlignedBufferPool:
    """Staging buffers for the files of a storage, lent to one write at a time and used again. Any thread may borrow."""

    def __init__(self) -> None:
        self._free: deque[memoryview] = deque(maxlen=_KEPT_MAX)

    @contextmanager
    def borrow(self) -> Iterator[memoryview]:
        """`STAGING_BYTES` of aligned memory with arbitrary content."""
        try:
            staging = self._free.pop()
        except IndexError:
            staging = _aligned_memory()
        try:
            yield staging
        finally:
            self._free.append(staging)


def fill(staging: memoryview, pending: Sequence[memoryview]) -> tuple[int, list[memoryview]]:
    """Copy as much of `pending` as fits into `staging`; return the number of bytes and what is left."""
    filled = 0
    for position, buffer in enumerate(pending):
        taken = min(len(buffer), len(staging) - filled)
        # This keeps the interpreter lock for some microseconds. To get it back from a busy thread would take longer.
        staging[filled : filled + taken] = buffer[:taken]
        filled += taken
        if taken < len(buffer):
            return filled, [buffer[taken:], *pending[position + 1 :]]
    return filled, []


def _aligned_memory() -> memoryview:
    memory = mmap.mmap(-1, STAGING_BYTES)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        # A refusal costs a little speed and nothing else.
        with contextlib.suppress(OSError):
            memory.madvise(mmap.MADV_HUGEPAGE)
    return memoryview(memory)
