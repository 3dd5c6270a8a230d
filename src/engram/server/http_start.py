"""Starting the HTTP side of a server, where its packages are installed and its port is free."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from engram.errors import EngramError, MissingExtra
from engram.server.calls import ServerCalls
from engram.server.engine import Engine
from engram.server.options import HTTP_PORT

if TYPE_CHECKING:
    from engram.server.http.http_server import HttpServer

_PACKAGES: Final = ("starlette", "uvicorn", "websockets", "httptools", "msgspec")

_logger = logging.getLogger(__name__)


async def start_http(engine: Engine, calls: ServerCalls) -> HttpServer | None:
    """Return the running HTTP server of `engine`; None if the options want none, or if there can be none.

    A server that was not asked for HTTP serves gRPC where HTTP is not possible, and logs one warning.

    Raises
    ------
    MissingExtra
        If a package is missing, and HTTP was asked for.
    Unavailable
        If the port is taken, and it was asked for.
    """
    options = engine.options
    if not options.http:
        return None
    try:
        server = _server(engine, calls)
        await server.start(options.host, options.http_port)
    except EngramError as error:
        if options.http_required or options.http_port != HTTP_PORT:
            raise
        _logger.warning("HTTP is not served: %s", error.message)
        return None
    return server


def _server(engine: Engine, calls: ServerCalls) -> HttpServer:
    try:
        # Imported here because its packages may be missing.
        from engram.server.http.http_server import HttpServer  # noqa: PLC0415 - see above.
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in _PACKAGES:
            raise
        raise MissingExtra(
            f"HTTP needs the package {error.name}; install it with: pip install 'engram-stream[server]'",
            field="extra",
            limit="server",
            value=error.name,
        ) from error
    return HttpServer(engine, calls)
