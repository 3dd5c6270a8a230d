"""The transport over gRPC: one channel to a server, and the three kinds of calls on it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Any, Final, TypeVar, cast

from grpc import StatusCode, aio

from engram.client.grpc.address import parse_address
from engram.client.grpc.batch_encoding import RequestParts, encode_parts
from engram.client.grpc.call_errors import call_error, no_server
from engram.client.grpc.observe_call import GrpcObserveCall
from engram.client.grpc.stream_call import GrpcStreamCall
from engram.client.transport import Greeting, Welcome
from engram.errors import Unavailable
from engram.lifecycle.forking import check_process, forked
from engram.model.limits import MESSAGE_BYTES_MAX
from engram.model.observations import ObservationBatch
from engram.model.operations.operation import Request
from engram.model.priority import Priority
from engram.tracing.switch import current_traceparent
from engram.wire.methods import OBSERVE_STREAM, SERVICE_NAME, Method
from engram.wire.operations.table import CODEC_OF

_CHANNEL_OPTIONS: Final = [
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    # A restarted server is back within a second. The two minutes between attempts that gRPC allows are far too long.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # Despite its name, this is the time that an attempt to connect has: a slow network and a busy server need it.
    ("grpc.min_reconnect_backoff_ms", 5000),
    # Each client of a process gets its own connection; clients that share one would share its flow control, too.
    ("grpc.use_local_subchannel_pool", 1),
]

# A proxy may be needed to reach other machines, but never to reach this one.
_LOCAL_OPTIONS: Final = [*_CHANNEL_OPTIONS, ("grpc.enable_http_proxy", 0)]

Result = TypeVar("Result")


class GrpcTransport:
    """A `Transport` over a gRPC channel, which is opened on first use on the running event loop.

    Parameters
    ----------
    address
        ``host:port``, ``[ipv6]:port`` or ``unix:path``.
    metadata
        Sent with each call.

    Raises
    ------
    InvalidInput
        If `address` is not a valid address.
    """

    # Id of the first process, among this one and those it was forked from, that used a channel.
    _first_process: int | None = None

    def __init__(self, address: str, metadata: Mapping[str, str]) -> None:
        self._address = parse_address(address)
        self._metadata = tuple(metadata.items()) or None
        self._process = os.getpid()
        self._channel: aio.Channel | None = None
        # The event loop of the channel.
        self._loop: asyncio.AbstractEventLoop | None = None
        # What makes the calls of each method, by its name.
        self._callables: dict[str, Any] = {}

    @property
    def address(self) -> str:
        """The address of the server."""
        return self._address.target

    def check(self) -> None:
        """Raise an error in a forked child, in which calls would hang.

        Raises
        ------
        FailedPrecondition
            With code ``forked``, if a parent process made the client or has used a client. gRPC needs its threads, and
            a forked child does not have them.
        """
        check_process(self._process, "client")
        if GrpcTransport._first_process is None:
            GrpcTransport._first_process = self._process
        elif GrpcTransport._first_process != self._process:
            raise forked(
                f"process {self._process} was forked from {GrpcTransport._first_process}, which has used a client, and "
                "gRPC does not work in it; start it with the method 'spawn', or fork before the first call",
                GrpcTransport._first_process,
            )

    def encode(self, batch: ObservationBatch, priority: Priority) -> RequestParts:
        """Return the payload of `batch`; see `encode_parts`."""
        return encode_parts(batch, priority)

    async def observe(self, greeting: Greeting) -> tuple[GrpcObserveCall, Welcome]:
        """Open the session that `greeting` asks for. Raises as `GrpcObserveCall.open`."""
        connection = GrpcObserveCall(self._callable(OBSERVE_STREAM)(metadata=self._metadata), self._address)
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
        codec = CODEC_OF[type(request)]
        question = codec.encode_request(request)
        try:
            answer = await self._callable(codec.method)(question, timeout=timeout_s, metadata=self._beside())
        except aio.AioRpcError as failure:
            if failure.code() is StatusCode.DEADLINE_EXCEEDED:
                raise TimeoutError from None
            trailers = cast("Any", failure.trailing_metadata())
            raise call_error(self._address, failure.code(), failure.details(), trailers) from None
        codec.check_answer(question, answer)
        result: Result = codec.decode_result(answer)
        return result

    def stream(self, request: Request[Result]) -> GrpcStreamCall[Result]:
        """Begin an operation that streams."""
        codec = CODEC_OF[type(request)]
        call = self._callable(codec.method)(codec.encode_request(request), metadata=self._beside())
        return GrpcStreamCall(call, codec, self._address)

    def no_answer(self) -> Unavailable:
        """Return the error that no server has ever answered, and none did in time."""
        return no_server(self._address, "deadline")

    async def close(self) -> None:
        """Close the channel."""
        self._leave_other_loop()
        if self._channel is not None:
            await self._channel.close(None)
            self._channel = None
            self._callables.clear()

    def _leave_other_loop(self) -> None:
        """Forget a channel of another event loop than the running one; gRPC closes what nobody holds any more."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._channel = loop, None
            self._callables.clear()

    def _beside(self) -> tuple[tuple[str, str], ...] | None:
        """Return what is sent with a call: the metadata, and the span of the caller unless they have one."""
        traceparent = current_traceparent()
        if not traceparent or any(key == "traceparent" for key, _ in self._metadata or ()):
            return self._metadata
        return (*(self._metadata or ()), ("traceparent", traceparent))

    def _callable(self, method: Method[Any, Any]) -> Any:
        self.check()
        self._leave_other_loop()
        if self._channel is None:
            options = _LOCAL_OPTIONS if self._address.is_local else _CHANNEL_OPTIONS
            self._channel = aio.insecure_channel(self._address.target, options=options)
        if method.name not in self._callables:
            kinds = {
                (False, False): self._channel.unary_unary,
                (False, True): self._channel.unary_stream,
                (True, True): self._channel.stream_stream,
            }
            make: Any = kinds[method.takes_stream, method.answers_stream]
            # The requests of a stream are encoded already.
            serialize = None if method.takes_stream else method.request.SerializeToString
            path = f"/{SERVICE_NAME}/{method.name}"
            self._callables[method.name] = make(path, serialize, method.response.FromString)
        return self._callables[method.name]
