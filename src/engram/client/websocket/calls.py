"""The calls on one WebSocket: any number beside each other, each found again by the number that it was given."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import deque
from collections.abc import Mapping
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from engram.client.websocket.address import SocketAddress
from engram.client.websocket.socket import Heartbeats, Socket, open_socket
from engram.errors import EngramError, FailedPrecondition
from engram.model.operations.operation import Request
from engram.tracing.switch import current_traceparent
from engram.wire.forms.received_results import decode_error, decode_result, unexpected
from engram.wire.forms.results import encode_json
from engram.wire.forms.sent_requests import OPERATION_OF, encode_request
from engram.wire.frames import read_arrays, split_frame

Result = TypeVar("Result")

CALLS_MAX: Final = 32
"""Calls of one WebSocket under way at the same time. A server reads no further one, nor what cancels one."""

# Bytes of the results of a call that streams that nobody has read yet, above which no more are read from the network.
_UNREAD_BYTES_MAX: Final = 16 * 1024 * 1024


class _Heading(Struct):
    """What must be known of an answer before the rest of it is read."""

    type: str = ""
    id: int | None = None
    more: bool = False
    arrays: list[tuple[str, str, list[int]]] | None = None


class _Answer(NamedTuple):
    """One answer, whose text has not been read yet."""

    heading: _Heading
    text: Any
    frame: bytes
    start: int


_read_heading: Final = msgspec.json.Decoder(_Heading).decode


class CallSocket:
    """The calls of one client on one WebSocket; belongs to the event loop on which it is made.

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
        self.socket: Final = Socket(address, metadata, self, heartbeats)
        self._address = address
        self._numbers = itertools.count(1)
        self._turns = asyncio.Semaphore(CALLS_MAX)
        self._calls: dict[int, asyncio.Future[_Answer]] = {}
        self._streams: dict[int, SocketStream[Any]] = {}
        # What the server said last that concerns no call, such as why it ends the connection.
        self._said: EngramError | None = None

    async def open(self) -> None:
        """Connect. Raises as `open_socket`."""
        await open_socket(self.socket, self._address)

    async def close(self) -> None:
        """Fail what is under way, and close the WebSocket."""
        self._fail(FailedPrecondition("the client is closed", code="client_closed"))
        await self.socket.close()

    async def call(self, request: Request[Result]) -> Result:
        """Have a request answered that has one result; a cancellation ends the call on the server, too.

        Raises
        ------
        EngramError
            The error of the server, or the reason why there is no answer.
        """
        operation = OPERATION_OF[type(request)]
        async with self._turns:
            number = next(self._numbers)
            message, is_frame = encode_request(request, self._beside(operation.name, number))
            answered: asyncio.Future[_Answer] = self.socket.loop.create_future()
            self._calls[number] = answered
            try:
                await self.socket.send(message, is_frame=is_frame)
                answer = await answered
            finally:
                del self._calls[number]
                if answered.cancelled():
                    self.cancel(number)
        result: Result = _result(operation.result, answer)
        return result

    def stream(self, request: Request[Result]) -> SocketStream[Result]:
        """Begin a call that streams, whose results must be read before the next one begins here.

        Raises
        ------
        EngramError
            Why the WebSocket has ended.
        """
        operation = OPERATION_OF[type(request)]
        number = next(self._numbers)
        message, is_frame = encode_request(request, self._beside(operation.name, number))
        self.socket.post(message, is_frame=is_frame)
        stream: SocketStream[Result] = SocketStream(self, number, operation.result, follows=request.follows)
        self._streams[number] = stream
        return stream

    def forget(self, number: int) -> None:
        """Hand on no more results of a call that streams."""
        self._streams.pop(number, None)
        self.socket.resume()

    def cancel(self, number: int) -> None:
        """Tell the server to end a call, if it can still be told."""
        # Raised if the event loop is closed; then the connection has ended, too.
        with contextlib.suppress(EngramError, RuntimeError):
            self.socket.post(encode_json({"type": "cancel", "id": number}))

    # ---- what the WebSocket calls ------------------------------------------------------------------------------

    def take(self, message: bytes, is_frame: bool) -> None:
        """Hand an answer to the call that it belongs to. The answer of a call that was given up is dropped."""
        answer = _read_answer(message, is_frame)
        number = answer.heading.id
        if number is None:
            if answer.heading.type == "error":
                self._said = decode_error(answer.text)
            return
        answered = self._calls.get(number)
        if answered is not None:
            if not answered.done():
                answered.set_result(answer)
        elif number in self._streams:
            self._streams[number].put(answer)

    def ended(self, error: EngramError) -> None:
        """Fail what has no answer."""
        # It may have said something else before, to which calls have paid no heed.
        self._fail(self._said if self._said is not None and self._said.code == error.code else error)

    def _beside(self, operation: str, number: int) -> dict[str, Any]:
        beside = {"type": operation, "id": number, "binary": True}
        if self.socket.takes_spans and (traceparent := current_traceparent()):
            beside["traceparent"] = traceparent
        return beside

    def _fail(self, error: EngramError) -> None:
        for answered in list(self._calls.values()):
            if not answered.done():
                answered.set_exception(error)
        for stream in list(self._streams.values()):
            stream.fail(error)


