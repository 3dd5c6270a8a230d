"""The gRPC channel to a server, and its unary calls with typed errors and retries."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from grpc import StatusCode, aio

from engram.client.address import parse_address
from engram.client.grpc.call_errors import NO_SERVER, NOT_ENGRAM, call_error, no_server
from engram.client.retry import Backoff
from engram.errors import EngramError, Unavailable
from engram.lifecycle.forking import check_process, forked
from engram.model.limits import MESSAGE_BYTES_MAX
from engram.wire.engram_pb2_grpc import EngramServiceStub

if TYPE_CHECKING:
    from engram.wire.engram_pb2_grpc import EngramServiceAsyncStub

_CHANNEL_OPTIONS: Final = [
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    # A restarted server is back within a second. The two minutes between attempts that gRPC allows are far too long.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # Each client of a process gets its own connection; clients that share one would share its flow control, too.
    ("grpc.use_local_subchannel_pool", 1),
]

# A proxy may be needed to reach other machines, but never to reach this one.
_LOCAL_OPTIONS: Final = [*_CHANNEL_OPTIONS, ("grpc.enable_http_proxy", 0)]

_FIRST_CONTACT_S: Final = 2.0
_LATE_S: Final = 0.25

Response = TypeVar("Response")


class GrpcChannel:
    """The channel to one server, opened on first use on the running event loop.

    Parameters
    ----------
    address
        ``host:port``, ``[ipv6]:port`` or ``unix:path``.
    timeout_s
        Seconds that a unary call may take, retries included.

    Raises
    ------
    InvalidInput
        If `address` is not a valid address.
    """

    # Id of the first process, among this one and those it was forked from, that used a channel.
    _first_process: int | None = None

    def __init__(self, address: str, timeout_s: float) -> None:
        self.address = parse_address(address)
        self.timeout_s = timeout_s
        self._process = os.getpid()
        self._channel: aio.Channel | None = None
        self._stub: EngramServiceAsyncStub | None = None
        self._reached = False

    @property
    def channel(self) -> aio.Channel:
        """The gRPC channel; opened on first access."""
        self.check()
        if self._channel is None:
            options = _LOCAL_OPTIONS if self.address.is_local else _CHANNEL_OPTIONS
            self._channel = aio.insecure_channel(self.address.target, options=options)
        return self._channel

    def check(self) -> None:
        """Raise an error in a forked child, in which calls would hang.

        Raises
        ------
        FailedPrecondition
            With code ``forked``, if a parent process made the client or has used a client. gRPC needs its threads, and
            a forked child does not have them.
        """
        check_process(self._process, "client")
        if GrpcChannel._first_process is None:
            GrpcChannel._first_process = self._process
        elif GrpcChannel._first_process != self._process:
            raise forked(
                f"process {self._process} was forked from {GrpcChannel._first_process}, which has used a client, and "
                "gRPC does not work in it; start it with the method 'spawn', or fork before the first call",
                GrpcChannel._first_process,
            )

    @contextlib.asynccontextmanager
    async def within(self, doing: str) -> AsyncIterator[None]:
        """Limit the body to the timeout of a call.

        Raises
        ------
        Unavailable
            With code ``call_timeout``, or ``no_server`` if the server has never answered.
        """
        try:
            async with asyncio.timeout(self.timeout_s):
                yield
        except TimeoutError:
            if not self._reached:
                raise self._no_server() from None
            raise Unavailable(
                f"{doing} took longer than {self.timeout_s:g} s; "
                f"does the Engram server at {self.address.target} answer?",
                code="call_timeout",
                field="timeout_s",
                limit=self.timeout_s,
                value="longer",
            ) from None

    @property
    def stub(self) -> EngramServiceAsyncStub:
        """Stub with the methods of the service."""
        self.check()
        if self._stub is None:
            self._stub = EngramServiceStub(self.channel)
        return self._stub

    async def unary(self, method: Callable[..., Awaitable[Response]], request: object) -> Response:
        """Make an idempotent call; retry while the server is away or full.

        Raises
        ------
        EngramError
            The error of the server; `Unavailable`, naming the address and the reason, if the server cannot be reached
            in time.
        """
        loop = asyncio.get_running_loop()
        # A call may use the whole timeout. Retries end early if the server has never answered, because then it most
        # likely does not exist.
        deadline_s = loop.time() + self.timeout_s
        retry_until_s = deadline_s if self._reached else loop.time() + min(self.timeout_s, _FIRST_CONTACT_S)
        backoff = Backoff()
        while True:
            try:
                # gRPC passes the first timeout to the server. The second one also works if gRPC does not respond.
                call = method(request, timeout=max(0.001, deadline_s - loop.time()))
                async with asyncio.timeout_at(deadline_s + _LATE_S):
                    response = await call
                self._reached = True
                return response
            except TimeoutError:
                raise self._no_server() from None
            except aio.AioRpcError as failure:
                error = self.error(failure)
                self._reached |= error.code not in (NO_SERVER, NOT_ENGRAM)
            delay_s = max(backoff.next_s(), (error.retry_after_ms or 0) / 1000)
            if not error.is_transient or loop.time() + delay_s >= retry_until_s:
                raise error
            await asyncio.sleep(delay_s)

    def error(self, failure: aio.AioRpcError) -> EngramError:
        """Return the typed error for a failed call."""
        if self._reached and failure.code() is StatusCode.DEADLINE_EXCEEDED:
            return Unavailable(
                f"the server at {self.address.target} did not answer within {self.timeout_s:g} s",
                code="call_timeout",
                field="timeout_s",
                limit=self.timeout_s,
            )
        return call_error(self.address, failure.code(), failure.details(), cast("Any", failure.trailing_metadata()))

    def _no_server(self) -> Unavailable:
        return no_server(self.address, "deadline")

    async def close(self) -> None:
        """Close the channel."""
        if self._channel is not None:
            await self._channel.close(None)
            self._channel = self._stub = None
