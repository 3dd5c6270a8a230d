"""The channel to a server and its unary calls: typed errors, and retries while a server is away."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from grpc import StatusCode, aio

from engram.client.address import parse_address
from engram.client.grpc.call_errors import NO_SERVER, NOT_ENGRAM, call_error, no_server
from engram.client.sending.backoff import Backoff
from engram.errors import EngramError, OverCapacity, Unavailable
from engram.lifecycle.forking import check_process, forked
from engram.model.limits import MESSAGE_BYTES_MAX
from engram.wire.engram_pb2_grpc import EngramServiceStub

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

# A proxy can be the way to other machines, but never to this one.
_LOCAL_OPTIONS: Final = [*_CHANNEL_OPTIONS, ("grpc.enable_http_proxy", 0)]

_FIRST_CONTACT_S: Final = 2.0
# What no waiting cures: somebody has to do something first, here or at the server.
_LASTING_CODES: Final = frozenset({NOT_ENGRAM, "read_only", "in_the_way", "log_failed", "commit_failed"})
_LATE_S: Final = 0.25

Response = TypeVar("Response")


class GrpcChannel:
    """The channel to one server, opened on first use on the running event loop.

    Parameters
    ----------
    address
        ``host:port``, ``[ipv6]:port`` or ``unix:path``.
    timeout_s
        How long a unary call may take, retries included.

    Raises
    ------
    InvalidInput
        If `address` can be none.
    """

    # The first process of all that were forked from one another that opened a channel.
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
        """The channel, opened if need be."""
        self.check()
        if self._channel is None:
            options = _LOCAL_OPTIONS if self.address.is_local else _CHANNEL_OPTIONS
            self._channel = aio.insecure_channel(self.address.target, options=options)
        return self._channel

    def check(self) -> None:
        """Refuse a forked child what would hang in it.

        Raises
        ------
        FailedPrecondition
            Code ``forked``: the client was made by the parent, or the parent has used gRPC, whose threads, which its
            calls need, are not there.
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
        """Bound the body by the time of a call. Raises `Unavailable`, code ``call_timeout``."""
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
        """The service's methods."""
        self.check()
        if self._stub is None:
            self._stub = EngramServiceStub(self.channel)
        return self._stub

    async def unary(self, method: Callable[..., Awaitable[Response]], request: object) -> Response:
        """Make a call that does no harm when made twice; retry while the server is away or full.

        Raises
        ------
        EngramError
            What the server said; `Unavailable` naming the address, and what was tried, if it cannot be reached in
            time.
        """
        loop = asyncio.get_running_loop()
        # A call that is under way may take its time; a server that has never answered most likely is not there.
        deadline_s = loop.time() + self.timeout_s
        retry_until_s = deadline_s if self._reached else loop.time() + min(self.timeout_s, _FIRST_CONTACT_S)
        backoff = Backoff()
        while True:
            try:
                # The first of the two is told to the server. The second needs no gRPC to come true.
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
            if not _may_pass(error) or loop.time() + delay_s >= retry_until_s:
                raise error
            await asyncio.sleep(delay_s)

    def error(self, failure: aio.AioRpcError) -> EngramError:
        """The typed error behind a failed call."""
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


def _may_pass(error: EngramError) -> bool:
    """Whether the same call may succeed a little later."""
    return isinstance(error, Unavailable | OverCapacity) and error.code not in _LASTING_CODES
