"""Calls over any transport, with a time limit and the retries that the policy of the client permits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final, TypeVar

from engram.client.retry import NO_SERVER, NOT_ENGRAM, retried
from engram.client.transport import Transport
from engram.errors import EngramError, Unavailable
from engram.model.operations.operation import Request

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
        Seconds that a call may take, retries included.
    """

    def __init__(self, transport: Transport, timeout_s: float) -> None:
        self.transport: Final = transport
        self.timeout_s = timeout_s
        self._reached = False

    def check(self) -> None:
        """Check that calls can be made in this process. Raises as `Transport.check`."""
        self.transport.check()

    async def close(self) -> None:
        """Disconnect."""
        await self.transport.close()

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

    async def _attempt(self, request: Request[Result], deadline_s: float) -> Result:
        left_s = max(0.001, deadline_s - asyncio.get_running_loop().time())
        try:
            # A transport may pass its time limit on to the server. This one also works if the transport hangs.
            async with asyncio.timeout_at(deadline_s + _LATE_S):
                result = await self.transport.call(request, left_s)
        except TimeoutError:
            address = self.transport.address
            raise self._late(f"the server at {address} did not answer within {self.timeout_s:g} s") from None
        except EngramError as error:
            self._reached |= error.code not in (NO_SERVER, NOT_ENGRAM)
            raise
        self._reached = True
        return result

    def _late(self, message: str) -> EngramError:
        if not self._reached:
            return self.transport.no_answer()
        return Unavailable(message, code="call_timeout", field="timeout_s", limit=self.timeout_s, value="longer")
