"""The WebSockets of a client that is closed while one of them opens."""

from __future__ import annotations

import asyncio

import pytest

from engram.client.websocket.address import parse_socket_address
from engram.client.websocket.calls import CallSocket
from engram.client.websocket.connections import CallSockets
from engram.client.websocket.socket import Heartbeats
from engram.errors import FailedPrecondition
from tests.unit.client.websocket.scripted_server import ScriptedSocket, error_of, scripted


async def test_one_that_opens_as_the_client_is_abandoned_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = asyncio.Event()

    async def until_it_is_closed(socket: ScriptedSocket) -> None:
        await socket.socket.wait_closed()
        ended.set()

    async with scripted(until_it_is_closed) as server:
        sockets = CallSockets(parse_socket_address(server.address), {}, Heartbeats())
        open_one = CallSocket.open

        async def opened_too_late(calls: CallSocket) -> None:
            await open_one(calls)
            sockets.abandon()

        monkeypatch.setattr(CallSocket, "open", opened_too_late)
        error = await error_of(sockets.shared())
        assert (type(error), error.code) == (FailedPrecondition, "client_closed")
        async with asyncio.timeout(10):
            await ended.wait()
