"""The HTTP application of a server: its routes, behind the guards."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import WebSocketRoute
from starlette.types import ASGIApp

import engram
from engram.server.calls import ServerCalls
from engram.server.engine import Engine
from engram.server.http.access import AccessRules, parse_hosts, parse_origins
from engram.server.http.api.openapi import openapi_route
from engram.server.http.api.operation_routes import OperationRoutes
from engram.server.http.guards import Guards
from engram.server.http.health import Health
from engram.server.http.page import Page
from engram.server.http.routes import HttpRoute, router
from engram.server.http.scrapes import Scrapes
from engram.server.websocket.socket import serve_socket

PAGE_FOLDER: Final = Path(engram.__file__).parent / "page"

_DOCS_FOLDER: Final = Path(__file__).parent / "docs"


def http_app(engine: Engine, calls: ServerCalls) -> ASGIApp:
    """Return the application that answers for `engine`; `calls` are the calls of its server."""
    options = engine.options
    access = AccessRules(options.host, parse_hosts(options.http_hosts), parse_origins(options.http_origins))
    routes = router(http_routes(engine, calls), socket_routes(engine, calls))
    return Guards(routes, engine, access, options.http_base_path)


def http_routes(engine: Engine, calls: ServerCalls) -> list[HttpRoute]:
    """Return all routes of HTTP; those of the page are the last, because they take what is left."""
    health = Health(engine)
    routes = [
        HttpRoute("GET", "/health", health.ready),
        HttpRoute("GET", "/health/live", health.live),
        HttpRoute("GET", "/health/ready", health.ready),
        HttpRoute("GET", "/metrics", Scrapes(engine).answer),
    ]
    routes += OperationRoutes(calls).routes()
    routes.append(openapi_route(engine.options.http_base_path))
    docs = Page.at(_DOCS_FOLDER)
    if docs is not None:
        routes += [HttpRoute("GET", "/docs", _to_docs), *docs.routes("/docs/")]
    page = Page.at(PAGE_FOLDER)
    return routes + (page.routes("/") if page else [])


def socket_routes(engine: Engine, calls: ServerCalls) -> list[WebSocketRoute]:
    """Return all routes of WebSockets."""
    return [WebSocketRoute("/v1/stream", functools.partial(serve_socket, engine, calls))]


async def _to_docs(request: Request) -> Response:
    # A relative address is right behind any proxy.
    return Response(status_code=307, headers={"location": "docs/"})
