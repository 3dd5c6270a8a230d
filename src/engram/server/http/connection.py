"""One connection for HTTP: uvicorn's, with the limits and deadlines that uvicorn leaves to a proxy before it.

A connection is in one phase at a time, and a phase in which the client owes something has a deadline:

- between requests, the next request must begin;
- while a request line and headers arrive, they must end, however they drip, and stay below a size;
- while a body arrives, more of it must come, unless the server itself does not read on;
- while an answer is sent, some of it must be taken.

What is refused here is refused before there is a request, so the answer is written as bytes.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from engram.errors import EngramError, InvalidInput, OverCapacity
from engram.model.limits import MESSAGE_BYTES_MAX
from engram.server.http.problems import problem_bytes

UVICORN_LOGGER: Final = logging.getLogger("engram.server.http.uvicorn")
# What uvicorn says about single requests is nothing that an operator can act on.
UVICORN_LOGGER.setLevel(logging.ERROR)

_RETRY_AFTER_MS: Final = 1000
# Of a body that is refused by its length alone, this much is read, so that the connection can go on.
_DISCARDED_BYTES_MAX: Final = 2 * MESSAGE_BYTES_MAX
# A refused client has its connection until it was silent for so many seconds, and for so many in all: a few bytes now
# and then must not hold one.
_REST_S: Final = 0.25
_REFUSED_S_MAX: Final = 5.0


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """The limits of the connections for HTTP.

    Parameters
    ----------
    connections_max
        Connections at the same time, WebSockets included.
    refused_max
        Further connections that are told so; the rest is dropped.
    header_bytes_max, header_count_max
        Size of the request line and the headers together, and the number of headers.
    pipelined_max
        Requests that wait on one connection while an earlier one is being answered.
    idle_s
        Seconds that a connection may be open without a request.
    header_s
        Seconds that request line and headers may take to arrive.
    body_s
        Seconds without any more of a body that is awaited.
    write_s
        Seconds without any of an answer being taken.
    """

    connections_max: int = 1024
    refused_max: int = 64
    header_bytes_max: int = 32 * 1024
    header_count_max: int = 128
    pipelined_max: int = 16
    idle_s: float = 75.0
    header_s: float = 20.0
    body_s: float = 30.0
    write_s: float = 60.0


class Phase(Enum):
    """What a connection waits for."""

    IDLE = "a request"
    HEADERS = "the rest of the headers"
    BODY = "more of the body"
    ANSWER = "the answer"
    DISCARD = "the end of a body that nobody reads"
    REFUSED = "the end of what was refused"


class HttpConnection(HttpToolsProtocol):
    """One connection; belongs to the event loop.

    Parameters
    ----------
    config, server_state, app_state
        Those of uvicorn.
    limits
        The limits.
    clock
        Tells the time in seconds.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limits: HttpLimits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.logger = UVICORN_LOGGER
        self.access_log = False
        self._limits = limits
        self._clock = clock
        self._phase = Phase.IDLE
        self._since_s = clock()
        self._stalled_since_s: float | None = None
        self._unsent_bytes = 0
        self._head_bytes = 0
        self._named_bytes = 0
        self._discarded_bytes = 0
        self._is_refused = False
        self._refused_s = 0.0
        self._refusal: EngramError | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; a connection too many is refused with its first request."""
        super().connection_made(transport)  # type: ignore[arg-type]  # uvicorn knows that it is one that writes.
        open_count = len(self.connections)
        self._is_refused = open_count > self._limits.connections_max
        if open_count > self._limits.connections_max + self._limits.refused_max:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take what arrived, within the limits."""
        if self.transport.is_closing():
            return
        if self._phase in (Phase.IDLE, Phase.HEADERS):
            self._head_bytes += len(data)
        elif self._phase in (Phase.DISCARD, Phase.REFUSED):
            self._discarded_bytes += len(data)
        if self._phase is Phase.REFUSED:
            self._pass_over()
            return
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._phase is Phase.HEADERS and self._head_bytes > self._limits.header_bytes_max:
            self._refuse(self._too_large("header_bytes_max", self._limits.header_bytes_max, self._head_bytes))
        elif self._discarded_bytes > _DISCARDED_BYTES_MAX:
            self.transport.close()

    def on_message_begin(self) -> None:
        """Note that a request begins."""
        super().on_message_begin()
        self._named_bytes = 0
        self._enter(Phase.HEADERS)

    def on_url(self, url: bytes) -> None:
        """Note a part of the request line."""
        self._check_head(len(self.url) + len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note a header; those that stand behind a body are no headers of the request."""
        if self._phase is not Phase.HEADERS:
            return
        super().on_header(name, value)
        self._named_bytes += len(name) + len(value)
        if len(self.headers) > self._limits.header_count_max:
            self._stop(self._too_large("header_count_max", self._limits.header_count_max, len(self.headers)))
        self._check_head(len(self.url) + self._named_bytes)

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        self._head_bytes = 0
        if self._is_refused:
            self._stop(
                OverCapacity(
                    f"{self._limits.connections_max} connections are open, and the server takes no more for HTTP "
                    "(http_connections_max, connections_max, ulimit -n); close some, or try again later",
                    code="too_many_connections",
                    field="http_connections_max",
                    limit=self._limits.connections_max,
                    retry_after_ms=_RETRY_AFTER_MS,
                )
            )
        if len(self.pipeline) >= self._limits.pipelined_max:
            self._stop(self._too_large("pipelined_max", self._limits.pipelined_max, len(self.pipeline) + 1))
        super().on_headers_complete()
        self._discarded_bytes = 0
        self._enter(Phase.BODY)

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        self._since_s = self._clock() if self._phase is Phase.BODY else self._since_s
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the whole request is here."""
        super().on_message_complete()
        self._enter(Phase.IDLE if self._phase is Phase.DISCARD else Phase.ANSWER)

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the end of a body that nobody wants: closing would lose the answer."""
        super().on_response_complete()
        if self.cycle is None or not self.cycle.response_complete:
            return
        if self._phase is Phase.BODY:
            self._enter(Phase.DISCARD)
        elif self._phase is Phase.ANSWER:
            self._enter(Phase.IDLE)

    def pause_writing(self) -> None:
        """Note that the client takes nothing."""
        self._stalled_since_s = self._clock()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Note that the client takes something."""
        self._stalled_since_s = None
        super().resume_writing()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over."""
        self._enter(Phase.ANSWER)
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser does not take, or what a limit stopped."""
        self._refuse(
            self._refusal
            or InvalidInput("what came is no HTTP/1.1", code="malformed_request", field="request", limit="HTTP/1.1")
        )

    def end(self) -> None:
        """End when the answer under way is sent, or now if there is none."""
        if self._phase is Phase.REFUSED:
            self.transport.close()
        else:
            self.shutdown()

    def expire(self) -> None:
        """End the connection if its client owes something for too long. To be called about once a second."""
        now_s = self._clock()
        limits = self._limits
        self._note_taken(now_s)
        if self._stalled_since_s is not None:
            if now_s - self._stalled_since_s > limits.write_s:
                self.transport.abort()
            return
        if self._phase is Phase.BODY and self.flow.read_paused:
            # The client may have sent more; it is the server that does not read.
            self._since_s = now_s
        allowed_s = {
            Phase.IDLE: limits.idle_s,
            Phase.HEADERS: limits.header_s,
            Phase.BODY: limits.body_s,
            Phase.DISCARD: limits.body_s,
            Phase.REFUSED: _REST_S,
        }.get(self._phase)
        if allowed_s is None or now_s - self._since_s <= allowed_s:
            return
        if self._phase in (Phase.IDLE, Phase.DISCARD, Phase.REFUSED):
            self.transport.close()
            return
        self._refuse(
            InvalidInput(
                f"{self._phase.value} did not come within {allowed_s:g} s",
                code="request_timeout",
                field="request",
                limit=f"{allowed_s:g} s",
            )
        )

    def _note_taken(self, now_s: float) -> None:
        """Note whether the client took something of what is to be sent, before an answer or before the end."""
        unsent_bytes = self.transport.get_write_buffer_size()
        is_first = self._stalled_since_s is None and self.transport.is_closing()
        if is_first or (self._stalled_since_s is not None and unsent_bytes < self._unsent_bytes):
            self._stalled_since_s = now_s
        self._unsent_bytes = unsent_bytes

    def _enter(self, phase: Phase) -> None:
        self._phase = phase
        self._since_s = self._clock()

    def _check_head(self, nbytes: int) -> None:
        if nbytes > self._limits.header_bytes_max:
            self._stop(self._too_large("header_bytes_max", self._limits.header_bytes_max, nbytes))

    def _too_large(self, field: str, limit: int, value: int) -> InvalidInput:
        what = "requests that wait" if field == "pipelined_max" else "request line and headers"
        return InvalidInput(
            f"{what} exceed {field}, which is {limit}", code="header_bytes", field=field, limit=limit, value=value
        )

    def _stop(self, refusal: EngramError) -> None:
        """Leave the parser, which then has the request refused."""
        self._refusal = refusal
        raise refusal

    def _refuse(self, error: EngramError) -> None:
        cycle = self.cycle
        is_next = cycle is None or cycle.response_complete
        is_own = self._phase is Phase.BODY and not self.pipeline and cycle is not None and not cycle.response_started
        # Where an earlier request waits for its answer, this one would be taken for it.
        if is_next or is_own:
            self.transport.write(problem_bytes(error))
        if not (is_next or is_own) or error.code == "request_timeout":
            self.transport.close()
            return
        if is_own:
            # Whoever answers it is told that the client has gone, and writes nothing more.
            cycle.disconnected = True
            cycle.message_event.set()
        self._enter(Phase.REFUSED)
        self._refused_s, self._discarded_bytes = self._since_s, 0

    def _pass_over(self) -> None:
        """Let a refused client finish: if the connection were closed before, the client might lose the answer."""
        self._since_s = self._clock()
        if self._discarded_bytes > _DISCARDED_BYTES_MAX or self._since_s - self._refused_s > _REFUSED_S_MAX:
            self.transport.close()
