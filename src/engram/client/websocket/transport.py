"""The transport over WebSocket: the calls of one client, those that stream among them, and its sessions."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Final, TypeVar

from engram.client.transport import Greeting, Welcome
from engram.client.websocket.address import parse_socket_address
from engram.client.websocket.connections import CallSockets
from engram.client.websocket.failures import SILENT, no_server
from engram.client.websocket.observe_socket import ObserveSocket
from engram.client.websocket.socket import Heartbeats
from engram.client.websocket.stream_call import SocketStreamCall
from engram.errors import FailedPrecondition, InvalidInput, Unavailable
from engram.lifecycle.forking import check_process
from engram.model.observations import ObservationBatch
from engram.model.operations.operation import Request
from engram.model.priority import Priority
from engram.wire.forms.sent_requests import encode_batch

# Headers that say how a WebSocket is opened. As metadata they would open none, or another one.
_RESERVED: Final = frozenset(
    {"connection", "content-length", "expect", "host", "origin", "te", "trailer", "transfer-encoding", "upgrade"}
)

Result = TypeVar("Result")


class WebSocketTransport:
    """A `Transport` over WebSockets, which are opened on first use on the running event loop.

    Parameters
    ----------
    address
        ``ws://host:port``, or another scheme of ``wss``, ``http`` and ``https``, with or without a base path.
    metadata
        Sent as headers of the requests that open WebSockets.
    heartbeats
        The times of heartbeats.

    Raises
    ------
    InvalidInput
        If `address` is not a valid address, or a header of the metadata is one of HTTP's own.
    """

    def __init__(self, address: str, metadata: Mapping[str, str], heartbeats: Heartbeats | None = None) -> None:
        self._address = parse_socket_address(address)
        self._metadata = _checked(metadata)
        self._heartbeats = heartbeats or Heartbeats()
        self._process = os.getpid()
        self._connections: CallSockets | None = None
        self._is_closed = False

    def __del__(self) -> None:
        connections = getattr(self, "_connections", None)
        if connections is not None and os.getpid() == self._process:
            connections.abandon()

    @property
    def address(self) -> str:
        """The address of the server."""
        return self._address.text

    def check(self) -> None:
        """Raise an error in a forked child, whose parent has the connections.

        Raises
        ------
        FailedPrecondition
            With code ``forked``, if a parent process made the client.
        """
        check_process(self._process, "client")

    def encode(self, batch: ObservationBatch, priority: Priority) -> bytearray:
        """Return the payload of `batch`; see `encode_batch`."""
        return encode_batch(batch, priority)

    async def observe(self, greeting: Greeting) -> tuple[ObserveSocket, Welcome]:
        """Open the session that `greeting` asks for. Raises as `ObserveSocket.open`."""
        self.check()
        connection = ObserveSocket(self._address, self._metadata, self._heartbeats)
        return connection, await connection.open(greeting)

    async def call(self, request: Request[Result], timeout_s: float) -> Result:
        """Make one attempt of an operation that has one result.

        Raises
        ------
        TimeoutError
            If no answer comes within `timeout_s` seconds.
        EngramError
            The error of the server, or the reason why it cannot be reached.
        """
        self.check()
        async with asyncio.timeout(timeout_s):
            calls = await self._here().shared()
            return await calls.call(request)

    def stream(self, request: Request[Result]) -> SocketStreamCall[Result]:
        """Begin an operation that streams."""
        self.check()
        return SocketStreamCall(self._here, request)

    def no_answer(self) -> Unavailable:
        """Return the error that no server has ever answered, and none did in time."""
        return no_server(self._address, SILENT)

    async def close(self) -> None:
        """Close the connections; calls under way fail, and later ones are refused."""
        self._is_closed = True
        connections, self._connections = self._connections, None
        if connections is None:
            return
        if connections.loop is asyncio.get_running_loop():
            await connections.close()
        else:
            connections.abandon()

    def _here(self) -> CallSockets:
        """Return the WebSockets on the running event loop. Those of an event loop that has ended are forgotten."""
        if self._is_closed:
            raise FailedPrecondition("the client is closed", code="client_closed")
        connections = self._connections
        if connections is None or connections.loop is not asyncio.get_running_loop():
            if connections is not None:
                connections.abandon()
            connections = self._connections = CallSockets(self._address, self._metadata, self._heartbeats)
        return connections


def _checked(metadata: Mapping[str, str]) -> Mapping[str, str]:
    for name in metadata:
        if name in _RESERVED or name.startswith("sec-websocket-"):
            raise InvalidInput(
                f"metadata cannot have the key {name!r}, which is a header of HTTP's own",
                code="invalid_call_metadata",
                field="metadata",
                limit="a key that HTTP does not use",
                value=repr(name),
            )
    return metadata
