"""The WebSockets of one client on one event loop: one for its calls, and one for each streamed recall under way."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
from collections.abc import Mapping
from typing import Final

from engram.client.websocket.address import SocketAddress
from engram.client.websocket.calls import CallSocket
from engram.client.websocket.socket import Heartbeats
from engram.errors import FailedPrecondition
from engram.lifecycle import interpreter_exit

# A client that recalls in streams, one after the other, does not connect for each.
_IDLE_MAX: Final = 4


class CallSockets:
    """Opens WebSockets for calls, and opens them again after a loss; belongs to the event loop on which it is made.

    A streamed recall has a WebSocket to itself while it lasts. So a caller who reads its batches slowly holds back the
    server in this recall alone.

    Parameters
    ----------
    address
        Address of the server.
    metadata
        Sent as headers of the requests that open WebSockets.
    heartbeats
        The times of heartbeats.
    """

    def __init__(self, address: SocketAddress, metadata: Mapping[str, str], heartbeats: Heartbeats) -> None:
        self.loop: Final = asyncio.get_running_loop()
        self._address = address
        self._metadata = metadata
        self._heartbeats = heartbeats
        self._turn = asyncio.Lock()
        self._opening: set[asyncio.Task[None]] = set()
        self._is_closed = False
        self._calls: CallSocket | None = None
        self._idle: list[CallSocket] = []
        self._lent: set[CallSocket] = set()
        # An event loop that runs until the interpreter ends would leave open connections behind.
        self._key = interpreter_exit.opened(self, "the connections of a client")

    async def shared(self) -> CallSocket:
        """Return the WebSocket for calls with one answer. Raises as `open_socket`."""
        calls = self._calls
        if calls is not None and calls.socket.is_open:
            return calls
        async with self._turn:
            if self._calls is None or not self._calls.socket.is_open:
                self._calls = await self._opened()
            return self._calls

    async def lend(self) -> CallSocket:
        """Return a WebSocket for one streamed recall, to be given back. Raises as `open_socket`."""
        while self._idle:
            calls = self._idle.pop()
            if calls.socket.is_open:
                break
        else:
            calls = await self._opened()
        self._lent.add(calls)
        return calls

    def give_back(self, calls: CallSocket) -> None:
        """Take back what was lent."""
        self._lent.discard(calls)
        if calls.socket.is_open and len(self._idle) < _IDLE_MAX and not self.loop.is_closed():
            self._idle.append(calls)
        else:
            calls.socket.end()

    async def close(self) -> None:
        """Close all, and wait for it. Whoever waits for one that is being opened is cancelled."""
        for opening in self._opening:
            opening.cancel()
        await asyncio.gather(*(calls.close() for calls in self._take_all()))

    def abandon(self) -> None:
        """Close all from any thread, without waiting, because nobody will use them any more."""
        # Raised if the event loop is closed; then there are no connections left.
        with contextlib.suppress(RuntimeError):
            for calls in self._take_all():
                self.loop.call_soon_threadsafe(calls.socket.end)

    def end(self, timeout_s: float) -> None:
        """Close all from another thread than that of the event loop, because the interpreter ends."""
        if self.loop.is_running():
            closing = asyncio.run_coroutine_threadsafe(self.close(), self.loop)
            with contextlib.suppress(concurrent.futures.TimeoutError, concurrent.futures.CancelledError):
                closing.result(timeout_s)

    def _take_all(self) -> list[CallSocket]:
        taken = [*self._idle, *self._lent, *([] if self._calls is None else [self._calls])]
        self._idle, self._lent, self._calls = [], set(), None
        self._is_closed = True
        interpreter_exit.closed(self._key)
        return taken

    async def _opened(self) -> CallSocket:
        self._check()
        calls = CallSocket(self._address, self._metadata, self._heartbeats)
        opening = self.loop.create_task(calls.open())
        self._opening.add(opening)
        try:
            await opening
            self._check()
        except BaseException:
            calls.socket.end()
            raise
        finally:
            self._opening.discard(opening)
        return calls

    def _check(self) -> None:
        if self._is_closed:
            raise FailedPrecondition("the client is closed", code="client_closed")
