"""Suppression of warnings about tasks that are left on a stopped event loop."""

from __future__ import annotations

import asyncio
import contextlib
import types
from pathlib import PurePath
from typing import Any


def silence(loop: asyncio.AbstractEventLoop) -> None:
    """Close the tasks of Engram and gRPC on an event loop that has stopped for good, without a warning."""
    for task in asyncio.all_tasks(loop):
        coroutine: Any = task.get_coro()
        is_python = isinstance(coroutine, types.CoroutineType)
        # A compiled coroutine does not name its file; it belongs to gRPC.
        if not is_python or not {"engram", "grpc"}.isdisjoint(PurePath(coroutine.cr_code.co_filename).parts):
            # `asyncio.gather` sets this attribute on its tasks, too.
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # Missing in the stubs.
            # What it waits for may have failed when the event loop stopped; looked at, it is not reported.
            awaited: Any = getattr(task, "_fut_waiter", None)
            if awaited is not None and awaited.done() and not awaited.cancelled():
                awaited.exception()
            # The clean-up code of a coroutine may need the event loop, which no longer runs.
            with contextlib.suppress(RuntimeError):
                coroutine.close()
