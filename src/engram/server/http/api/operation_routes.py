"""The routes of all operations of the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from engram.errors import InvalidInput, NotFound
from engram.model.hit import Hits
from engram.model.many.many_recalled import ManyRecalled
from engram.model.operations import table
from engram.model.operations.operation import Operation, Request
from engram.model.query import Recalled
from engram.model.scans.page import ScanPage
from engram.server.calls import Incoming, ServerCalls
from engram.server.http.api.incoming import RequestsOverHttp
from engram.server.http.api.line_writes import LineWrites
from engram.server.http.api.negotiation import accepts
from engram.server.http.api.partial_recall import recall_in_time
from engram.server.http.api.standing import ChangesFollower, Follower, RecallFollower
from engram.server.http.api.streamed import EVENTS_TYPE, Events, Lines, StreamedAnswer, Write
from engram.server.http.bodies import FRAME_TYPE, JSON_TYPE, LINES_TYPE, media_type, whole_body
from engram.server.http.caller import caller_of
from engram.server.http.routes import HttpRoute
from engram.wire.forms.observations import has_field
from engram.wire.forms.results import encode_json, encode_result, result_object

_FOLLOW: Final = "/follow"


class OperationRoutes:
    """Answers the operations over HTTP.

    Parameters
    ----------
    calls
        The calls of the server.
    """

    def __init__(self, calls: ServerCalls) -> None:
        self._calls = calls
        self._requests = {name: RequestsOverHttp(operation) for name, operation in table.OPERATIONS.items()}
        self._lines = LineWrites(calls)

    def routes(self) -> list[HttpRoute]:
        """Return the routes, in the order of the table."""
        found: dict[tuple[str, str], list[Operation[Any]]] = {}
        for operation in table.OPERATIONS.values():
            for route in operation.routes:
                found.setdefault((route.method, route.path), []).append(operation)
        return [
            # An id may hold slashes.
            HttpRoute(method, path.replace("{id}", "{id:path}"), partial(self._answer, operations))
            for (method, path), operations in found.items()
        ]

    async def _answer(self, operations: list[Operation[Any]], request: HttpRequest) -> Response:
        is_streamed = accepts(request, LINES_TYPE) or accepts(request, EVENTS_TYPE)
        # Where two operations share a path, the client's wish for a stream tells them apart.
        operation = min(operations, key=lambda each: each.streams is not is_streamed)
        if operation is table.OBSERVE and media_type(request.scope) == LINES_TYPE:
            return await self._lines.answer(request)
        body = await whole_body(request.receive)
        if operation.streams:
            return self._stream(operation, request, body)
        if operation is table.RECALL and has_field(body, "timeout_ms"):
            return await self._recall_in_time(request, body)
        return await self._result(operation, request, body)

    async def _result(self, operation: Operation[Any], request: HttpRequest, body: bytes) -> Response:
        """Answer an operation that does not stream."""
        made_ids: list[str] = []
        headers: dict[str, str] = {}
        incoming, wanted = _remembering(self._requests[operation.name].incoming(request, body, made_ids))
        incoming = replace(incoming, replayed=lambda: headers.update({"idempotency-replayed": "true"}))
        is_one = "id" in request.path_params
        binary = _wants_frame(operation, request)

        def encode(result: Any) -> bytes:
            if made_ids:
                return encode_json({**result_object(result), "ids": made_ids})
            if is_one and isinstance(result, Hits) and not result:
                id = request.path_params["id"]
                raise NotFound(f"there is no observation {id[:200]!r}", field="id", value=id)
            return encode_result(result, vectors=has_vectors(wanted()), binary=binary)

        answer = await self._calls.answer(operation, incoming, encode, caller_of(request.scope))
        return _answered(answer, headers, is_frame=binary)

    async def _recall_in_time(self, request: HttpRequest, body: bytes) -> Response:
        incoming, wanted = _remembering(self._requests[table.RECALL.name].incoming(request, body, []))
        recalled = await recall_in_time(self._calls, incoming, caller_of(request.scope))
        binary = _wants_frame(table.RECALL, request)
        vectors = has_vectors(wanted())
        answer = await self._calls.engine.in_thread(lambda: encode_result(recalled, vectors=vectors, binary=binary))
        return _answered(answer, is_frame=binary)

    def _stream(self, operation: Operation[Any], request: HttpRequest, body: bytes) -> Response:
        is_feed = operation is table.CHANGES
        follows = request.scope["path"].endswith(_FOLLOW)
        as_events = accepts(request, EVENTS_TYPE) or ((follows or is_feed) and not accepts(request, LINES_TYPE))
        if accepts(request, FRAME_TYPE):
            raise InvalidInput(
                "a stream over HTTP has no frames; a WebSocket has", code="media_type", field="Accept", limit=LINES_TYPE
            )
        incoming, wanted = _remembering(self._requests[operation.name].incoming(request, body, []))
        last_id = request.headers.get("last-event-id")
        naming, space = self._calls.engine.store.naming, incoming.space or ""
        space_id = partial(naming.space_id, space)
        follower: Follower[Any] = (
            ChangesFollower(last_id, as_events=as_events, space_id=space_id)
            if is_feed
            else RecallFollower(last_id, as_events=as_events, follows=follows, space_id=space_id)
        )
        incoming = replace(incoming, decode=_through(follower.adapt, incoming.decode))

        def encode(result: Any) -> bytes:
            return follower.written(result, vectors=has_vectors(wanted()))

        async def source(write: Write) -> None:
            await self._calls.stream(operation, incoming, encode, caller_of(request.scope), write)

        return StreamedAnswer(source, Events() if as_events else Lines())


def has_vectors(request: Request[Any]) -> bool:
    """Return whether a request wants hits with their vectors."""
    return bool(getattr(getattr(request, "query", request), "include_vectors", False))


def _through(
    change: Callable[[Request[Any]], Request[Any]], decode: Callable[[], Request[Any]]
) -> Callable[[], Request[Any]]:
    return lambda: change(decode())


def _remembering(incoming: Incoming[Any]) -> tuple[Incoming[Any], Callable[[], Request[Any]]]:
    """Return the incoming request, and what returns it again once it has been decoded."""
    decoded: list[Request[Any]] = []

    def decode() -> Request[Any]:
        decoded.append(incoming.decode())
        return decoded[0]

    return replace(incoming, decode=decode), lambda: decoded[0]


def _wants_frame(operation: Operation[Any], request: HttpRequest) -> bool:
    return operation.result in (Hits, ScanPage, Recalled, ManyRecalled) and accepts(request, FRAME_TYPE)


def _answered(answer: bytes, headers: dict[str, str] | None = None, *, is_frame: bool = False) -> Response:
    return Response(answer, headers=headers, media_type=FRAME_TYPE if is_frame else JSON_TYPE)
