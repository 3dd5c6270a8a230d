"""gRPC's one machinery for all event loops of a process, kept from complaining on one loop about another."""

from __future__ import annotations

import asyncio
from typing import Any, Final

_HANDLER: Final = "PollerCompletionQueue"


def quiet_poller(loop: asyncio.AbstractEventLoop) -> None:
    """Say nothing of what gRPC finds on `loop` and is another loop's, which took it already, or is closed."""
    loop.set_exception_handler(_handle)


def _handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    is_of_poller = _HANDLER in str(context.get("message", ""))
    if not (is_of_poller and isinstance(context.get("exception"), BlockingIOError | RuntimeError)):
        loop.default_exception_handler(context)