class SocketStream(Generic[Result]):
    """The results of one call that streams; an `AnswerStream` without the opening.

    Parameters
    ----------
    calls
        The calls that it is one of.
    number
        Its number among them.
    kind
        Class of the results.
    follows
        Whether results may come behind one that says that there are no more.
    """

    def __init__(self, calls: CallSocket, number: int, kind: type[Result], *, follows: bool) -> None:
        self.ended: bool = False
        self._kind = kind
        self._follows = follows
        self._calls = calls
        self._number = number
        self._unread: deque[_Answer | EngramError] = deque()
        self._unread_bytes = 0
        self._changed = asyncio.Event()

    def put(self, answer: _Answer) -> None:
        """Take one result, or the error that the call ended with."""
        self._unread.append(answer)
        self._unread_bytes += len(answer.frame)
        if self._unread_bytes > _UNREAD_BYTES_MAX:
            self._calls.socket.pause()
        self._changed.set()

    def fail(self, error: EngramError) -> None:
        """Take the reason why nothing more will come."""
        self._unread.append(error)
        self._changed.set()

    async def read(self) -> Result | None:
        """Return the next result, or None after the last one.

        Raises
        ------
        EngramError
            If the call fails, for whatever reason.
        """
        if self.ended:
            return None
        while not self._unread:
            self._changed.clear()
            await self._changed.wait()
        answer = self._unread.popleft()
        if isinstance(answer, EngramError):
            self._end()
            raise answer
        self._unread_bytes -= len(answer.frame)
        if self._unread_bytes <= _UNREAD_BYTES_MAX // 2:
            self._calls.socket.resume()
        if answer.heading.type == "error" or not (answer.heading.more or self._follows):
            self._end()
        return _result(self._kind, answer)

    def cancel(self) -> None:
        """End the call, if it has not ended."""
        if not self.ended:
            self._end()
            self._calls.cancel(self._number)

    def _end(self) -> None:
        self.ended = True
        self._unread.clear()
        self._calls.forget(self._number)


def _read_answer(message: bytes, is_frame: bool) -> _Answer:
    text, start = split_frame(message) if is_frame else (message, -1)
    try:
        return _Answer(_read_heading(text), text, message, start)
    except (ValueError, RecursionError) as error:
        raise unexpected(f"a message that cannot be read: {error}") from None


def _result(kind: type[Result], answer: _Answer) -> Result:
    if answer.heading.type == "error":
        raise decode_error(answer.text)
    arrays = None if answer.start < 0 else read_arrays(answer.frame, answer.start, answer.heading.arrays)
    result: Result = decode_result(kind, answer.text, arrays)
    return result
