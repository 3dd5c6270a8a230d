"""Calls over any transport, with a time limit and the retries that the policy of the client permits."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections.abc import AsyncIterator, Iterator
from typing import Final, TypeVar

from engram.client.retry import NO_SERVER, NOT_ENGRAM, retried
from engram.client.transport import Transport
from engram.errors import EngramError, FailedPrecondition, Unavailable
from engram.model.operations.operation import Request
from engram.model.operations.requests import TakeSnapshot
from engram.model.waiting.timeouts import as_timeout_s

_FIRST_CONTACT_S: Final = 2.0
_LATE_S: Final = 0.25

Result = TypeVar("Result")


class Calls:
    """Makes the calls of one client.

    Parameters
    ----------
    transport
        Carries the calls.
    timeout_s
        Seconds that a call may take, retries included: more than 0, at most `TIMEOUT_S_MAX`.

    Raises
    ------
    InvalidInput
        If `timeout_s` is not such a number.
    """

    def __init__(self, transport: Transport, timeout_s: float) -> None:
        self.transport: Final = transport
        self.timeout_s: float = as_timeout_s(timeout_s, above_zero=True)
        self._reached = False
        self._is_closed = False
        self._ended: EngramError | None = None
        # The last look at the server for each space, which those share who ask while it is under way.
        self._looks: dict[str, asyncio.Task[None]] = {}

    @property
    def is_closed(self) -> bool:
        """Whether the client takes no more calls."""
        return self._is_closed

    def check(self) -> None:
        """Check that the client takes calls.

        Raises
        ------
        FailedPrecondition
            If the client is closed (code ``client_closed``), or as `Transport.check`.
        EngramError
            That of `end`.
        """
        if self._ended is not None:
            # Each caller raises its own copy, because raising modifies the exception.
            raise copy.copy(self._ended)
        self.transport.check()
        if self._is_closed:
            raise FailedPrecondition("the client is closed", code="client_closed")

    def end(self, error: EngramError) -> None:
        """Refuse all further calls with an error, because their space is no more."""
        self._ended = error

    def refuse(self) -> None:
        """Refuse all further calls; those under way go on."""
        self._is_closed = True

    async def close(self) -> None:
        """Disconnect. Calls under way fail with ``client_closed``."""
        self.refuse()
        await self.transport.close()

    @contextlib.contextmanager
    def under_way(self) -> Iterator[None]:
        """Make one call in the body.

        Raises
        ------
        FailedPrecondition
            With code ``client_closed``, if the client is closed, or becomes so during the call.
        """
        self.check()
        task = asyncio.current_task()
        cancelled_before = task.cancelling() if task is not None else 0
        try:
            yield
        except asyncio.CancelledError:
            # A transport that is closed cancels its calls, but nobody cancelled the task that waits for them.
            if not self._is_closed or (task is not None and task.cancelling() > cancelled_before):
                raise
            raise FailedPrecondition("the client was closed during the call", code="client_closed") from None

    @contextlib.asynccontextmanager
    async def within(self, doing: str) -> AsyncIterator[None]:
        """Limit the body to the timeout of a call.

        Raises
        ------
        Unavailable
            With code ``call_timeout``, or ``no_server`` if the server has never answered.
        """
        try:
            async with asyncio.timeout(self.timeout_s):
                yield
        except TimeoutError:
            address = self.transport.address
            raise self._late(
                f"{doing} took longer than {self.timeout_s:g} s; does the Engram server at {address} answer?"
            ) from None

    async def unary(self, request: Request[Result]) -> Result:
        """Have an idempotent request answered; retry while the server is away or full.

        Raises
        ------
        EngramError
            The error of the server; `Unavailable`, naming the address and the reason, if the server cannot be reached
            in time.
        """
        now_s = asyncio.get_running_loop().time()
        # A call may use the whole timeout. Retries end early if the server has never answered, because then it most
        # likely does not exist.
        deadline_s = now_s + self.timeout_s
        retry_until_s = deadline_s if self._reached else now_s + min(self.timeout_s, _FIRST_CONTACT_S)
        return await retried(lambda: self._attempt(request, deadline_s), retry_until_s)

    async def check_server(self, space: str) -> None:
        """Check that the server still answers, for a caller who may recall in `space`.

        Callers who ask at the same time share one answer: a client may have hundreds of standing recalls, all of which
        are silent for equally long.

        Raises
        ------
        Unavailable, FailedPrecondition
            If the server is gone, or this client is closed.
        """
        look = self._looks.get(space)
        if look is None or look.done() or look.get_loop() is not asyncio.get_running_loop():
            look = self._looks[space] = asyncio.create_task(self._look(space))
        try:
            await asyncio.shield(look)
        except EngramError as error:
            raise copy.copy(error) from None

    def note_answer(self, error: EngramError | None = None) -> None:
        """Note that a call was answered, or ended with `error`, which may say that there is no server."""
        self._reached |= error is None or error.code not in (NO_SERVER, NOT_ENGRAM)

    async def _look(self, space: str) -> None:
        try:
            # Whoever may recall may take a snapshot.
            await self.unary(TakeSnapshot(space))
        except (Unavailable, FailedPrecondition):
            raise
        except EngramError:
            # Whatever else the server answers, it answers.
            return

    async def _attempt(self, request: Request[Result], deadline_s: float) -> Result:
        left_s = max(0.001, deadline_s - asyncio.get_running_loop().time())
        try:
            # A transport may pass its time limit on to the server. This one also works if the transport hangs.
            with self.under_way():
                async with asyncio.timeout_at(deadline_s + _LATE_S):
                    result = await self.transport.call(request, left_s)
        except TimeoutError:
            address = self.transport.address
            raise self._late(f"the server at {address} did not answer within {self.timeout_s:g} s") from None
        except EngramError as error:
            self.note_answer(error)
            raise
        self.note_answer()
        return result

    def _late(self, message: str) -> EngramError:
        if not self._reached:
            return self.transport.no_answer()
        return Unavailable(message, code="call_timeout", field="timeout_s", limit=self.timeout_s, value="longer")
