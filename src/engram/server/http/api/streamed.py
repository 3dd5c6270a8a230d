"""Answers that are sent while they are made: lines of JSON, and server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from engram.errors import EngramError
from engram.server.http.bodies import LINES_TYPE
from engram.wire.forms.failures import error_object
from engram.wire.forms.results import encode_json

EVENTS_TYPE: Final = "text/event-stream"
# Proxies end connections on which nothing happens, and only a write shows that a client is gone.
_BEAT_S: Final = 15.0
# Milliseconds after which a browser that lost its stream comes back.
_RETRY_MS: Final = 1000

Write = Callable[[bytes], Awaitable[None]]


class Framing(Protocol):
    """How results, errors and signs of life look in a stream."""

    media_type: str
    opening: bytes
    beat: bytes

    def failure(self, error: EngramError) -> bytes:
        """Return how the stream says that it ends with `error`."""


class Lines:
    """Lines of JSON. A blank line is a sign of life, which readers of NDJSON pass over."""

    media_type = LINES_TYPE
    opening = b""
    beat = b"\n"

    def failure(self, error: EngramError) -> bytes:
        """Return a last line that has nothing but the error."""
        return encode_json({"error": error_object(error)}) + b"\n"


class Events:
    """Server-sent events."""

    media_type = EVENTS_TYPE
    opening = b"retry: %d\n\n" % _RETRY_MS
    beat = b": alive\n\n"

    def failure(self, error: EngramError) -> bytes:
        """Return an event of the type ``failure``."""
        return b"event: failure\ndata: " + encode_json(error_object(error)) + b"\n\n"


def event(data: bytes, id: str | None) -> bytes:
    """Return one event; the browser sends `id` as ``Last-Event-ID`` when it comes back. Without `data`, that is all."""
    head = b"" if id is None else f"id: {id}\n".encode()
    return head + (b"data: " + data + b"\n\n" if data else b"\n")


class StreamedAnswer(Response):
    """An answer that is written in pieces until its source ends, or its client goes away.

    What the source raises before it has written is the answer, as for any other request. Later it is the last piece.

    Parameters
    ----------
    source
        Writes the pieces with the function that it gets.
    framing
        How the pieces look.
    headers
        Further headers.
    beat_s
        Seconds without a piece after which there is a sign of life.
    """

    def __init__(
        self,
        source: Callable[[Write], Awaitable[None]],
        framing: Framing,
        headers: Mapping[str, str] | None = None,
        beat_s: float = _BEAT_S,
    ) -> None:
        self._source = source
        self._framing = framing
        self._beat_s = beat_s
        self._has_begun = False
        self._writing = asyncio.Lock()
        self.status_code = 200
        self.media_type = framing.media_type
        self.background = None
        self.body = b""
        # A proxy that collects what is streamed would make it late.
        self.init_headers({"cache-control": "no-store", "x-accel-buffering": "no", **(headers or {})})
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def write(piece: bytes) -> None:
            async with self._writing:
                await self._begin(send)
                await send({"type": "http.response.body", "body": piece, "more_body": True})

        made = asyncio.ensure_future(self._source(write))
        gone = asyncio.ensure_future(_until_gone(receive))
        beats = asyncio.ensure_future(self._beat(write))
        tasks = (made, gone, beats)
        try:
            await asyncio.wait({made, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not made.done():
                raise ClientDisconnect
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            if not made.cancelled():
                # Nobody is there any more to be told, if the client went away just before it failed.
                made.exception()
        await self._conclude(made, send)

    async def _conclude(self, made: asyncio.Future[None], send: Send) -> None:
        last = b""
        try:
            made.result()
        except EngramError as error:
            if not self._has_begun:
                raise
            last = self._framing.failure(error)
        await self._begin(send)
        await send({"type": "http.response.body", "body": last, "more_body": False})

    async def _begin(self, send: Send) -> None:
        if not self._has_begun:
            self._has_begun = True
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            if self._framing.opening:
                await send({"type": "http.response.body", "body": self._framing.opening, "more_body": True})

    async def _beat(self, write: Write) -> None:
        while True:
            await asyncio.sleep(self._beat_s)
            if self._has_begun:
                await write(self._framing.beat)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
