"""Suppression of errors that gRPC's poller, shared by all event loops of a process, reports on the wrong loop."""

from __future__ import annotations

import asyncio
import errno
from typing import Any, Final

_HANDLER: Final = "PollerCompletionQueue"


def quiet_poller(loop: asyncio.AbstractEventLoop) -> None:
    """Ignore errors of gRPC's poller on `loop` about events of another loop.

    The poller raises `BlockingIOError` if the other loop has already taken the event, `RuntimeError` if the other loop
    is closed, and `OSError` with ``EBADF`` if gRPC has closed the poller itself, as at the end of a program.
    """
    loop.set_exception_handler(_handle)


def _handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    is_harmless = isinstance(error, BlockingIOError | RuntimeError) or getattr(error, "errno", None) == errno.EBADF
    if not (is_harmless and _HANDLER in str(context.get("message", ""))):
        loop.default_exception_handler(context)
