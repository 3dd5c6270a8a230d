"""What stands before every route, WebSockets included: who may call by which name, what may be sent, typed errors."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from engram.errors import EngramError, NotFound
from engram.server.engine import Engine
from engram.server.http.access import AccessRules
from engram.server.http.answers import Answer, request_id_of
from engram.server.http.bodies import bounded, check_body, header_values
from engram.streaming.pressure.receiving import Arriving

# A process that stops still says that it lives, and why it is not ready.
_ALWAYS: Final = "/health"

_logger = logging.getLogger(__name__)


class Guards:
    """An ASGI application before all routes.

    Parameters
    ----------
    app
        The routes.
    engine
        The engine, which may be stopping.
    access
        The names and origins that are allowed.
    base_path
        What a proxy puts before every path, or ``""``. Paths without it are served as well, because some proxies take
        it away, and probes come past them.
    """

    def __init__(self, app: ASGIApp, engine: Engine, access: AccessRules, base_path: str) -> None:
        self._app = app
        self._engine = engine
        self._access = access
        self._base_path = base_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        answer = Answer(scope, send, request_id_of(scope))
        try:
            await self._pass(scope, receive, answer)
        except ClientDisconnect:
            return
        except asyncio.CancelledError:
            # The server stops, and has cut the connection off.
            if not self._engine.stopping.is_set():
                raise
        except EngramError as error:
            await self._fail(answer, error)
        except HTTPException as error:
            await self._fail(answer, NotFound(error.detail, code="no_such_path", field="path", value=scope["path"]))
        except Exception:
            _logger.exception("request %s failed", answer.request_id, extra={"request_id": answer.request_id})
            await self._fail(answer, EngramError("internal error; the server's log has the details"))

    async def _pass(self, scope: Scope, receive: Receive, answer: Answer) -> None:
        host = self._access.check_host(header_values(scope, b"host"))
        answer.origin = self._access.check_origin(header_values(scope, b"origin"), host)
        if scope["path"] == self._base_path and scope["type"] == "http":
            await answer.whole(308, [(b"location", f"{self._base_path}/".encode())])
            return
        scope = self._inside(scope)
        if not scope["path"].startswith(_ALWAYS):
            self._engine.check_running()
        if scope["type"] == "http":
            if scope["method"] == "OPTIONS" and header_values(scope, b"access-control-request-method"):
                await answer.preflight()
                return
            check_body(scope)
        arriving = Arriving(self._engine.receiving)
        if scope["type"] == "http":
            receive = bounded(scope, receive, arriving)
        try:
            await self._app({**scope, "engram.request_id": answer.request_id}, receive, answer)
        finally:
            arriving.release()

    def _inside(self, scope: Scope) -> Scope:
        """Return `scope` with a path that begins behind the base path."""
        path, base = scope["path"], self._base_path
        if not base or not path.startswith(f"{base}/"):
            return scope
        return {**scope, "path": path[len(base) :], "root_path": ""}

    async def _fail(self, answer: Answer, error: EngramError) -> None:
        known = {"request_id": answer.request_id}
        if answer.has_begun:
            # The client sees that the answer ends before its end.
            # The message of an error may name what was sent.
            _logger.warning(
                "request %s failed behind the beginning of its answer: %s", answer.request_id, error.code, extra=known
            )
            return
        _logger.debug("request %s is refused: %s", answer.request_id, error.code, extra=known)
        await answer.refuse(error)
