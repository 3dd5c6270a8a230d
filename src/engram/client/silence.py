"""What is left on an event loop that was stopped under it, and would complain when it is collected."""

from __future__ import annotations

import asyncio
import contextlib
import types
from pathlib import PurePath
from typing import Any


def silence(loop: asyncio.AbstractEventLoop) -> None:
    """Have nothing said about the tasks of ours and of gRPC on an event loop that has stopped for good."""
    for task in asyncio.all_tasks(loop):
        coroutine: Any = task.get_coro()
        is_python = isinstance(coroutine, types.CoroutineType)
        # What is compiled does not say where it is from; it is gRPC's.
        if not is_python or not {"engram", "grpc"}.isdisjoint(PurePath(coroutine.cr_code.co_filename).parts):
            # As asyncio itself does it with what it gathers.
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # Missing in the stubs.
            # What they do when they are closed may need the event loop, which they had for the last time.
            with contextlib.suppress(RuntimeError):
                coroutine.close()
