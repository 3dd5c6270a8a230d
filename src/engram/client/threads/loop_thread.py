"""One event loop on a daemon thread. All blocking clients of a process share it until the interpreter ends."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import threading
from collections.abc import AsyncGenerator, Coroutine, Generator
from typing import Any, Final, TypeVar

from engram.client.silence import silence
from engram.client.threads.callback_thread import CallbackThread
from engram.client.threads.thread_call import ThreadCall
from engram.client.transport_choice import prepare_loop
from engram.errors import FailedPrecondition
from engram.lifecycle import interpreter_exit
from engram.lifecycle.forking import check_process

T = TypeVar("T")

_STOP_S: Final = 1.0


class LoopThread:
    """An event loop that runs coroutines for threads that wait for the results.

    All clients share one loop, because gRPC's poller works best with one event loop per process.
    """

    _shared: LoopThread | None = None
    _lock = threading.Lock()

    def __init__(self) -> None:
        self._process = os.getpid()
        self._loop = asyncio.new_event_loop()
        prepare_loop(self._loop)
        self._thread = threading.Thread(target=self._loop.run_forever, name="engram-client", daemon=True)
        self._thread.start()
        # Registered before the sessions that run on the loop, so that it is closed after them.
        interpreter_exit.opened(self, "the event loop of the clients", keep=True)
        # Registered after the loop, so that the last callbacks can still call a client.
        self.callbacks: Final = CallbackThread()
        interpreter_exit.opened(self.callbacks, "the callbacks of observations", keep=True)

    @classmethod
    def shared(cls) -> LoopThread:
        """Return the loop of this process; a forked child gets a new one, because threads do not survive a fork."""
        with cls._lock:
            if cls._shared is None or cls._shared._process != os.getpid():
                cls._shared = cls()
            return cls._shared

    def check(self) -> None:
        """Raise an error if a call would wait for ever.

        Raises
        ------
        FailedPrecondition
            In a forked child (code ``forked``), on the thread of the loop itself (code ``client_thread``), or after the
            loop has ended (code ``client_closed``).
        """
        check_process(self._process, "client")
        if threading.current_thread() is self._thread:
            raise FailedPrecondition(
                "a Client was called on the thread on which all clients of the process work, where the call would wait "
                "for itself; call it on a thread of your own",
                code="client_thread",
                field="thread",
                limit="another thread",
                value=self._thread.name,
            )
        if self._loop.is_closed():
            raise FailedPrecondition("the interpreter is ending and takes no more calls", code="client_closed")

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and return its result; an interrupt of the wait cancels the coroutine."""
        try:
            self.check()
        except BaseException:
            coroutine.close()
            raise
        call = ThreadCall(coroutine)
        try:
            self._loop.call_soon_threadsafe(call.begin)
            call.wait()
        except BaseException:
            self._leave(call)
            raise
        return call.result()

    def iterated(self, batches: AsyncGenerator[T, None]) -> Generator[T, None, None]:
        """Yield what an asynchronous generator yields; closing this closes it, too."""
        reading: asyncio.Task[Any] | None = None

        async def following() -> T | None:
            nonlocal reading
            reading = asyncio.current_task()
            return await anext(batches, None)

        async def leaving() -> None:
            # The generator cannot be closed while it runs, as it does when Ctrl-C has ended the wait for it.
            if reading is not None and not reading.done():
                reading.cancel()
                await asyncio.wait([reading])
            await batches.aclose()

        try:
            while (batch := self.run(following())) is not None:
                yield batch
        finally:
            # At the end of the interpreter, and in a child that was forked meanwhile, there is nothing left to close.
            with contextlib.suppress(FailedPrecondition):
                self.run(leaving())

    def _leave(self, call: ThreadCall[Any]) -> None:
        try:
            self._loop.call_soon_threadsafe(call.leave)
        except RuntimeError:
            # The loop has ended.
            call.leave()

    def end(self, timeout_s: float) -> None:
        """Stop the loop, because it must not run while the interpreter ends."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout_s + _STOP_S)
        if not self._thread.is_alive():
            # On a slow machine, gRPC may not have seen the end of a call yet. Nothing waits for such a call any more.
            silence(self._loop)
            self._loop.close()


def wait(future: concurrent.futures.Future[T], timeout_s: float | None = None) -> T:
    """Wait for a future and return its result; cancel it if the wait is interrupted, as by Ctrl-C, or times out."""
    try:
        return future.result(timeout_s)
    except BaseException:
        future.cancel()
        raise


def _renew_lock() -> None:
    # Another thread of the parent may have held the lock at the fork.
    LoopThread._lock = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)
