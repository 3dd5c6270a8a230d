"""A transport over the HTTP API, so that what is told of clients is also told of HTTP.

Each call is a request on a connection of its own. A result comes as a frame where there is one, and a stream of results
as lines of JSON. HTTP has no sessions: a batch is a request, which its key keeps from being stored twice.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Any, Final, Generic, NamedTuple, TypeVar, cast
from urllib.parse import quote, urlencode, urlsplit

import h11
import numpy as np

from engram.client.retry import NO_SERVER
from engram.client.transport import Accepted, Closed, Event, Greeting, Refused, Welcome
from engram.client.transport_choice import OPENERS
from engram.errors import EngramError, FailedPrecondition, Unavailable
from engram.model.ack import Ack
from engram.model.following.change import Change, Changes
from engram.model.hit import Hit, Hits
from engram.model.many.many_recalled import ManyRecalled
from engram.model.observations import ObservationBatch
from engram.model.operations.operation import Operation, Request, Route
from engram.model.operations.requests import DescribeSpace, Observe
from engram.model.operations.table import OBSERVE
from engram.model.priority import Priority
from engram.model.query import Recalled
from engram.model.scans.page import ScanPage
from engram.model.times import as_time_us
from engram.server.http.bodies import FRAME_TYPE, JSON_TYPE, LINES_TYPE
from engram.wire.forms.failures import error_from
from engram.wire.forms.received_results import decode_result
from engram.wire.forms.results import encode_json
from engram.wire.forms.sent_requests import OPERATION_OF, encode_request
from engram.wire.frames import decode_frame, split_frame

SCHEME: Final = "http-api"
_LOST: Final = "stream_ended"
_OPEN_S: Final = 10.0
_READ_BYTES: Final = 64 * 1024
# What JSON shows of a hit as the hit has it.
_SAME: Final = (
    "id",
    "score",
    "confidence",
    "generation",
    "content",
    "metadata",
    "tags",
    "importance",
    "indexed",
    "recent",
)

Result = TypeVar("Result")


class _Sent(NamedTuple):
    """A request of HTTP, without what the transport adds."""

    method: str
    target: str
    content_type: str
    body: bytes


class EncodedBatch(NamedTuple):
    """A batch as it is sent: all but the place that it is sent to."""

    content_type: str
    body: bytes
    rows: int


class HttpTransport:
    """A `Transport` to the HTTP API of the server at an address such as ``http-api://127.0.0.1:7432``."""

    def __init__(self, address: str, metadata: Mapping[str, str]) -> None:
        self.address = address
        self._metadata = metadata
        self._open: set[_Answer] = set()

    def check(self) -> None:
        pass

    def encode(self, batch: ObservationBatch, priority: Priority) -> EncodedBatch:
        sent = _sent(Observe("", batch, priority))
        return EncodedBatch(sent.content_type, sent.body, len(batch.ids))

    async def observe(self, greeting: Greeting) -> tuple[HttpSession, Welcome]:
        try:
            status = await self.call(DescribeSpace(greeting.space), _OPEN_S)
        except TimeoutError:
            raise self.no_answer() from None
        session_id = greeting.session_id or secrets.token_hex(8)
        welcome = Welcome(session_id, greeting.known_sequence or 0, status.visible_generation)
        return HttpSession(self, greeting.space, f"{session_id}-{greeting.writer}"), welcome

    async def call(self, request: Request[Result], timeout_s: float) -> Result:
        async with asyncio.timeout(timeout_s):
            body = await self.body_of(_sent(request), FRAME_TYPE)
        result: Result = _read(OPERATION_OF[type(request)], body)
        return result

    def stream(self, request: Request[Result]) -> HttpStream[Result]:
        return HttpStream(self, request)

    def no_answer(self) -> Unavailable:
        return Unavailable(f"no Engram server answers at {self.address}", code=NO_SERVER, field="address")

    async def close(self) -> None:
        for answer in self._open:
            answer.end(FailedPrecondition("the client is closed", code="client_closed"))

    async def body_of(self, sent: _Sent, accept: str, headers: Mapping[str, str] | None = None) -> bytes:
        """Send a request, and return the body of its answer."""
        answer = await self.begin(sent, accept, headers)
        try:
            return await answer.body()
        finally:
            answer.close()

    async def begin(self, sent: _Sent, accept: str, headers: Mapping[str, str] | None = None) -> _Answer:
        """Send a request, and return its answer, of which the status has been read."""
        place = urlsplit(self.address)
        try:
            reader, writer = await asyncio.open_connection(place.hostname, place.port)
        except OSError as error:
            raise self.no_answer() from error
        answer = _Answer(reader, writer, self._open)
        try:
            given = {"host": place.netloc, "accept": f"{accept}, {JSON_TYPE}", **self._metadata, **(headers or {})}
            await answer.begin(sent, given)
        except BaseException:
            answer.close()
            raise
        return answer


