"""Streamed recalls over WebSocket, against a server whose answers the test writes."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from engram.client.websocket import calls as calls_module
from engram.model.cue import Cue
from engram.model.operations.requests import StreamRecall
from engram.model.query import RecallQuery
from engram.wire.frames import encode_frame
from tests.unit.client.websocket.scripted_server import (
    TIMEOUT_S,
    ScriptedSocket,
    error_of,
    made,
    scripted,
)

STREAM = StreamRecall("default", RecallQuery(Cue(np.ones(8))))


def batch_frame(id: int, ids: list[str], *, more: bool, content: str = "") -> bytes:
    count = len(ids)
    arrays: dict[str, Any] = {
        name: np.zeros(count, kind)
        for name, kind in (
            ("scores", "f4"),
            ("confidences", "f4"),
            ("generations", "i8"),
            ("timestamps", "i8"),
            ("importances", "f4"),
            ("ages_s", "f8"),
            ("flags", "u1"),
        )
    }
    header = {"type": "recall_result", "id": id, "ids": ids, "contents": [content] * count, "metadata": [None] * count}
    return encode_frame({**header, "tags": [[]] * count, "generation": 7, "incomplete": False, "more": more}, arrays)


async def streaming(socket: ScriptedSocket) -> None:
    """Answers each streamed recall with three batches."""
    while True:
        call = await socket.read()
        if call["type"] == "recall_stream":
            for number in range(3):
                await socket.socket.send(batch_frame(call["id"], [f"{call['id']}-{number}"], more=number < 2))


async def read_all(recall: Any) -> list[str]:
    found = []
    async with asyncio.timeout(TIMEOUT_S):
        while (batch := await recall.read()) is not None:
            found += [hit.id for hit in batch.hits]
    return found


async def test_streams_one_after_the_other_share_a_connection_and_beside_each_other_do_not() -> None:
    async with scripted(streaming) as server:
        transport = made(server.address)
        assert await read_all(transport.stream(STREAM)) == ["1-0", "1-1", "1-2"]
        assert await read_all(transport.stream(STREAM)) == ["2-0", "2-1", "2-2"]
        assert len(server.headers) == 1
        first, second = transport.stream(STREAM), transport.stream(STREAM)
        assert (await first.read()).hits[0].id == "3-0"  # type: ignore[union-attr]
        assert (await second.read()).hits[0].id == "1-0"  # type: ignore[union-attr]
        assert len(server.headers) == 2
        first.cancel()
        first.cancel()
        assert await first.read() is None
        assert await read_all(second) == ["1-1", "1-2"]
        await transport.close()


async def test_a_stream_that_is_not_read_holds_the_server_back_and_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calls_module, "_UNREAD_BYTES_MAX", 100_000)
    count, sent = 400, 0

    async def many(socket: ScriptedSocket) -> None:
        nonlocal sent
        call = await socket.read()
        for sent in range(1, count + 1):
            await socket.socket.send(batch_frame(call["id"], [str(sent)], more=sent < count, content="x" * 64_000))
        await socket.socket.wait_closed()

    async with scripted(many) as server:
        transport = made(server.address)
        recall = transport.stream(STREAM)
        assert (await recall.read()) is not None
        # Whoever sends is held back when nobody reads: then the number stands still.
        seen = -1
        while seen != sent:
            seen = sent
            for _ in range(1000):
                await asyncio.sleep(0)
        assert sent < count
        assert await read_all(recall) == [str(number) for number in range(2, count + 1)]
        await transport.close()


async def test_a_stream_ends_with_the_error_of_its_connection() -> None:
    async def half(socket: ScriptedSocket) -> None:
        call = await socket.read()
        await socket.socket.send(batch_frame(call["id"], ["a"], more=True))
        socket.socket.transport.close()

    async with scripted(half) as server:
        transport = made(server.address)
        recall = transport.stream(STREAM)
        assert (await recall.read()) is not None
        assert (await error_of(recall.read())).code == "no_server"
        assert await recall.read() is None
        await transport.close()
