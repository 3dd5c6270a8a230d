"""One WebSocket to a server: what is sent, what comes, and how it ends, with the heartbeats of both sides."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

from websockets.client import ClientProtocol
from websockets.exceptions import WebSocketException
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State

from engram.client.websocket.address import SocketAddress
from engram.client.websocket.failures import LOST, NO_CODE, SILENT, closed, no_server, not_opened, unreachable
from engram.client.websocket.masked_frame import masked_frame
from engram.errors import EngramError, Unavailable
from engram.model.limits import MESSAGE_BYTES_MAX
from engram.websocket.turn_transport import TurnTransport

_HEARTBEAT: Final = b'{"type":"heartbeat"}'
_DATA: Final = (Opcode.TEXT, Opcode.BINARY)
_DONE: Final = 1000
_SILENT_CODE: Final = 4408
# Seconds for the server to answer a close.
_CLOSE_S: Final = 1.0


class Receiver(Protocol):
    """What a WebSocket hands its messages to, on the event loop's thread."""

    def take(self, message: bytes, is_frame: bool) -> None:
        """Take one message. An `EngramError` that this raises ends the WebSocket."""
        ...

    def ended(self, error: EngramError) -> None:
        """Learn, once, that no more messages will come, and why."""
        ...


@dataclass(frozen=True, slots=True)
class Heartbeats:
    """The times after which something must be heard of either side.

    Parameters
    ----------
    interval_s
        Seconds without a message to the server after which a heartbeat is sent.
    silence_s
        Seconds without a message from the server after which it is taken for gone.
    """

    interval_s: float = 30.0
    silence_s: float = 90.0


