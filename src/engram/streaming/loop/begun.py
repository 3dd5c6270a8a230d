"""A coroutine whose first step is run at once, before the task that it belongs to has its turn."""

from __future__ import annotations

import asyncio
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Coroutine, Iterator
from contextvars import Context
from typing import Any, Self, TypeVar

Result = TypeVar("Result")


class Begun(Coroutine[Any, Any, Result]):
    """A coroutine that can be begun in the name of a task, which awaits it, or was made of it, and then goes on.

    To the coroutine it looks as if the task had run all of it: `asyncio.current_task` is that task from the first step
    on, and a cancellation reaches what the coroutine waits for. So a time limit of asyncio's works in it, too. What a
    task does anyway is done without waiting for the task's turn of the event loop, which costs as much as a short call.

    Parameters
    ----------
    coroutine
        What is run.
    context
        The context variables of all its steps.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, Result], context: Context) -> None:
        self._coroutine = coroutine
        self._context = context
        # What the first step led to, until the task takes it over: how the coroutine ended, or what it waits for, which
        # is None where it only lets others have a turn.
        self._end: BaseException | None = None
        self._is_waiting = False
        self._awaited: asyncio.Future[Any] | None = None
        self._cancellation: asyncio.CancelledError | None = None

    def begin(self, task: asyncio.Task[Any]) -> bool:
        """Run the first step as one of `task`; return whether that was all, and nothing went wrong."""
        loop = task.get_loop()
        # One task may begin what is another one's.
        interrupted = asyncio.current_task(loop)
        if interrupted is not None:
            _leave_task(loop, interrupted)
        _enter_task(loop, task)
        try:
            self._awaited = self._context.run(self._coroutine.send, None)
            self._is_waiting = True
        except (Exception, asyncio.CancelledError) as end:
            self._end = end
        finally:
            _leave_task(loop, task)
            if interrupted is not None:
                _enter_task(loop, interrupted)
        return isinstance(self._end, StopIteration)

    def cancelled_by(self, error: asyncio.CancelledError) -> Self:
        """Have whoever awaits it next cancel it first."""
        self._cancellation = error
        return self

    def send(self, value: Any) -> Any:
        """Go on; the first time, say what the first step led to."""
        if self._cancellation is not None:
            error, self._cancellation = self._cancellation, None
            return self.throw(error)
        self._raise_end()
        if self._is_waiting:
            return self._taken_awaited()
        return self._context.run(self._coroutine.send, value)

    def throw(self, kind: Any, value: Any = None, traceback: Any = None) -> Any:
        """Go on with an error; a cancellation first ends what is waited for, as that of a task does."""
        error = kind if value is None else value
        self._raise_end()
        if self._is_waiting:
            awaited = self._taken_awaited()
            if isinstance(error, asyncio.CancelledError) and awaited is not None and awaited.cancel():
                return awaited
        return self._context.run(self._coroutine.throw, error)

    def close(self) -> None:
        """End it without going on."""
        self._end, self._awaited, self._is_waiting = None, None, False
        self._coroutine.close()

    def __await__(self) -> Iterator[Any]:  # type: ignore[override]  # What it returns comes with the end of iteration.
        return self

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        return self.send(None)

    def _raise_end(self) -> None:
        end, self._end = self._end, None
        if end is not None:
            raise end

    def _taken_awaited(self) -> asyncio.Future[Any] | None:
        awaited, self._awaited, self._is_waiting = self._awaited, None, False
        return awaited
