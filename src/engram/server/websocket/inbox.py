"""What a client has sent and nobody has handled yet: read ahead within bounds, so that what came together is seen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from starlette.websockets import WebSocket

from engram.server.websocket.limits import SocketLimits
from engram.server.websocket.received import is_single
from engram.server.websocket.short_way import Raw, ShortWay, short_way
from engram.streaming.loop.condition import LoopCondition
from engram.streaming.loop.standby import Standby

Handle = Callable[[list[Raw]], Coroutine[Any, Any, None]]
"""Handles messages that came together."""


class Inbox:
    """Reads a WebSocket. One task receives, another takes; both on the event loop's thread.

    What comes while all that came before it is handled is begun to be handled at once, without waking the other task.

    Parameters
    ----------
    websocket
        The accepted WebSocket.
    limits
        How much is read ahead.

    Attributes
    ----------
    silent_since_s
        Time of the event loop since when a message is waited for; None while none is, because there is no room.
    """

    def __init__(self, websocket: WebSocket, limits: SocketLimits) -> None:
        self.gone: Final = asyncio.Event()
        self.silent_since_s: float | None = None
        self._websocket = websocket
        self._limits = limits
        self._messages: list[Raw] = []
        self._nbytes = 0
        self._changed = LoopCondition()
        self._taking = Standby()
        self._handle: Handle | None = None
        self._is_over = False
        self._short_way = short_way(websocket)
        self._attached: ShortWay | None = None

    async def receive(self) -> None:
        """Read messages until the client is gone, and wait while there is no room for more."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                self.silent_since_s = loop.time()
                # Once messages come the short way, the only event is that the client is gone.
                if self._attached is None and self._short_way is not None and self._short_way.attach(self._take):
                    self._attached = self._short_way
                event = await self._websocket.receive()
                self.silent_since_s = None
                if event["type"] != "websocket.receive":
                    return
                text = event.get("text")
                self._put([(event["bytes"], True) if text is None else (text.encode(), False)])
                await self._changed.wait_for(self._has_room)
        finally:
            self.gone.set()
            self._notify()

    async def hand_to(self, handle: Handle) -> None:
        """Have messages handled, those that came together by one call, until the client is gone or `stop` is called.

        Raises what `handle` raises.
        """
        self._handle = handle
        while messages := await self.take():
            await self._taking.run(handle(messages))

    def stop(self) -> None:
        """Let nothing more be handled."""
        self._is_over = True
        self._notify()

    async def take(self) -> list[Raw]:
        """Wait for messages, and return all that there are; an empty list means that there will be no more.

        If there is more than one, the client is likely to have sent further ones, which are waited for as long as every
        turn of the event loop brings some, until there are as many as become one batch.
        """
        await self._taking.wait_for(lambda: bool(self._messages) or self._is_over or self.gone.is_set())
        if self._is_over:
            return []
        before = 1
        while before < len(self._messages) < self._limits.joined_count_max and self._has_room():
            before = len(self._messages)
            # The second turn begins after the sockets were read.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        messages, self._messages, self._nbytes = self._messages, [], 0
        self._changed.notify()
        if self._attached is not None and self.silent_since_s is None:
            self.silent_since_s = asyncio.get_running_loop().time()
            self._attached.read_on()
        return messages

    def _take(self, messages: Sequence[Raw]) -> bool:
        if not self._handle_at_once(messages):
            self._put(messages)
        has_room = self._has_room()
        self.silent_since_s = asyncio.get_running_loop().time() if has_room else None
        return has_room

    def _handle_at_once(self, messages: Sequence[Raw]) -> bool:
        handle = self._handle
        if handle is None or self._messages or not _are_complete(messages):
            return False
        return self._taking.begin(lambda: handle(list(messages)))

    def _put(self, messages: Sequence[Raw]) -> None:
        self._messages += messages
        self._nbytes += sum(len(data) for data, _ in messages)
        self._notify()

    def _notify(self) -> None:
        self._changed.notify()
        self._taking.notify()

    def _has_room(self) -> bool:
        return len(self._messages) < self._limits.unread_count_max and self._nbytes < self._limits.unread_bytes_max


def _are_complete(messages: Sequence[Raw]) -> bool:
    """Return whether nothing that follows is to be handled together with these: single observations are joined."""
    return len(messages) == 1 or not is_single(*messages[-1])
