"""A transport that writes what is written in one turn of the event loop together."""

from __future__ import annotations

import asyncio
from typing import Any, Final

# No more than this waits for the end of a turn, and what is larger is not copied.
_TOGETHER_BYTES: Final = 65_536


class TurnTransport:
    """Passes on at once what is written alone, and together what is written in one turn of the event loop.

    Each write is a system call that costs more than most messages do. What is ready in one turn, such as the answers to
    recalls that came together, therefore leaves together at its end. The first write of a turn leaves at once, unless
    the writes before it did not come alone either: then others are likely to follow it. All else is the transport's.

    Parameters
    ----------
    loop, transport
        The event loop, and the transport of the connection.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport) -> None:
        self._loop = loop
        self._transport = transport
        self._waiting: list[bytes | bytearray | memoryview] = []
        self._waiting_bytes = 0
        # Writes of this turn, and whether there were several in the last turn that had any.
        self._writes = 0
        self._is_crowded = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write `data`, behind all that was written before; nothing is written to a connection that is closing."""
        # Each write to a connection that is gone would be a warning of asyncio's.
        if self._transport.is_closing():
            return
        self._writes += 1
        if self._writes == 1:
            self._loop.call_soon(self._end_turn)
            if not self._is_crowded:
                self._transport.write(data)
                return
        if len(data) >= _TOGETHER_BYTES:
            # It is not copied.
            self.flush()
            self._transport.write(data)
            return
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes >= _TOGETHER_BYTES:
            self.flush()

    def get_write_buffer_size(self) -> int:
        """Return the number of bytes that are not on their way yet."""
        return self._transport.get_write_buffer_size() + self._waiting_bytes

    def close(self) -> None:
        """Close the connection, once all that was written is on its way."""
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """Cut the connection off. What waits is lost."""
        self._waiting, self._waiting_bytes = [], 0
        self._transport.abort()

    def flush(self) -> None:
        """Pass on what waits for the end of the turn."""
        if self._waiting:
            parts, self._waiting, self._waiting_bytes = self._waiting, [], 0
            if not self._transport.is_closing():
                self._transport.write(b"".join(parts))

    def _end_turn(self) -> None:
        self._is_crowded = self._writes > 1
        self._writes = 0
        self.flush()
