"""Reading ahead: in order, within bounds, and to the end."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from engram.server.websocket.inbox import Inbox
from engram.server.websocket.limits import SocketLimits
from engram.server.websocket.short_way import SHORT_WAY, Take


class FakeSocket:
    """A WebSocket whose client has sent these messages and is gone after them."""

    def __init__(self, *messages: str | bytes) -> None:
        self.scope: dict[str, Any] = {}
        self._messages = list(messages)
        self.received = 0

    async def receive(self) -> dict[str, Any]:
        if not self._messages:
            return {"type": "websocket.disconnect", "code": 1000}
        self.received += 1
        message = self._messages.pop(0)
        return {"type": "websocket.receive"} | ({"text": message} if isinstance(message, str) else {"bytes": message})


def inbox_of(fake: FakeSocket, **limits: Any) -> Inbox:
    return Inbox(cast("Any", fake), SocketLimits(**limits))


async def test_what_came_together_is_taken_together() -> None:
    inbox = inbox_of(FakeSocket("ä", b"\1", "c"))
    await inbox.receive()
    assert await inbox.take() == [("ä".encode(), False), (b"\1", True), (b"c", False)]
    assert await inbox.take() == []


@pytest.mark.parametrize(("limits", "ahead"), [({"unread_count_max": 2}, 2), ({"unread_bytes_max": 25}, 3)])
async def test_no_more_is_read_ahead_than_there_is_room_for(limits: dict[str, int], ahead: int) -> None:
    fake = FakeSocket(*["x" * 10] * 7)
    inbox = inbox_of(fake, **limits)
    receiving = asyncio.create_task(inbox.receive())
    taken = 0
    while messages := await inbox.take():
        taken += len(messages)
        assert len(messages) <= ahead
        assert fake.received <= taken + ahead
    assert taken == 7
    await receiving
    assert inbox.gone.is_set()


async def test_nobody_is_silent_who_is_not_waited_for() -> None:
    inbox = inbox_of(FakeSocket("a", "b"), unread_count_max=1)
    assert inbox.silent_since_s is None
    receiving = asyncio.create_task(inbox.receive())
    await asyncio.sleep(0)
    assert inbox.silent_since_s is None
    receiving.cancel()
    await asyncio.gather(receiving, return_exceptions=True)
    assert inbox.gone.is_set()


class ShortWay(FakeSocket):
    """A WebSocket whose messages can be had at once, once none waits as an event."""

    def __init__(self, *messages: str | bytes) -> None:
        super().__init__(*messages)
        self.scope = {"extensions": {SHORT_WAY: self}}
        self.attached, self.closed = asyncio.Event(), asyncio.Event()
        self.reads_on = 0

    async def receive(self) -> dict[str, Any]:
        if not self._messages:
            await self.closed.wait()
        return await super().receive()

    def attach(self, take: Take) -> bool:
        if not self._messages:
            self.take = take
            self.attached.set()
        return not self._messages

    def read_on(self) -> None:
        self.reads_on += 1


async def test_the_short_way_comes_after_what_waited() -> None:
    socket = ShortWay("a")
    inbox = inbox_of(socket, unread_count_max=2)
    receiving = asyncio.create_task(inbox.receive())
    assert await inbox.take() == [(b"a", False)]
    await socket.attached.wait()
    assert socket.take([(b"b", True)])
    assert inbox.silent_since_s is not None
    assert not socket.take([(b"c", False)])
    # No more is read, so nobody is waited for.
    assert inbox.silent_since_s is None
    assert socket.reads_on == 0
    assert await inbox.take() == [(b"b", True), (b"c", False)]
    assert socket.reads_on == 1
    assert inbox.silent_since_s is not None
    socket.closed.set()
    assert await inbox.take() == []
    await receiving


async def test_what_is_still_coming_is_waited_for_up_to_a_batch() -> None:
    socket = ShortWay()
    inbox = inbox_of(socket, joined_count_max=6)
    receiving = asyncio.create_task(inbox.receive())
    await socket.attached.wait()

    async def stream(count: int) -> None:
        for number in range(count):
            socket.take([(b"%d" % number, False)] * 2)
            await asyncio.sleep(0)

    streaming = asyncio.create_task(stream(10))
    assert len(await inbox.take()) in (6, 7, 8)
    await streaming
    await inbox.take()
    # One by itself is not delayed, and the end of a stream is its end.
    socket.take([(b"alone", False)])
    assert await inbox.take() == [(b"alone", False)]
    socket.take([(b"a", False), (b"b", False)])
    assert len(await inbox.take()) == 2
    socket.closed.set()
    assert await inbox.take() == []
    await receiving


class Handler:
    """Notes what it handles, and waits while it is told to."""

    def __init__(self, inbox: Inbox) -> None:
        self.inbox = inbox
        self.begun: list[bytes] = []
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def handle(self, messages: list[tuple[bytes, bool]]) -> None:
        self.begun += [data for data, _ in messages]
        await self.may_end.wait()
        if (b"last", False) in messages:
            self.inbox.stop()


async def attached(socket: ShortWay, **limits: Any) -> tuple[Inbox, Handler, asyncio.Task[None], asyncio.Task[None]]:
    inbox = inbox_of(socket, **limits)
    handler = Handler(inbox)
    receiving = asyncio.create_task(inbox.receive())
    handling = asyncio.create_task(inbox.hand_to(handler.handle))
    await socket.attached.wait()
    await asyncio.sleep(0)
    return inbox, handler, receiving, handling


async def test_what_comes_while_nothing_waits_is_handled_at_once() -> None:
    socket = ShortWay()
    inbox, handler, receiving, handling = await attached(socket)
    assert socket.take([(b"a", False)])
    assert socket.take([(b"b", False), (b"c", False)])
    assert handler.begun == [b"a", b"b", b"c"]
    assert inbox.silent_since_s is not None
    socket.closed.set()
    await asyncio.gather(receiving, handling)


async def test_nothing_overtakes_what_is_not_handled_yet() -> None:
    socket = ShortWay()
    _, handler, receiving, handling = await attached(socket, unread_count_max=2)
    handler.may_end.clear()
    assert socket.take([(b"a", False)])
    assert socket.take([(b"b", False)])
    # There is room for no more until the first one is handled.
    assert not socket.take([(b"c", False)])
    for _ in range(3):
        await asyncio.sleep(0)
    assert handler.begun == [b"a"]
    handler.may_end.set()
    socket.closed.set()
    await asyncio.gather(receiving, handling)
    assert handler.begun == [b"a", b"b", b"c"]
    assert socket.reads_on


async def test_single_observations_that_come_together_wait_for_those_behind_them() -> None:
    socket = ShortWay()
    _, handler, receiving, handling = await attached(socket)
    single = b'{"type":"observation","sequence_number":1}'
    assert socket.take([(single, False)])
    assert len(handler.begun) == 1
    assert socket.take([(single, False)] * 2)
    assert len(handler.begun) == 1
    socket.closed.set()
    await asyncio.gather(receiving, handling)
    assert len(handler.begun) == 3


async def test_nothing_is_handled_after_the_stop() -> None:
    socket = ShortWay()
    _, handler, receiving, handling = await attached(socket)
    socket.take([(b"last", False)])
    socket.take([(b"too late", False)])
    await handling
    assert handler.begun == [b"last"]
    socket.closed.set()
    await receiving