class Socket(asyncio.Protocol):
    """One WebSocket; belongs to the event loop on which `open_socket` made it.

    Parameters
    ----------
    address
        Address of the server.
    metadata
        Sent as headers of the request that opens it.
    receiver
        Takes the messages.
    heartbeats
        The times of heartbeats.
    ends_with_loop
        Whether the WebSocket ends when the event loop cancels its tasks, because it ends. Otherwise its owner ends it.
    """

    def __init__(
        self,
        address: SocketAddress,
        metadata: Mapping[str, str],
        receiver: Receiver,
        heartbeats: Heartbeats,
        *,
        ends_with_loop: bool = True,
    ) -> None:
        self.loop: Final = asyncio.get_running_loop()
        self.opened: Final[asyncio.Future[None]] = self.loop.create_future()
        self.error: EngramError | None = None
        self.takes_spans: bool = False  # Older servers do not.
        self._address = address
        self._metadata = metadata
        self._receiver = receiver
        self._heartbeats = heartbeats
        self._ends_with_loop = ends_with_loop
        # No extension is offered, so nothing is compressed.
        self._protocol = ClientProtocol(address.uri, max_size=MESSAGE_BYTES_MAX)
        self._transport: TurnTransport | None = None
        self._gone: asyncio.Future[None] = self.loop.create_future()
        self._writable = asyncio.Event()
        self._writable.set()
        self._fragments: list[bytes] = []
        self._is_binary = False
        self._is_paused = False
        self._sent_s = self._received_s = self.loop.time()
        self._ticking: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self.error is None and self._protocol.state is State.OPEN

    async def send(self, message: bytes | bytearray, *, is_frame: bool) -> None:
        """Send one message, as soon as those before it are on their way.

        Raises
        ------
        EngramError
            Why the WebSocket has ended.
        """
        await self._writable.wait()
        self.post(message, is_frame=is_frame)

    def post(self, message: bytes | bytearray, *, is_frame: bool = False) -> None:
        """Send one message, however many wait before it. Raises as `send`."""
        if not self.is_open:
            raise self.error or Unavailable("the connection is closed", code="stream_ended")
        self._sent_s = self.loop.time()
        if self._transport is not None:
            for piece in masked_frame(message, is_frame=is_frame):
                self._transport.write(piece)

    def pause(self) -> None:
        """Read no further, which in time holds the server back."""
        if self._transport is not None and not self._is_paused and not self._transport.is_closing():
            self._is_paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._transport is not None and self._is_paused and not self._transport.is_closing():
            self._is_paused = False
            self._received_s = self.loop.time()
            # Raised if the event loop is closed; then nothing is read any more.
            with contextlib.suppress(RuntimeError):
                self._transport.resume_reading()

    def end(self) -> None:
        """Close the WebSocket without waiting for the server's answer; nothing is received any more."""
        self._say_goodbye()
        transport = self._transport
        if transport is None:
            return
        # Raised if the event loop is closed; then the connection has ended, too.
        with contextlib.suppress(RuntimeError):
            if transport.get_write_buffer_size():
                transport.abort()
            else:
                transport.close()
            self._stop(Unavailable("the connection was closed here", code="client_closed"))

    async def close(self) -> None:
        """Close the WebSocket, and wait until the server has done so, too, or a second has passed."""
        if self.is_open:
            self.resume()
            self._say_goodbye()
            await asyncio.wait([self._gone], timeout=_CLOSE_S)
        self.end()
        if self._transport is not None:
            await asyncio.wait([self._gone], timeout=_CLOSE_S)

    # ---- what the event loop calls -----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the WebSocket."""
        self._transport = TurnTransport(self.loop, cast("asyncio.Transport", transport))
        request = self._protocol.connect()
        for name, value in self._metadata.items():
            request.headers[name] = value
        self._protocol.send_request(request)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Take what has come."""
        self._received_s = self.loop.time()
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._take(event)
            elif isinstance(event, Response) and self._protocol.handshake_exc is None:
                self._begin(event)
            else:
                self._refuse(event if isinstance(event, Response) else None)
        self._after_receiving()

    def eof_received(self) -> bool:
        """Learn that nothing more will come."""
        self._protocol.receive_eof()
        self._after_receiving()
        return False

    def connection_lost(self, failure: Exception | None) -> None:
        """Learn that the connection is gone."""
        self._writable.set()
        self._stop(no_server(self._address, LOST))
        if not self._gone.done():
            self._gone.set_result(None)

    def pause_writing(self) -> None:
        """Let senders wait."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Let senders go on."""
        self._writable.set()

    # ---- inside ------------------------------------------------------------------------------------------------

    def _begin(self, response: Response) -> None:
        self.takes_spans = "traceparent" in response.headers.get("engram-accepts", "")
        self._ticking = self.loop.create_task(self._keep_alive(), name="engram-heartbeat")
        # The event loop may end while the connection is open. Then there is nobody left to be told of the task.
        self._ticking._log_destroy_pending = False  # type: ignore[attr-defined]  # Missing in the stubs.
        if not self.opened.done():
            self.opened.set_result(None)

    def _refuse(self, response: Response | None) -> None:
        self._stop(not_opened(self._address, self._protocol.handshake_exc or OSError(), response))

    def _take(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            said = self._protocol.close_rcvd
            self._stop(closed(self._address, said.code if said else NO_CODE, said.reason if said else ""))
            return
        if frame.opcode not in (*_DATA, Opcode.CONT):
            return
        message: Any = frame.data
        if frame.opcode in _DATA:
            self._is_binary = frame.opcode is Opcode.BINARY
        if self._fragments or not frame.fin:
            self._fragments.append(message)
            if not frame.fin:
                return
            message, self._fragments = b"".join(self._fragments), []
        if self.error is not None:
            return
        try:
            self._receiver.take(message, self._is_binary)
        except EngramError as error:
            self._stop(error)
            self.end()

    def _after_receiving(self) -> None:
        protocol = self._protocol
        if protocol.handshake_exc is not None and self.error is None:
            self._refuse(None)
        elif protocol.parser_exc is not None and not isinstance(protocol.parser_exc, EOFError) and self.error is None:
            self._stop(Unavailable(f"the server sent no WebSocket: {protocol.parser_exc}", code="unexpected_response"))
        self._flush()
        if protocol.close_expected() and self._transport is not None:
            self._transport.close()

    def _flush(self) -> None:
        """Write what the protocol says, behind all messages."""
        transport = self._transport
        for data in self._protocol.data_to_send():
            # An empty text is the wish to send no more; the connection is closed as a whole then.
            if data and transport is not None:
                transport.write(data)
        if transport is not None:
            transport.flush()

    def _say_goodbye(self) -> None:
        if self._protocol.state is State.OPEN:
            # Raised if the event loop is closed, or the server closes it at the same moment.
            with contextlib.suppress(RuntimeError, WebSocketException):
                self._protocol.send_close(_DONE)
                self._flush()

    def _stop(self, error: EngramError) -> None:
        """Note why the WebSocket ended, and tell it, the first time."""
        if self.error is not None:
            return
        self.error = error
        self._writable.set()
        if self._ticking is not None:
            self._ticking.cancel()
        if not self.opened.done():
            self.opened.set_exception(error)
            self.opened.exception()  # Marks it as retrieved: whoever opens it may have given up.
        self._receiver.ended(error)

    async def _keep_alive(self) -> None:
        """Send heartbeats, and end the WebSocket when the server has been silent for too long, or the loop ends."""
        interval_s, silence_s = self._heartbeats.interval_s, self._heartbeats.silence_s
        try:
            while True:
                now_s = self.loop.time()
                if self._is_paused:
                    self._received_s = now_s
                if now_s >= self._received_s + silence_s:
                    break
                if now_s >= self._sent_s + interval_s:
                    self.post(_HEARTBEAT)
                await asyncio.sleep(min(self._received_s + silence_s, self._sent_s + interval_s) - now_s)
        except EngramError:
            return
        except asyncio.CancelledError:
            if self.error is None and self._ends_with_loop:
                self.end()
            raise
        self._stop(no_server(self._address, SILENT))
        with contextlib.suppress(WebSocketException):
            self._protocol.send_close(_SILENT_CODE)
            self._flush()
        self.end()


async def open_socket(made: Socket, address: SocketAddress) -> None:
    """Connect a WebSocket that was just made.

    Raises
    ------
    EngramError
        The error of the server that refuses it, or `Unavailable`, saying why none can be reached.
    """
    uri = address.uri
    tls: dict[str, Any] = {}
    if uri.secure:
        import ssl  # noqa: PLC0415  # Loading it takes a while, and most servers are reached without.

        tls = {"ssl": ssl.create_default_context(), "server_hostname": uri.host}
    try:
        # It is never reached through a proxy.
        await made.loop.create_connection(lambda: made, uri.host, uri.port, **tls)
    except OSError as failure:
        raise unreachable(address, failure) from None
    try:
        await made.opened
    except BaseException:
        made.end()
        raise