class HttpSession:
    """A `StreamConnection` of which each batch is a request."""

    def __init__(self, transport: HttpTransport, space: str, key: str) -> None:
        self._transport = transport
        self._space = space
        self._key = key
        self._events: asyncio.Queue[Event] = asyncio.Queue()

    async def send(self, payload: EncodedBatch, first_sequence: int, traceparent: str = "") -> None:
        last_sequence = first_sequence + payload.rows - 1
        route = _route_of(OBSERVE)
        sent = _Sent(route.method, _target(route, self._space), payload.content_type, payload.body)
        try:
            body = await self._transport.body_of(sent, JSON_TYPE, {"idempotency-key": f"{self._key}-{first_sequence}"})
        except EngramError as error:
            if error.code in (NO_SERVER, _LOST):
                raise
            self._events.put_nowait(Refused(first_sequence, last_sequence, error))
            return
        ack: Ack = _read(OBSERVE, body)
        self._events.put_nowait(Accepted(Ack(first_sequence, last_sequence, ack.first_generation, ack.last_generation)))

    async def receive(self) -> Event:
        return await self._events.get()

    async def close_session(self, last_sequence: int) -> None:
        self._events.put_nowait(Closed())

    async def abort(self) -> None:
        pass


class HttpStream(Generic[Result]):
    """An `AnswerStream` that reads lines."""

    def __init__(self, transport: HttpTransport, request: Request[Result]) -> None:
        self._transport = transport
        self._request = request
        self._answer: _Answer | None = None
        self._unread = b""
        self._is_over = False

    async def read(self) -> Result | None:
        if self._is_over:
            return None
        try:
            if self._answer is None:
                self._answer = await self._transport.begin(_sent(self._request), LINES_TYPE)
            line = await self._line(self._answer)
            result: Result | None = _streamed(line) if line else None
        except BaseException:
            self.cancel()
            raise
        if result is None:
            self.cancel()
        return result

    def cancel(self) -> None:
        self._is_over = True
        if self._answer is not None:
            self._answer.close()

    async def _line(self, answer: _Answer) -> bytes:
        """The next line that is not blank; nothing behind the last one."""
        while True:
            line, end, rest = self._unread.partition(b"\n")
            if end:
                self._unread = rest
                if line:
                    return line
            elif part := await answer.part():
                self._unread += part
            else:
                return line


