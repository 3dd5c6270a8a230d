"""Every place of a server that can be called over HTTP, from its tables of routes."""

from __future__ import annotations

import re

from engram.server.calls import ServerCalls
from engram.server.engine import Engine
from engram.server.http.app import http_routes, socket_routes


def http_places(engine: Engine) -> list[tuple[str, str]]:
    """Every method of every path, with something in place of the parameters."""
    return [(route.method, _place(route.path)) for route in http_routes(engine, ServerCalls(engine))]


def socket_places(engine: Engine) -> list[str]:
    """The path of every WebSocket, with something in place of the parameters."""
    return [_place(route.path) for route in socket_routes(engine, ServerCalls(engine))]


def _place(path: str) -> str:
    return re.sub(r"\{(\w+)(:\w+)?\}", r"\1", path)
