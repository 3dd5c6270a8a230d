"""The channel to a server and its unary calls: typed errors, and retries while a server is away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import grpc
from grpc import aio

from engram.client.backoff import Backoff
from engram.errors import EngramError, OverCapacity, Unavailable
from engram.limits import MESSAGE_BYTES_MAX
from engram.wire.engram_pb2_grpc import EngramServiceStub
from engram.wire.errors import decode_status

if TYPE_CHECKING:
    from engram.wire.engram_pb2_grpc import EngramServiceAsyncStub

_CHANNEL_OPTIONS: Final = [
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    # A server that restarts is back within a second, so gRPC's own two minutes between attempts would be far too long.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # Clients of one process get connections of their own instead of sharing one, with its flow control.
    ("grpc.use_local_subchannel_pool", 1),
]

_FIRST_CONTACT_S: Final = 2.0
_NO_SERVER: Final = "no_server"

Response = TypeVar("Response")


class Calls:
    """The channel to one server, opened on first use on the running event loop.

    Parameters
    ----------
    address
        ``host:port``.
    timeout_s
        How long a unary call may take, retries included.
    """

    def __init__(self, address: str, timeout_s: float) -> None:
        self.address = address
        self._timeout_s = timeout_s
        self._channel: aio.Channel | None = None
        self._stub: EngramServiceAsyncStub | None = None
        self._reached = False

    @property
    def channel(self) -> aio.Channel:
        """The channel, opened if need be."""
        if self._channel is None:
            self._channel = aio.insecure_channel(self.address, options=_CHANNEL_OPTIONS)
        return self._channel

    @property
    def stub(self) -> EngramServiceAsyncStub:
        """The service's methods."""
        if self._stub is None:
            self._stub = EngramServiceStub(self.channel)
        return self._stub

    async def unary(self, method: Callable[..., Awaitable[Response]], request: object) -> Response:
        """Make a call that does no harm when made twice; retry while the server is away or full.

        Raises
        ------
        EngramError
            What the server said; `Unavailable` naming the address if it cannot be reached in time.
        """
        loop = asyncio.get_running_loop()
        # A call that is under way may take its time; a server that has never answered most likely is not there.
        deadline_s = loop.time() + self._timeout_s
        retry_until_s = deadline_s if self._reached else loop.time() + min(self._timeout_s, _FIRST_CONTACT_S)
        backoff = Backoff()
        while True:
            try:
                response = await method(request, timeout=max(0.001, deadline_s - loop.time()))
                self._reached = True
                return response
            except aio.AioRpcError as failure:
                error = self.error(failure)
                self._reached |= error.code != _NO_SERVER
            delay_s = max(backoff.next_s(), (error.retry_after_ms or 0) / 1000)
            if not isinstance(error, Unavailable | OverCapacity) or loop.time() + delay_s >= retry_until_s:
                raise error
            await asyncio.sleep(delay_s)

    def error(self, failure: aio.AioRpcError) -> EngramError:
        """The typed error behind a failed call."""
        error = decode_status(failure.code(), failure.details(), cast("Any", failure.trailing_metadata()))
        bare = error.code == Unavailable.default_code and failure.code() is grpc.StatusCode.UNAVAILABLE
        if bare or failure.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            return Unavailable(
                f"no Engram server answers at {self.address}; is one running there? (engram serve starts one)",
                code=_NO_SERVER,
                field="address",
                value=self.address,
            )
        return error

    async def close(self) -> None:
        """Close the channel."""
        if self._channel is not None:
            await self._channel.close(None)
            self._channel = self._stub = None
