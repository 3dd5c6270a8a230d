"""Answers to a request, whether HTTP or the opening of a WebSocket, and the headers that every answer has."""

from __future__ import annotations

import re
import secrets
from typing import Final

from starlette.types import Message, Scope, Send

from engram.errors import EngramError
from engram.server.http.bodies import header_values
from engram.server.http.problems import Headers, problem_body, problem_headers, status_of

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
# Answers are data: no browser may show them as a page, guess another type, or let other sites embed them.
_SAFETY: Final[dict[bytes, bytes]] = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"cache-control": b"no-store",
}
_EXPOSED: Final = b"x-request-id, retry-after, etag, idempotency-replayed"
_ALLOWED_HEADERS: Final = b"content-type, accept, authorization, idempotency-key, last-event-id, x-request-id"
_ALLOWED_METHODS: Final = b"GET, POST, PUT, PATCH, DELETE"
_STARTS: Final = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})


def request_id_of(scope: Scope) -> str:
    """Return the id that the client gave its request, or a new one."""
    given = header_values(scope, b"x-request-id")
    return given[0] if len(given) == 1 and _REQUEST_ID.fullmatch(given[0]) else secrets.token_hex(8)


class Answer:
    """The answer to one request: a `send` that adds the headers of every answer, and notes how far the answer went.

    Parameters
    ----------
    scope, send
        Those of the request.
    request_id
        The id of the request.
    """

    def __init__(self, scope: Scope, send: Send, request_id: str) -> None:
        self.request_id: Final = request_id
        self.has_begun: bool = False
        self.origin: str | None = None
        self._scope = scope
        self._send = send

    async def __call__(self, message: Message) -> None:
        """Send a message."""
        if message["type"] in _STARTS:
            self.has_begun = True
            message = {**message, "headers": self._with_common(list(message.get("headers", [])))}
        elif message["type"] == "websocket.close":
            self.has_begun = True
        await self._send(message)

    async def refuse(self, error: EngramError) -> None:
        """Answer with `error`."""
        body = problem_body(error)
        await self.whole(status_of(error), problem_headers(error, body), body)

    async def whole(self, status: int, headers: Headers, body: bytes = b"") -> None:
        """Answer with all at once."""
        prefix = "http" if self._scope["type"] == "http" else "websocket.http"
        await self({"type": f"{prefix}.response.start", "status": status, "headers": headers})
        await self({"type": f"{prefix}.response.body", "body": body})

    async def preflight(self) -> None:
        """Answer what a browser asks before a page of another site may call."""
        await self.whole(
            204,
            [
                (b"access-control-allow-methods", _ALLOWED_METHODS),
                (b"access-control-allow-headers", _ALLOWED_HEADERS),
                (b"access-control-max-age", b"600"),
            ],
        )

    def _with_common(self, headers: Headers) -> Headers:
        given = {name.lower() for name, _ in headers}
        headers += [(name, value) for name, value in _SAFETY.items() if name not in given]
        headers.append((b"x-request-id", self.request_id.encode()))
        if self.origin is not None:
            headers += [
                (b"access-control-allow-origin", self.origin.encode()),
                (b"access-control-expose-headers", _EXPOSED),
                (b"vary", b"Origin"),
            ]
        return headers
