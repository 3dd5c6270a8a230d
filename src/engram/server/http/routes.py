"""Routes: paths with a handler for each method, and typed errors for all others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router, WebSocketRoute
from starlette.types import Receive, Scope, Send

from engram.errors import InvalidInput, NotFound

Handler = Callable[[Request], Awaitable[Response]]
"""Answers a request; what it raises becomes the answer."""


@dataclass(frozen=True, slots=True)
class HttpRoute:
    """One method of one path.

    Parameters
    ----------
    method
        ``"GET"``, ``"POST"`` and so on; a GET answers HEAD as well.
    path
        The path, with parameters in braces.
    handler
        Answers the requests.
    """

    method: str
    path: str
    handler: Handler


def router(routes: Iterable[HttpRoute], sockets: Iterable[WebSocketRoute] = ()) -> Router:
    """Return the application of `routes` and WebSockets.

    What none of them takes is `NotFound` or ``method_not_allowed``.
    """
    handlers: dict[str, dict[str, Handler]] = {}
    for route in routes:
        handlers.setdefault(route.path, {})[route.method] = route.handler
    return Router(
        [*sockets, *(Route(path, _Resource(by_method)) for path, by_method in handlers.items())],
        redirect_slashes=False,
        default=_nowhere,
    )


class _Resource:
    """What stands at one path."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers: Final = dict(handlers)
        if "GET" in self._handlers:
            self._handlers.setdefault("HEAD", self._handlers["GET"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        handler = self._handlers.get(scope["method"])
        if handler is None:
            allowed = ", ".join(sorted(self._handlers))
            raise InvalidInput(
                f"{scope['path'][:200]} takes {allowed}, not {scope['method']}",
                code="method_not_allowed",
                field="method",
                limit=allowed,
                value=scope["method"],
            )
        response = await handler(Request(scope, receive))
        await response(scope, receive, send)


async def _nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    raise NotFound(
        f"there is nothing at {scope['path'][:200]}; /openapi.json lists what there is",
        code="no_such_path",
        field="path",
        value=scope["path"],
    )
