"""The blocks of a disk that a file has: reserved before they are written, and given back once they will not be."""

from __future__ import annotations

import ctypes
import os
import sys

if sys.platform == "linux":
    _KEEP_SIZE = 0x01
    _PUNCH_HOLE = 0x02
    _LIBRARY = ctypes.CDLL(None, use_errno=True)
    # Of 32 bits, the other one takes offsets of 32 bits. Where there is only one, it takes those of 64.
    _fallocate = getattr(_LIBRARY, "fallocate64", None) or _LIBRARY.fallocate
    _fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)

    def reserve_blocks(descriptor: int, begin: int, end: int) -> None:
        """Have the disk reserve blocks for the bytes from `begin` to `end`, which stay as they are.

        Raises
        ------
        OSError
            If there is no room for them; some of them may be reserved then.
        """
        os.posix_fallocate(descriptor, begin, end - begin)

    def give_blocks_back(descriptor: int, begin: int, end: int) -> None:
        """Have the disk take back the blocks of the bytes from `begin` to `end`, which are zero and stay so.

        Raises
        ------
        OSError
            If the file system does not do this.
        """
        if _fallocate(descriptor, _PUNCH_HOLE | _KEEP_SIZE, begin, end - begin):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

else:

    def reserve_blocks(descriptor: int, begin: int, end: int) -> None:
        """Write zeros from `begin` to `end`: without fallocate, blocks are reserved only by that."""
        zeros = bytes(1 << 20)
        for offset in range(begin, end, len(zeros)):
            os.pwrite(descriptor, zeros[: end - offset], offset)

    def give_blocks_back(descriptor: int, begin: int, end: int) -> None:
        """Do nothing: the blocks stay with the file."""
