"""The place where a task waits for work, which whoever brings it may begin at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import Any

from engram.streaming.loop.begun import Begun


class Standby:
    """Lets one task wait for work, and others begin that work in its name. Used on one event loop's thread only.

    As long as the task waits here, it is free: nothing that came earlier is left. Then work can be begun without waking
    the task. Only work that has to wait for something wakes it, or fails: the task goes on with it, or fails with it.
    All work has the same context variables, which are those of whoever made this and what the work itself sets.
    """

    def __init__(self) -> None:
        self._context = copy_context()
        self._task: asyncio.Task[Any] | None = None
        self._woken: asyncio.Future[None] | None = None
        self._begun: Begun[None] | None = None
        self._is_beginning = False

    @property
    def is_free(self) -> bool:
        """Whether the task waits for work, so that some may be begun."""
        return self._woken is not None and not self._woken.done() and not self._is_beginning

    def notify(self) -> None:
        """Wake the task, so that it checks again what it waits for."""
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    def begin(self, work: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Begin what `work` makes in the name of the task; return whether that is possible, as the task is free."""
        if self._task is None or not self.is_free:
            return False
        begun = Begun(work(), self._context)
        self._is_beginning = True
        try:
            is_done = begun.begin(self._task)
        finally:
            self._is_beginning = False
        if not is_done:
            self._begun = begun
            self.notify()
        return True

    async def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work`, which the task that waits here has found itself. Raises what it raises."""
        await Begun(work, self._context)

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """Return once `condition` holds, which is checked now and after every `notify`. Raises what begun work raises.

        Only one task waits at a time.
        """
        while not condition():
            self._task = asyncio.current_task()
            self._woken = asyncio.get_running_loop().create_future()
            try:
                await self._woken
            except asyncio.CancelledError as error:
                if self._begun is None:
                    raise
                # The task was cancelled in the middle of its work.
                self._begun.cancelled_by(error)
            finally:
                self._task = self._woken = None
            if self._begun is not None:
                begun, self._begun = self._begun, None
                await begun
