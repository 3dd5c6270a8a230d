"""Writing past the page cache, which a log that is seldom read back has no use for.

A page of the cache that was never used before costs several times as much as the copy into it, and on virtual machines,
whose host must find memory first, more than ten times. See docs/decisions/0009-the-log-bypasses-the-page-cache.md.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engram.log.files.aligned_buffers import BLOCK_BYTES, AlignedBufferPool, fill


class DirectWriter:
    """Appends to one file in whole blocks.

    Appends seldom end where a block does. The block that was begun is written again by the next append: the bytes that
    were there before are the same, so that a torn write leaves them as they were, and behind the last byte it is filled
    with zeros. That is what the page cache does, too.

    Parameters
    ----------
    descriptor
        The file, opened with `DIRECT`; the writer closes it. Its size is a multiple of `BLOCK_BYTES`.
    view
        Its bytes.
    stagings
        Memory to write from.
    """

    def __init__(self, descriptor: int, view: NDArray[np.uint8], stagings: AlignedBufferPool) -> None:
        self._view = view
        self._stagings = stagings
        # The end of the last append, and what its last block began with.
        self._end = 0
        self._begun = b""
        self._descriptor = descriptor

    def write(self, offset: int, pending: Sequence[memoryview]) -> None:
        """Write `pending` one after the other from `offset` on; nothing lies behind that in the same block.

        Raises
        ------
        OSError
            Also, with EINVAL, if it turns out only now that the file system does not support it. What was written then
            is a part of what should have been.
        """
        begun = self._begun if offset == self._end else self._view[offset - offset % BLOCK_BYTES : offset].tobytes()
        position = offset - len(begun)
        pending = [memoryview(begun), *pending]
        with self._stagings.borrow() as staging:
            while pending:
                filled, pending = fill(staging, pending)
                whole = filled + -filled % BLOCK_BYTES
                staging[filled:whole] = bytes(whole - filled)
                self._write_blocks(staging[:whole], position)
                position += filled
            self._begun = staging[filled - filled % BLOCK_BYTES : filled].tobytes()
        self._end = position

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._descriptor)

    def _write_blocks(self, blocks: memoryview, position: int) -> None:
        written = 0
        while written < len(blocks):
            # After an odd number of bytes the next call fails with EINVAL.
            written += os.pwrite(self._descriptor, blocks[written:], position + written)


# Elsewhere the page cache must do.
DIRECT = getattr(os, "O_DIRECT", 0)
SUPPORTED = bool(DIRECT)
