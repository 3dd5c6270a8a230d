"""Direct I/O: appends to files that bypass the page cache.

The log is seldom read back, so it does not profit from the page cache. A page that was not in the cache before costs
several times as much as the copy into it. On virtual machines, whose host must find the memory first, it costs more
than ten times as much. See docs/decisions/0009-the-log-bypasses-the-page-cache.md.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engram.log.files.aligned_buffers import BLOCK_BYTES, AlignedBufferPool, fill


class DirectWriter:
    """Appends to one file in whole blocks.

    An append rarely ends on a block boundary, so the next append rewrites the last, partial block. Its old bytes are
    unchanged, hence a torn write cannot damage them; the rest of the block is zero-filled. The page cache does the
    same.

    Parameters
    ----------
    descriptor
        Descriptor of the file, opened with `DIRECT`; the writer closes it. The size of the file is a multiple of
        `BLOCK_BYTES`.
    view
        The bytes of the file: uint8, shape ``(size,)``.
    pool
        Pool of aligned memory to write from.
    """

    def __init__(self, descriptor: int, view: NDArray[np.uint8], pool: AlignedBufferPool) -> None:
        self._view = view
        self._pool = pool
        # The offset where the last append ended, and the bytes of the partial block before it.
        self._end = 0
        self._begun = b""
        self._descriptor = descriptor

    def write(self, offset: int, pending: Sequence[memoryview]) -> None:
        """Write the buffers in `pending` back to back, starting at `offset`.

        The rest of the last block becomes zero, so it must not contain data.

        Raises
        ------
        OSError
            If the write fails; a part of the data may have been written then. The error is EINVAL if the file system
            turns out not to support direct I/O, which may show only at the first write.
        """
        begun = self._begun if offset == self._end else self._view[offset - offset % BLOCK_BYTES : offset].tobytes()
        position = offset - len(begun)
        pending = [memoryview(begun), *pending]
        with self._pool.borrow() as staging:
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
            # If a call writes a number of bytes that is not a multiple of the block, the next call fails with EINVAL.
            written += os.pwrite(self._descriptor, blocks[written:], position + written)


# Systems without ``O_DIRECT`` write through the page cache.
DIRECT = getattr(os, "O_DIRECT", 0)
SUPPORTED = bool(DIRECT)
