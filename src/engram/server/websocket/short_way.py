"""The short way of messages between a WebSocket and its handler, past the events of ASGI.

Every such event costs two turns of the event loop and two system calls, which is more than most messages take.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol, cast

from starlette.websockets import WebSocket

SHORT_WAY: Final = "engram.websocket"
"""The extension of the scope that is the `ShortWay`."""
Raw = tuple[bytes, bool]
"""The bytes of a message, and whether it was sent as a binary one."""
Take = Callable[[Sequence[Raw]], bool]
"""Takes the messages that came together; returns whether there is room for more."""


class ShortWay(Protocol):
    """A WebSocket whose messages can be had, and sent, at once."""

    def attach(self, take: Take) -> bool:
        """Hand messages to `take` from now on; return whether that is possible, which it is once no event is waiting.

        If `take` returns False, nothing more is read until `read_on` is called.
        """
        ...

    def read_on(self) -> None:
        """Read on after `take` had no room."""
        ...

    def post(self, message: bytes, *, is_frame: bool) -> bool:
        """Send a message at once; return whether that was possible, which it is not while earlier ones wait."""
        ...


def short_way(websocket: WebSocket) -> ShortWay | None:
    """Return the short way of a WebSocket; None if it has none, because another server than ours runs it."""
    return cast("ShortWay | None", websocket.scope.get("extensions", {}).get(SHORT_WAY))
