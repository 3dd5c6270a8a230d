"""One streamed recall over WebSocket."""

from __future__ import annotations

from collections.abc import Callable

from engram.client.websocket.calls import CallSocket, SocketRecall
from engram.client.websocket.connections import CallSockets
from engram.model.operations.requests import StreamRecall
from engram.model.query import Recalled


class SocketRecallCall:
    """A `RecallConnection` that takes a WebSocket when it is first read, and gives it back at its end.

    Parameters
    ----------
    connections
        Returns the WebSockets of the client on the running event loop.
    request
        What is asked.
    """

    def __init__(self, connections: Callable[[], CallSockets], request: StreamRecall) -> None:
        self._connections = connections
        self._request = request
        self._lender: CallSockets | None = None
        self._calls: CallSocket | None = None
        self._recall: SocketRecall | None = None
        self._is_over = False

    async def read(self) -> Recalled | None:
        """Return the next batch, or None after the last one.

        Raises
        ------
        EngramError
            The reason why the recall has failed.
        """
        if self._is_over:
            return None
        try:
            recall = self._recall or await self._begin()
            batch = await recall.read(self._request.query.follow)
        finally:
            if self._recall is None or self._recall.ended:
                self._end()
        return batch

    def cancel(self) -> None:
        """End the recall, if it has not ended."""
        if self._recall is not None:
            self._recall.cancel()
        self._end()

    async def _begin(self) -> SocketRecall:
        self._lender = self._connections()
        self._calls = await self._lender.lend()
        self._recall = self._calls.stream(self._request)
        return self._recall

    def _end(self) -> None:
        self._is_over = True
        if self._lender is not None and self._calls is not None:
            self._lender.give_back(self._calls)
        self._calls = None
