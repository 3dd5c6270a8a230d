"""Answers that are sent while they are made."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message

from engram.errors import InvalidInput, Unavailable
from engram.server.http.api.streamed import Events, Lines, StreamedAnswer, Write, event


class Wire:
    """The client's end: what was sent to it, and when it goes away."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.gone = asyncio.Event()
        self.arrived = asyncio.Event()

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        self.arrived.set()

    def bodies(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)

    def has_ended(self) -> bool:
        return bool(self.sent) and self.sent[-1].get("more_body") is False


async def answered(answer: StreamedAnswer, wire: Wire) -> None:
    await asyncio.wait_for(answer({}, wire.receive, wire.send), 60)


async def test_pieces_are_sent_and_the_stream_ends() -> None:
    async def source(write: Write) -> None:
        await write(b"1\n")
        await write(b"2\n")

    wire = Wire()
    await answered(StreamedAnswer(source, Lines()), wire)
    assert (wire.sent[0]["status"], wire.bodies(), wire.has_ended()) == (200, b"1\n2\n", True)
    headers = dict(wire.sent[0]["headers"])
    assert headers[b"content-type"] == b"application/x-ndjson"
    assert b"content-length" not in headers


async def test_an_empty_stream_is_an_answer() -> None:
    async def source(write: Write) -> None: ...

    wire = Wire()
    await answered(StreamedAnswer(source, Events()), wire)
    assert (wire.sent[0]["status"], wire.bodies(), wire.has_ended()) == (200, b"retry: 1000\n\n", True)


async def test_an_error_is_the_answer_before_the_first_piece_and_the_last_piece_behind_it() -> None:
    async def early(write: Write) -> None:
        raise InvalidInput("wrong")

    async def late(write: Write) -> None:
        await write(b"1\n")
        raise Unavailable("stops", code="shutting_down")

    wire = Wire()
    with pytest.raises(InvalidInput):
        await answered(StreamedAnswer(early, Lines()), wire)
    assert wire.sent == []
    await answered(StreamedAnswer(late, Lines()), wire)
    assert b'1\n{"error":{"code":"shutting_down"' in wire.bodies()
    wire = Wire()
    await answered(StreamedAnswer(late, Events()), wire)
    assert b'event: failure\ndata: {"code":"shutting_down"' in wire.bodies()


async def test_a_client_that_goes_away_ends_what_is_made_for_it() -> None:
    ended = asyncio.Event()

    async def source(write: Write) -> None:
        try:
            await write(b"1\n")
            await asyncio.Event().wait()
        finally:
            ended.set()

    wire = Wire()
    task = asyncio.create_task(answered(StreamedAnswer(source, Lines()), wire))
    await wire.arrived.wait()
    wire.gone.set()
    with pytest.raises(ClientDisconnect):
        await task
    assert ended.is_set()


async def test_an_error_that_comes_when_the_client_is_gone_is_no_news() -> None:
    async def source(write: Write) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise Unavailable("stops") from None

    told: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    wire = Wire()
    wire.gone.set()
    with pytest.raises(ClientDisconnect):
        await answered(StreamedAnswer(source, Lines()), wire)
    gc.collect()
    assert told == []


async def test_a_server_that_cuts_the_answer_off_leaves_nothing_running() -> None:
    ended: list[Any] = []

    async def source(write: Write) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    task = asyncio.create_task(answered(StreamedAnswer(source, Lines()), Wire()))
    for _ in range(3):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    assert (task.cancelled(), ended) == (True, [True])


@pytest.mark.parametrize(("framing", "beat"), [(Lines(), b"\n"), (Events(), b": alive\n\n")])
async def test_a_quiet_stream_shows_that_it_lives(framing: Any, beat: bytes) -> None:
    wire = Wire()

    async def source(write: Write) -> None:
        await write(b"1")
        while not wire.bodies().endswith(beat * 2):
            wire.arrived.clear()
            await wire.arrived.wait()

    await answered(StreamedAnswer(source, framing, beat_s=0.0), wire)
    assert wire.has_ended()


def test_an_event_has_an_id_only_if_the_client_can_go_on_from_it() -> None:
    assert event(b"{}", None) == b"data: {}\n\n"
    assert event(b"{}", "5") == b"id: 5\ndata: {}\n\n"
