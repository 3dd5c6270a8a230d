"""Aligned memory for direct writes, which bypass the page cache."""

from __future__ import annotations

import contextlib
import mmap
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

# Direct writes are aligned to this: the size of a page, which is also a multiple of the block size of disks in use.
BLOCK_BYTES: Final = 4096
# The size of a huge page. The throughput of a write of this size is within a tenth of that of larger ones.
STAGING_BYTES: Final = 2 << 20
# Free buffers kept for later writes. One thread commits for all logs, so a second buffer is rarely needed.
_KEPT_MAX: Final = 2


class AlignedBufferPool:
    """Reusable staging buffers for the files of one storage, lent to one write at a time. Any thread may borrow one."""

    def __init__(self) -> None:
        self._free: deque[memoryview] = deque(maxlen=_KEPT_MAX)

    @contextmanager
    def borrow(self) -> Iterator[memoryview]:
        """Lend `STAGING_BYTES` of aligned memory with arbitrary content for the duration of a ``with`` block."""
        try:
            staging = self._free.pop()
        except IndexError:
            staging = _aligned_memory()
        try:
            yield staging
        finally:
            self._free.append(staging)


def fill(staging: memoryview, pending: Sequence[memoryview]) -> tuple[int, list[memoryview]]:
    """Copy as much of `pending` into `staging` as fits; return the number of copied bytes and the remaining buffers."""
    filled = 0
    for position, buffer in enumerate(pending):
        taken = min(len(buffer), len(staging) - filled)
        # The copy holds the GIL for some microseconds. Getting the GIL back from a busy thread would take longer.
        staging[filled : filled + taken] = buffer[:taken]
        filled += taken
        if taken < len(buffer):
            return filled, [buffer[taken:], *pending[position + 1 :]]
    return filled, []


def _aligned_memory() -> memoryview:
    memory = mmap.mmap(-1, STAGING_BYTES)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        # Huge pages only make writes a little faster, so a refusal is harmless.
        with contextlib.suppress(OSError):
            memory.madvise(mmap.MADV_HUGEPAGE)
    return memoryview(memory)
