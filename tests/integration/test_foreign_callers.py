"""Pages of other sites against a real server: every route of the tables, HTTP and WebSocket, refuses them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from engram.server.engine import Engine
from engram.server.options import ServerOptions
from tests.doubles.routes import http_places, socket_places
from tests.integration.socket_client import SocketServer, everything

HOST = "Host: localhost"
JSON = "Content-Type: application/json"
TEXT = "Content-Type: text/plain"
EVIL = "Origin: http://evil.example"
UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


async def places() -> tuple[list[tuple[str, str]], list[str]]:
    engine = Engine.open(ServerOptions(None))
    try:
        return http_places(engine), socket_places(engine)
    finally:
        await engine.close()


def refusal(server: SocketServer, method: str, path: str, *headers: str, body: str = "") -> tuple[int, Any]:
    """Status and code of the answer to one request on a connection of its own."""
    lines = [f"{method} {path} HTTP/1.1", *headers, *([f"Content-Length: {len(body)}"] if body else [])]
    head, _, told = everything(server.open("\r\n".join([*lines, "", body]).encode())).partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), json.loads(told).get("code")


async def test_no_route_answers_a_page_of_another_site(server: SocketServer) -> None:
    found, _ = await places()
    assert ("POST", "/api/v1/spaces/space/observations") in found
    for method, path in found:

        def answer(*headers: str, body: str = "", method: str = method, path: str = path) -> tuple[int, Any]:
            return refusal(server, method, path, "Connection: close", *headers, body=body)

        assert answer("Host: evil.example", JSON) == (403, "host_not_allowed"), path
        assert answer(JSON) == (400, "invalid_host"), path
        assert answer(HOST, JSON, EVIL) == (403, "origin_not_allowed"), path
        if method == "GET":
            assert answer(HOST, TEXT, body="{}") == (400, "unexpected_body"), path
        else:
            assert answer(HOST, TEXT, body="{}") == (415, "media_type"), path
        assert refusal(server, "POST", path, HOST, TEXT, "Connection: close", body="{}") == (415, "media_type"), path


async def test_no_websocket_opens_for_a_page_of_another_site(server: SocketServer) -> None:
    _, found = await places()
    assert "/v1/stream" in found
    for path in found:
        for headers, status, code in (
            (["Host: evil.example"], 403, "host_not_allowed"),
            (["Host: evil.example", EVIL], 403, "host_not_allowed"),
            ([HOST, EVIL], 403, "origin_not_allowed"),
            ([HOST, "Origin: null"], 403, "origin_not_allowed"),
            ([HOST, f"Origin: https://localhost:{server.http_port}1"], 403, "origin_not_allowed"),
            ([], 400, "invalid_host"),
        ):
            assert await asyncio.to_thread(refusal, server, "GET", path, *headers, *UPGRADE) == (status, code), path
        opened = server.open("\r\n".join([f"GET {path} HTTP/1.1", HOST, *UPGRADE, "", ""]).encode())
        with opened:
            assert opened.recv(12) == b"HTTP/1.1 101"
