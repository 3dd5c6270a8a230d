"""A server's engine, and its HTTP application without a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp

from engram.model.spaces import SpaceConfig
from engram.server.calls import ServerCalls
from engram.server.engine import Engine
from engram.server.http.app import http_app
from engram.server.options import ServerOptions
from tests.doubles.asgi import HOST, JSON, Answered, ask

DIM = 8
NOTES = "/api/v1/spaces/notes"


@dataclass
class Service:
    """What a client of the application has."""

    engine: Engine
    calls: ServerCalls
    app: ASGIApp

    async def get(self, path: str, *headers: tuple[str, str]) -> Answered:
        return await ask(self.app, "GET", path, [HOST, *headers])

    async def send(
        self, method: str, path: str, body: Sequence[bytes] | bytes | str = b"", *headers: tuple[str, str]
    ) -> Answered:
        parts = [body.encode() if isinstance(body, str) else body] if isinstance(body, str | bytes) else body
        kinds = [] if any(name == "content-type" for name, _ in headers) else [JSON]
        sized = [("content-length", str(sum(map(len, parts))))]
        return await ask(self.app, method, path, [HOST, *kinds, *sized, *headers], parts)

    async def post(self, path: str, body: Any = b"", *headers: tuple[str, str]) -> Answered:
        return await self.send("POST", path, body, *headers)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    engine = Engine.open(ServerOptions(tmp_path / "data"))
    config = SpaceConfig("notes", DIM, embedder="")
    engine.store.space(config.name, dim=config.dim, metric=config.metric, embedder=config.embedder)
    calls = ServerCalls(engine)
    yield Service(engine, calls, http_app(engine, calls))
    engine.stop()
    await engine.close()
