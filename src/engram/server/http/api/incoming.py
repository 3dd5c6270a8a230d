"""Requests of operations as HTTP carries them: in the path, behind the question mark, and in a body."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final, cast

from starlette.requests import Request as HttpRequest

from engram.errors import InvalidInput
from engram.model.operations import table
from engram.model.operations.digest import request_digest
from engram.model.operations.operation import Operation, Request
from engram.model.operations.requests import Observe
from engram.model.spaces import DEFAULT_SPACE
from engram.model.values.ids import made_id
from engram.server.calls import Incoming
from engram.server.handlers.vector_cut import read_observed, read_request
from engram.server.http.bodies import FRAME_TYPE, LINES_TYPE, media_type
from engram.wire.forms.frame_headers import read_frame
from engram.wire.forms.observations import check_says_something
from engram.wire.forms.reader import check_known
from engram.wire.forms.requests import RequestReader


class RequestsOverHttp:
    """Reads the requests of one operation.

    Parameters
    ----------
    operation
        The operation.
    """

    def __init__(self, operation: Operation[Any]) -> None:
        self.operation: Final = operation
        self._reader = RequestReader(operation)

    def incoming(self, request: HttpRequest, body: bytes, made_ids: list[str]) -> Incoming[Any]:
        """Return the request, which is decoded once its caller has been authorized.

        Parameters
        ----------
        request
            The HTTP request.
        body
            Its body.
        made_ids
            Receives the id that is made for an observation without one.
        """
        space = space_of(request)
        key = idempotency_key(request)
        return Incoming(space, lambda: self._decode(request, body, space or "", key, made_ids), key)

    def _decode(
        self, request: HttpRequest, body: bytes, space: str, key: str | None, made_ids: list[str]
    ) -> Request[Any]:
        given = self._given(request)
        if request.method in ("GET", "HEAD") or not body:
            return self._reader.read_texts(given, space)
        check_known(given, ())
        kind = media_type(request.scope)
        if kind == FRAME_TYPE:
            text, arrays = read_frame(body)
            return self._reader.read(text, space, arrays)
        if kind == LINES_TYPE:
            raise InvalidInput(
                f"{self.operation.name} takes one JSON object, no lines of them",
                code="media_type",
                field="Content-Type",
                limit=f"application/json, {FRAME_TYPE}",
                value=kind,
            )
        if self.operation is table.OBSERVE:
            return _observe(body, space, key, made_ids)
        return read_request(self._reader, body, space)

    def _given(self, request: HttpRequest) -> Mapping[str, str]:
        """Return the arguments in the path and behind the question mark."""
        pairs = request.query_params.multi_items()
        given = dict(pairs)
        if len(given) < len(pairs):
            raise InvalidInput(
                "an argument stands twice behind the question mark", code="invalid_argument", field="query", limit=1
            )
        if "id" in request.path_params:
            check_known([name for name in given if name in ("id", "ids")], ())
            # The only argument that is a list; the reader takes what a text becomes, and a list is one.
            given["ids"] = cast("str", [request.path_params["id"]])
        return given


def space_of(request: HttpRequest) -> str | None:
    """Return the name of the space in the path; None where a request is about the server."""
    if "space" not in request.path_params:
        return None
    return str(request.path_params["space"]) or DEFAULT_SPACE


def idempotency_key(request: HttpRequest) -> str | None:
    """Return the key of a write that its header has; None if there is none.

    Raises
    ------
    InvalidInput
        If there are several.
    """
    keys = set(request.headers.getlist("idempotency-key"))
    if len(keys) > 1:
        raise InvalidInput(
            "a write has one idempotency key", code="invalid_idempotency_key", field="Idempotency-Key", limit=1
        )
    return keys.pop() if keys else None


def _observe(body: bytes, space: str, key: str | None, made_ids: list[str]) -> Observe:
    try:
        return Observe(space, *read_observed(body))
    except InvalidInput as error:
        if (error.code, error.field) != ("missing_field", "id"):
            raise
    check_says_something(body)
    read = Observe(space, *read_observed(with_id(body, "-")))
    made_ids.append(_made_id(read, key or read.idempotency_key))
    return Observe(space, *read_observed(with_id(body, made_ids[0])))


def _made_id(request: Observe, key: str) -> str:
    """Return an id for the one observation of a request, whose own does not count.

    It is the same each time that the write is sent with its key, so that it is known as the same write.
    """
    if not key:
        return made_id()
    return hashlib.sha256(key.encode() + request_digest(request)).hexdigest()[:32]


def with_id(body: bytes, id: str) -> bytes:
    """Return the JSON object of an observation that has no id with one, which is its first field."""
    inside = body.lstrip()[1:].lstrip()
    comma = b"" if inside.startswith(b"}") else b","
    return b'{"id":"' + id.encode() + b'"' + comma + inside
