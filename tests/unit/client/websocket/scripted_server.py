"""A server of WebSockets whose answers a test writes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from engram.client.websocket.socket import Heartbeats
from engram.client.websocket.transport import WebSocketTransport
from engram.errors import EngramError
from engram.wire.frames import decode_frame

TIMEOUT_S = 60.0
Script = Callable[["ScriptedSocket"], Awaitable[None]]


class ScriptedSocket:
    """One connection of a client, message by message."""

    def __init__(self, socket: ServerConnection) -> None:
        self.socket = socket

    async def read(self) -> dict[str, Any]:
        """The next message that is no heartbeat."""
        async with asyncio.timeout(TIMEOUT_S):
            while (message := _decoded(await self.socket.recv()))["type"] == "heartbeat":
                pass
        return message

    async def send(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def answer(self, call: dict[str, Any], **result: Any) -> None:
        await self.send(type=f"{call['type']}_result", id=call["id"], **result)


def _decoded(message: str | bytes) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(message) if isinstance(message, str) else decode_frame(message).header
    return decoded


class ScriptedServer:
    """Where it is, and the headers and number of the connections that there were."""

    def __init__(self) -> None:
        self.address = ""
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []


@asynccontextmanager
async def scripted(*scripts: Script) -> AsyncIterator[ScriptedServer]:
    """A server that runs the first script for the first connection, and so on; the last one for all others."""
    server = ScriptedServer()

    async def handle(socket: ServerConnection) -> None:
        assert socket.request is not None
        server.headers.append({name.lower(): value for name, value in socket.request.headers.raw_items()})
        server.paths.append(socket.request.path)
        await scripts[min(len(server.headers), len(scripts)) - 1](ScriptedSocket(socket))

    async with serve(handle, "127.0.0.1", 0, compression=None, max_size=None, ping_interval=None) as listening:
        server.address = f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        yield server


@asynccontextmanager
async def raw_server(answer: bytes) -> AsyncIterator[str]:
    """Something that answers every connection with the same bytes and ends it; the address of it."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def made(address: str, **heartbeats: float) -> WebSocketTransport:
    return WebSocketTransport(address, {}, Heartbeats(**heartbeats) if heartbeats else None)


async def error_of(call: Any) -> EngramError:
    with pytest.raises(EngramError) as caught:
        async with asyncio.timeout(TIMEOUT_S):
            await call
    return caught.value
