"""A transport without a socket: an `AsyncClient` or `Client` and a server's engine in one process, on one event loop.

Everything crosses as bytes, requests, answers and errors, as it would on a wire; nothing of gRPC is involved.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any, Final, TypeVar

from google.protobuf.message import Message

from engram.client.messages.batch_encoding import RequestParts, encode_parts, join_request
from engram.client.messages.observe_events import decode_response, decode_welcome, encode_close, encode_greeting
from engram.client.retry import NO_SERVER
from engram.client.transport import Event, Greeting, Welcome
from engram.client.transport_choice import OPENERS
from engram.errors import EngramError, Unavailable
from engram.model.observations import ObservationBatch
from engram.model.priority import Priority
from engram.server.authorization import Caller
from engram.server.calls import Call, ServerCalls
from engram.server.engine import Engine
from engram.server.service import OPERATIONS
from engram.wire import engram_pb2 as pb
from engram.wire.errors import decode_error, encode_error
from engram.wire.methods import OBSERVE_STREAM, RECALL_STREAM, Method

SCHEME: Final = "memory"
# Answers that may be on their way; a client that does not read holds the server back, as on a wire.
_ANSWERS_MAX: Final = 16

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)

_numbers = itertools.count(1)
_servers: dict[str, InProcessServer] = {}


class InProcessServer:
    """Serves an engine at an address of its own until it is stopped. To be made on the event loop of the engine."""

    def __init__(self, engine: Engine) -> None:
        self.calls = ServerCalls(engine)
        self.address = f"{SCHEME}://{next(_numbers)}"
        self._engine = engine
        _servers[self.address] = self
        OPENERS[SCHEME] = InProcessTransport

    async def stop(self, grace_s: float) -> None:
        """Refuse new calls, and let those under way end."""
        self._engine.stop()
        await self.calls.finished(grace_s)
        del _servers[self.address]


class InProcessTransport:
    """A `Transport` to the `InProcessServer` at an address."""

    def __init__(self, address: str, metadata: Mapping[str, str]) -> None:
        self.address = address
        self._caller = Caller("in-process", metadata)

    def check(self) -> None:
        pass

    def encode(self, batch: ObservationBatch, priority: Priority) -> RequestParts:
        return encode_parts(batch, priority)

    async def observe(self, greeting: Greeting) -> tuple[ObserveConnection, Welcome]:
        call = _StreamedCall(self._server(), OBSERVE_STREAM, self._caller)
        call.send(encode_greeting(greeting).SerializeToString())
        try:
            return ObserveConnection(call), decode_welcome(await call.next())
        except BaseException:
            call.cancel()
            raise

    async def call(self, method: Method[Request, Response], request: Request, timeout_s: float) -> Response:
        operation = OPERATIONS[method.name]
        parsed = operation.parse(request.SerializeToString())
        try:
            async with asyncio.timeout(timeout_s):
                answer = await self._server().calls.answer(operation.behaviour, parsed, Call(self._caller, _no_stream))
        except EngramError as error:
            raise _sent(error) from None
        return method.response.FromString(answer.SerializeToString())

    def recall(self, request: pb.StreamingRecallRequest) -> _StreamedCall:
        call = _StreamedCall(self._server(), RECALL_STREAM, self._caller, request)
        return call

    def no_answer(self) -> Unavailable:
        return Unavailable(f"no Engram server answers at {self.address}", code=NO_SERVER, field="address")

    async def close(self) -> None:
        pass

    def _server(self) -> InProcessServer:
        server = _servers.get(self.address)
        if server is None:
            raise self.no_answer()
        return server


class ObserveConnection:
    """A `StreamConnection` over one streamed call."""

    def __init__(self, call: _StreamedCall) -> None:
        self._call = call

    async def send(self, payload: RequestParts, first_sequence: int) -> None:
        self._call.send(join_request(payload, first_sequence))

    async def receive(self) -> Event:
        return decode_response(await self._call.next())

    async def close_session(self, last_sequence: int) -> None:
        self._call.send(encode_close(last_sequence).SerializeToString())

    async def abort(self) -> None:
        self._call.cancel()


class _StreamedCall:
    """One call that is answered with a stream: a task of the server, and a queue in each direction."""

    def __init__(
        self, server: InProcessServer, method: Method[Any, Any], caller: Caller, request: Message | None = None
    ) -> None:
        self._method = method
        self._requests: asyncio.Queue[bytes] = asyncio.Queue()
        self._answers: asyncio.Queue[bytes | EngramError | None] = asyncio.Queue(_ANSWERS_MAX)
        self._task = asyncio.ensure_future(self._serve(server, caller, request))

    def send(self, request: bytes) -> None:
        """Send one request of a stream."""
        if self._task.done():
            raise Unavailable("the call has ended", code="stream_ended")
        self._requests.put_nowait(request)

    async def read(self) -> Any:
        """Return the next answer, or None after the last one."""
        answer = await self._answers.get()
        if answer is None or isinstance(answer, EngramError):
            # Whoever reads on finds the same end.
            self._answers.put_nowait(answer)
        if isinstance(answer, EngramError):
            raise answer
        return None if answer is None else self._method.response.FromString(answer)

    async def next(self) -> Any:
        """Return the next answer of a stream that the client ends."""
        answer = await self.read()
        if answer is None:
            raise Unavailable("the server ended the stream", code="stream_ended")
        return answer

    def cancel(self) -> None:
        with suppress(RuntimeError):
            self._task.cancel()

    async def _serve(self, server: InProcessServer, caller: Caller, request: Message | None) -> None:
        operation = OPERATIONS[self._method.name]
        sent = self._parsed() if request is None else operation.parse(request.SerializeToString())
        end: EngramError | None = None
        try:
            await server.calls.answer(operation.behaviour, sent, Call(caller, self._write))
        except EngramError as error:
            end = _sent(error)
        await self._answers.put(end)

    async def _parsed(self) -> AsyncIterator[Any]:
        while True:
            yield OPERATIONS[self._method.name].parse(await self._requests.get())

    async def _write(self, answer: Message) -> None:
        await self._answers.put(answer.SerializeToString())


def _sent(error: EngramError) -> EngramError:
    """The error as it arrives."""
    return decode_error(pb.ErrorDetail.FromString(encode_error(error).SerializeToString()))


async def _no_stream(_: object) -> None:
    raise AssertionError("the method answers with one message")
