"""One call over WebSocket that is answered with a stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from engram.client.websocket.calls import CallSocket, SocketStream
from engram.client.websocket.connections import CallSockets
from engram.model.operations.operation import Request

Result = TypeVar("Result")


class SocketStreamCall(Generic[Result]):
    """An `AnswerStream` that takes a WebSocket when it is first read, and gives it back at its end.

    Parameters
    ----------
    connections
        Returns the WebSockets of the client on the running event loop.
    request
        What is asked.
    """

    def __init__(self, connections: Callable[[], CallSockets], request: Request[Result]) -> None:
        self._connections = connections
        self._request = request
        self._lender: CallSockets | None = None
        self._calls: CallSocket | None = None
        self._stream: SocketStream[Result] | None = None
        self._is_over = False

    async def read(self) -> Result | None:
        """Return the next result, or None after the last one.

        Raises
        ------
        EngramError
            The reason why the call has failed.
        """
        if self._is_over:
            return None
        try:
            stream = self._stream or await self._begin()
            result = await stream.read()
        finally:
            if self._stream is None or self._stream.ended:
                self._end()
        return result

    def cancel(self) -> None:
        """End the call, if it has not ended."""
        if self._stream is not None:
            self._stream.cancel()
        self._end()

    async def _begin(self) -> SocketStream[Result]:
        self._lender = self._connections()
        self._calls = await self._lender.lend()
        self._stream = self._calls.stream(self._request)
        return self._stream

    def _end(self) -> None:
        self._is_over = True
        if self._lender is not None and self._calls is not None:
            self._lender.give_back(self._calls)
        self._calls = None
