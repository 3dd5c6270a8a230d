"""Suppression of errors that gRPC's poller, shared by all event loops of a process, reports on the wrong loop."""

from __future__ import annotations

import asyncio
from typing import Any, Final

_HANDLER: Final = "PollerCompletionQueue"


def quiet_poller(loop: asyncio.AbstractEventLoop) -> None:
    """Ignore errors of gRPC's poller on `loop` about events of another loop.

    The poller raises `BlockingIOError` if the other loop has already taken the event, and `RuntimeError` if the other
    loop is closed.
    """
    loop.set_exception_handler(_handle)


def _handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    is_of_poller = _HANDLER in str(context.get("message", ""))
    if not (is_of_poller and isinstance(context.get("exception"), BlockingIOError | RuntimeError)):
        loop.default_exception_handler(context)
