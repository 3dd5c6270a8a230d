"""A transport without a socket: an `AsyncClient` or `Client` and a server's engine in one process, on one event loop.

Everything crosses as bytes, requests, results and errors, as it would on a wire. It stands for any transport of another
kind than gRPC: it knows the operations and the streams of sessions, and nothing of gRPC or protobuf.
"""

from __future__ import annotations

import asyncio
import itertools
import pickle
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar

from engram.client import transport as seam
from engram.client.retry import NO_SERVER
from engram.client.sending.rate_control import ServerLoad
from engram.client.transport import Greeting, Welcome
from engram.client.transport_choice import OPENERS
from engram.errors import EngramError, Unavailable
from engram.model.ack import Ack
from engram.model.observations import ObservationBatch
from engram.model.operations.operation import Operation, Request
from engram.model.operations.table import OPERATIONS
from engram.model.priority import Priority
from engram.server.authorization import Caller
from engram.server.calls import Incoming, ServerCalls
from engram.server.engine import Engine
from engram.server.handlers.session_stream import open_session, run_stream
from engram.streaming.pressure.load_shedding import SpaceLoad
from engram.streaming.sessions.acks import AckStatus, SessionAck
from engram.streaming.sessions.claim import Claim
from engram.streaming.sessions.connection import Connection
from engram.streaming.sessions.outbox import Event, Opened, StateChange, StreamState
from engram.streaming.sessions.paused_backlog import Message
from engram.wire.error_kinds import class_of, kind_of

SCHEME: Final = "memory"
# Answers that may be on their way; a client that does not read holds the server back, as on a wire.
_ANSWERS_MAX: Final = 16

Result = TypeVar("Result")

_numbers = itertools.count(1)
_servers: dict[str, InProcessServer] = {}
_operations: Final[dict[type, Operation[Any]]] = {operation.request: operation for operation in OPERATIONS.values()}


class InProcessServer:
    """Serves an engine at an address of its own until it is stopped. To be made on the event loop of the engine."""

    def __init__(self, engine: Engine, calls: ServerCalls | None = None) -> None:
        self.calls = calls or ServerCalls(engine)
        self.address = f"{SCHEME}://{next(_numbers)}"
        self._engine = engine
        _servers[self.address] = self
        OPENERS[SCHEME] = InProcessTransport

    async def stop(self, grace_s: float) -> None:
        """Refuse new calls, and let those under way end."""
        self._engine.stop()
        await self.calls.finished(grace_s)
        del _servers[self.address]

    async def serve_session(self, requests: AsyncIterator[Any], caller: Caller, answers: asyncio.Queue[bytes]) -> None:
        """Serve the stream of a session: the client's messages are tuples of a kind and its values."""
        connection = self._engine.connect()

        async def read() -> None:
            async for kind, *values in requests:
                await self._take(connection, caller, kind, *values)
                await connection.outbox.room()
                if connection.outbox.finished:
                    return

        await run_stream(self._engine, connection, read(), _encode_event, answers.put)

    async def _take(self, connection: Connection, caller: Caller, kind: str, *values: Any) -> None:
        if kind == "greeting":
            (greeting,) = values
            claim = Claim(greeting.writer, greeting.known_sequence, greeting.incarnation)
            await open_session(self._engine, caller, connection, greeting.space, greeting.session_id, claim)
        elif kind == "batch":
            connection.opened()
            await connection.observe(Message(*values))
        else:
            await connection.close(drain=False, last_sequence=values[0])


class InProcessTransport:
    """A `Transport` to the `InProcessServer` at an address."""

    def __init__(self, address: str, metadata: Mapping[str, str]) -> None:
        self.address = address
        self._caller = Caller("in-process", metadata)

    def check(self) -> None:
        pass

    def encode(self, batch: ObservationBatch, priority: Priority) -> bytes:
        return pickle.dumps((batch, priority))

    async def observe(self, greeting: Greeting) -> tuple[ObserveConnection, Welcome]:
        server = self._server()
        stream = _Stream()
        session = partial(server.serve_session, stream.requests(), self._caller, stream.answers)
        stream.run(server.calls.serve(session))
        stream.send("greeting", greeting)
        try:
            welcome = await stream.next()
            assert isinstance(welcome, Welcome)
            return ObserveConnection(stream), welcome
        except BaseException:
            stream.cancel()
            raise

    async def call(self, request: Request[Result], timeout_s: float) -> Result:
        operation, incoming = _sent_request(request)
        try:
            async with asyncio.timeout(timeout_s):
                answer = await self._server().calls.answer(operation, incoming, pickle.dumps, self._caller)
        except EngramError as error:
            raise _sent_error(error) from None
        result: Result = pickle.loads(answer)  # noqa: S301  # It is our own.
        return result

    def stream(self, request: Request[Result]) -> _Stream:
        operation, incoming = _sent_request(request)
        stream = _Stream()
        calls = self._server().calls
        stream.run(calls.stream(operation, incoming, pickle.dumps, self._caller, stream.answers.put))
        return stream

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
    """A `StreamConnection` over one stream."""

    def __init__(self, stream: _Stream) -> None:
        self._stream = stream

    async def send(self, payload: bytes, first_sequence: int, traceparent: str = "") -> None:
        self._stream.send("batch", first_sequence, *pickle.loads(payload))  # noqa: S301  # It is our own.

    async def receive(self) -> seam.Event:
        event: seam.Event = await self._stream.next()
        return event

    async def close_session(self, last_sequence: int) -> None:
        self._stream.send("close", last_sequence)

    async def abort(self) -> None:
        self._stream.cancel()


