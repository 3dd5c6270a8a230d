"""Writing the messages of a client as frames: the first of a turn of the event loop at once, the others together."""

from __future__ import annotations

import asyncio
import secrets
import struct
from collections.abc import Sequence
from typing import Final

from websockets.frames import apply_mask  # type: ignore[attr-defined]  # The compiled one, if any.

# RFC 6455, section 5.2: whole messages, whose length has 7, 16 or 64 bits, and which are masked.
_FINAL_TEXT: Final = 0x81
_FINAL_BINARY: Final = 0x82
_MASKED: Final = 0x80
_HEAD: Final = struct.Struct("!BB4s")
_HEAD_16_BITS: Final = struct.Struct("!BBH4s")
_HEAD_64_BITS: Final = struct.Struct("!BBQ4s")
_LENGTH_16_BITS: Final = 126
_LENGTH_64_BITS: Final = 127
_LENGTH_16_BITS_MAX: Final = 65_535
# No more than this waits for the end of a turn, and what is larger is not copied.
_TOGETHER_BYTES: Final = 65_536


class FrameWriter:
    """Writes frames to a transport; belongs to the event loop.

    Each write is a system call, which costs more than most messages do. So messages that follow the first one in a turn
    of the event loop are written as one.

    Parameters
    ----------
    loop, transport
        The event loop, and the transport of the connection.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport) -> None:
        self._loop = loop
        self._transport = transport
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._has_written = False

    def write(self, message: bytes | bytearray, *, is_frame: bool) -> None:
        """Send a message as a frame."""
        mask = secrets.token_bytes(4)
        parts = [_head(_FINAL_BINARY if is_frame else _FINAL_TEXT, len(message), mask), apply_mask(message, mask)]
        if not self._has_written:
            self._has_written = True
            self._loop.call_soon(self._end_turn)
            self._write_all(parts, len(message))
            return
        self._waiting += parts
        self._waiting_bytes += len(message)
        if self._waiting_bytes >= _TOGETHER_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what still waits for the end of the turn."""
        if self._waiting:
            parts, self._waiting = self._waiting, []
            nbytes, self._waiting_bytes = self._waiting_bytes, 0
            self._write_all(parts, nbytes)

    def _end_turn(self) -> None:
        self._has_written = False
        self.flush()

    def _write_all(self, parts: Sequence[bytes], nbytes: int) -> None:
        # Each write to a connection that is gone would be a warning of asyncio's.
        if self._transport.is_closing():
            return
        if nbytes < 2 * _TOGETHER_BYTES:
            self._transport.write(b"".join(parts))
            return
        for part in parts:
            self._transport.write(part)


def _head(kind: int, nbytes: int, mask: bytes) -> bytes:
    if nbytes < _LENGTH_16_BITS:
        return _HEAD.pack(kind, _MASKED | nbytes, mask)
    if nbytes <= _LENGTH_16_BITS_MAX:
        return _HEAD_16_BITS.pack(kind, _MASKED | _LENGTH_16_BITS, nbytes, mask)
    return _HEAD_64_BITS.pack(kind, _MASKED | _LENGTH_64_BITS, nbytes, mask)
