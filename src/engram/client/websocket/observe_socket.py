"""The session of an observe stream on a WebSocket of its own."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Final

from engram.client.transport import Closed, Event, Greeting, Welcome
from engram.client.websocket.address import SocketAddress
from engram.client.websocket.observe_events import encode_close, encode_greeting, read_event, read_welcome
from engram.client.websocket.socket import Heartbeats, Socket, open_socket
from engram.errors import EngramError, Unavailable
from engram.wire.forms.received_results import unexpected
from engram.wire.forms.sent_requests import number_batch

_CONNECT_S: Final = 10.0
# Events that nobody has taken yet, above which no more are read from the network.
_UNREAD_MAX: Final = 1024


class ObserveSocket:
    """A `StreamConnection` over one WebSocket; belongs to the event loop on which it is made.

    Parameters
    ----------
    address
        Address of the server.
    metadata
        Sent as headers of the request that opens the WebSocket.
    heartbeats
        The times of heartbeats.
    """

    def __init__(self, address: SocketAddress, metadata: Mapping[str, str], heartbeats: Heartbeats) -> None:
        # The stream sends what it has left when the event loop ends, and aborts the connection then.
        self._socket = Socket(address, metadata, self, heartbeats, ends_with_loop=False)
        self._address = address
        self._messages: deque[bytes] = deque()
        self._changed = asyncio.Event()
        self._error: EngramError | None = None

    async def open(self, greeting: Greeting) -> Welcome:
        """Connect, and open the session that `greeting` asks for; close the WebSocket if that fails.

        Raises
        ------
        EngramError
            The error that the server refuses the session with; `Unavailable` if the server does not answer within 10 s.
        """
        try:
            async with asyncio.timeout(_CONNECT_S):
                await open_socket(self._socket, self._address)
                await self._socket.send(encode_greeting(greeting), is_frame=False)
                while (welcome := read_welcome(await self._next())) is None:
                    pass
                return welcome
        except TimeoutError:
            await self.abort()
            raise Unavailable(
                f"the server at {self._address.text} did not answer within {_CONNECT_S:g} s", code="connect_timeout"
            ) from None
        except BaseException:
            await self.abort()
            raise

    async def send(self, payload: bytearray, first_sequence: int, traceparent: str = "") -> None:
        """Send a batch that `encode_batch` encoded.

        Raises
        ------
        EngramError
            The reason why the WebSocket has ended.
        """
        number_batch(payload, first_sequence, traceparent if self._socket.takes_spans else "")
        await self._socket.send(payload, is_frame=True)

    async def receive(self) -> Event:
        """Return the next event.

        Raises
        ------
        EngramError
            The reason why the WebSocket has ended.
        """
        while (event := read_event(await self._next())) is None:
            pass
        if isinstance(event, Closed):
            # The server closes the WebSocket right after this, and the answer is sent while the event loop runs.
            await self._socket.close()
        return event

    async def close_session(self, last_sequence: int) -> None:
        """Tell the server that no more observations will follow."""
        await self._socket.send(encode_close(last_sequence), is_frame=False)

    async def abort(self) -> None:
        """Close the WebSocket; the session can be resumed."""
        self._socket.end()

    # ---- what the WebSocket calls ------------------------------------------------------------------------------

    def take(self, message: bytes, is_frame: bool) -> None:
        """Keep a message until it is asked for."""
        if is_frame:
            raise unexpected("a frame in a session")
        self._messages.append(message)
        if len(self._messages) >= _UNREAD_MAX:
            self._socket.pause()
        self._changed.set()

    def ended(self, error: EngramError) -> None:
        """Learn that no more messages will come."""
        self._error = error
        self._changed.set()

    async def _next(self) -> bytes:
        """Return the next message. What came before the WebSocket ended is returned first."""
        while not self._messages:
            if self._error is not None:
                raise self._error
            self._changed.clear()
            await self._changed.wait()
        message = self._messages.popleft()
        if len(self._messages) <= _UNREAD_MAX // 2:
            self._socket.resume()
        return message