class _Stream:
    """One call that is answered with a stream: a task of the server, and a queue in each direction."""

    def __init__(self) -> None:
        self.answers: asyncio.Queue[Any] = asyncio.Queue(_ANSWERS_MAX)
        self._requests: asyncio.Queue[bytes] = asyncio.Queue()

    def run(self, serving: Any) -> None:
        """Begin the call, which `serving` serves."""
        self._task = asyncio.ensure_future(self._serve(serving))

    def send(self, *message: Any) -> None:
        """Send one message of a stream."""
        if self._task.done():
            raise Unavailable("the call has ended", code="stream_ended")
        self._requests.put_nowait(pickle.dumps(message))

    async def requests(self) -> AsyncIterator[Any]:
        """Yield the messages that arrive."""
        while True:
            yield pickle.loads(await self._requests.get())  # noqa: S301  # It is our own.

    async def read(self) -> Any:
        """Return the next answer, or None after the last one."""
        answer = await self.answers.get()
        if answer is None or isinstance(answer, EngramError):
            # Whoever reads on finds the same end.
            self.answers.put_nowait(answer)
        if isinstance(answer, EngramError):
            raise answer
        return None if answer is None else pickle.loads(answer)  # noqa: S301  # It is our own.

    async def next(self) -> Any:
        """Return the next answer of a stream that the client ends."""
        answer = await self.read()
        if answer is None:
            raise Unavailable("the server ended the stream", code="stream_ended")
        return answer

    def cancel(self) -> None:
        with suppress(RuntimeError):
            self._task.cancel()

    async def _serve(self, serving: Any) -> None:
        end: EngramError | None = None
        try:
            await serving
        except EngramError as error:
            end = _sent_error(error)
        await self.answers.put(end)


def _sent_request(request: Request[Result]) -> tuple[Operation[Result], Incoming[Result]]:
    """The operation that is asked for, and the request as it arrives."""
    data = pickle.dumps(request)
    return _operations[type(request)], Incoming(request.space_name, partial(pickle.loads, data))


def _sent_error(error: EngramError) -> EngramError:
    """The error as it arrives: what is stored of several parts is counted by the client, which sends them."""
    own = ("message", "stored_count")
    values: dict[str, Any] = {name: value for name, value in vars(error).items() if name not in own}
    return class_of(kind_of(error))(error.message, **values)


_LOADS: Final = {
    StreamState.ACTIVE: ServerLoad.ACTIVE,
    StreamState.PAUSED: ServerLoad.PAUSED,
    StreamState.BACKPRESSURE: ServerLoad.BACKPRESSURE,
    StreamState.OVERLOADED: ServerLoad.OVERLOADED,
}


def _encode_event(event: Event, session_id: str, load: Callable[[], SpaceLoad]) -> bytes:
    """What a client is told of an event of its session."""
    if isinstance(event, Opened):
        sequence, capacity = event.initial_sequence, load().queue_capacity
        return pickle.dumps(Welcome(session_id, sequence, event.generation, capacity, event.incarnation))
    return pickle.dumps(_told_ack(event) if isinstance(event, SessionAck) else _told_state(event))


def _told_ack(ack: SessionAck) -> seam.Event:
    first, last = ack.first_sequence, ack.last_sequence
    if ack.status is AckStatus.ACCEPTED:
        return seam.Accepted(Ack(first, last, ack.first_generation, ack.last_generation))
    if ack.status is AckStatus.INDEXED:
        return seam.Indexed(last)
    assert ack.error is not None
    return seam.Refused(first, last, _sent_error(ack.error))


def _told_state(change: StateChange) -> seam.Event:
    if change.state is StreamState.CLOSED:
        return seam.Closed()
    if change.state is StreamState.ERROR:
        assert change.error is not None
        return seam.SessionError(_sent_error(change.error))
    retry_after_ms = change.error.retry_after_ms if change.error is not None else None
    return seam.LoadChange(_LOADS[change.state], retry_after_ms or 0)