class _Answer:
    """One request on a connection of its own, and its answer as it comes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, among: set[_Answer]) -> None:
        self._reader = reader
        self._writer = writer
        self._state = h11.Connection(h11.CLIENT)
        self._ended: EngramError | None = None
        self._among = among
        among.add(self)

    async def begin(self, sent: _Sent, headers: Mapping[str, str]) -> None:
        """Send the request, and read the status; an answer that is an error is raised."""
        if sent.content_type:
            headers = {**headers, "content-type": sent.content_type, "content-length": str(len(sent.body))}
        with _telling_of_loss():
            for event in (
                h11.Request(method=sent.method, target=sent.target, headers=list(headers.items())),
                h11.Data(data=sent.body),
                h11.EndOfMessage(),
            ):
                self._writer.write(self._state.send(event) or b"")
            await self._writer.drain()
        status = await self._event()
        if status.status_code >= 400:
            raise error_from(json.loads(await self.body()))

    async def body(self) -> bytes:
        """The whole body."""
        parts = []
        while part := await self.part():
            parts.append(part)
        return b"".join(parts)

    async def part(self) -> bytes:
        """The next part of the body; nothing at its end."""
        event = await self._event()
        return bytes(event.data) if isinstance(event, h11.Data) else b""

    def close(self) -> None:
        """End the connection, whether or not all was read."""
        self._among.discard(self)
        self._writer.close()

    def end(self, error: EngramError) -> None:
        """Have whoever reads find `error`."""
        self._ended = error
        self._writer.close()

    async def _event(self) -> Any:
        with _telling_of_loss():
            while (event := self._state.next_event()) is h11.NEED_DATA:
                self._state.receive_data(await self._reader.read(_READ_BYTES))
                if self._ended is not None:
                    raise self._ended
        return event


@contextmanager
def _telling_of_loss() -> Iterator[None]:
    try:
        yield
    except (OSError, h11.RemoteProtocolError) as error:
        raise Unavailable(f"the server ended the answer: {error}", code=_LOST) from error


def _sent(request: Request[Any]) -> _Sent:
    route = _route_of(OPERATION_OF[type(request)])
    target = _target(route, request.space_name or "")
    # The space is in the path alone.
    has_field = "space" in (field.name for field in fields(cast("Any", request)))
    bare = replace(cast("Any", request), space="") if has_field else request
    made, is_frame = encode_request(bare, {})
    if is_frame:
        return _Sent(route.method, target, FRAME_TYPE, made)
    given = json.loads(made)
    given.pop("space", None)
    if route.method == "GET":
        return _Sent(route.method, f"{target}?{urlencode(given)}" if given else target, "", b"")
    return _Sent(route.method, target, JSON_TYPE, encode_json(given))


def _route_of(operation: Operation[Any]) -> Route:
    """The first route that takes all arguments."""
    return next(route for route in operation.routes if "{id}" not in route.path)


def _target(route: Route, space: str) -> str:
    return route.path.replace("{space}", quote(space, safe=""))


def _read(operation: Operation[Any], body: bytes) -> Any:
    if operation.result not in (Hits, ScanPage, Recalled, ManyRecalled):
        return decode_result(operation.result, body, None)
    text, _ = split_frame(body)
    return decode_result(operation.result, text, decode_frame(body).arrays)


def _streamed(line: bytes) -> Any:
    said = json.loads(line)
    if "error" in said:
        raise error_from(said["error"])
    if "changes" in said:
        return Changes(map(_change, said["changes"]), said["generation"], said["incomplete"])
    hits = [_hit(each) for each in said["hits"]]
    return Recalled(hits, said["generation"], len(hits), 0.0, said["incomplete"], said["more"])


def _change(shown: dict[str, Any]) -> Change:
    hit = shown.get("hit")
    return Change(shown["kind"], shown["id"], shown["generation"], shown.get("replaces"), hit and _hit(hit))


def _hit(shown: dict[str, Any]) -> Hit:
    time_us = as_time_us(shown["timestamp"], "timestamp")
    vector, expires_at = shown.get("vector"), shown.get("expires_at")
    return Hit(
        **{name: shown[name] for name in _SAME},
        time_us=time_us,
        vector=None if vector is None else np.array(vector, np.float32),
        strength=shown.get("strength"),
        has_content=shown.get("has_content", True),
        recalled_us=time_us + round(shown["age_s"] * 1e6),
        expires_us=None if expires_at is None else as_time_us(expires_at, "expires_at"),
    )


OPENERS[SCHEME] = HttpTransport
