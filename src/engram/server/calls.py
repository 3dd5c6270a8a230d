"""The frame around every call, whatever transport it came by: counting, stopping, and errors that are always typed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from engram.errors import EngramError
from engram.metrics import table
from engram.server.authorization import Caller
from engram.server.engine import Engine
from engram.server.malformed import Malformed

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Call:
    """What a transport knows about one call beside its request.

    Parameters
    ----------
    caller
        Whoever makes the call.
    write
        Sends one message of the answer, for methods that answer with a stream; it waits while the client reads slowly.
        One write at a time is permitted.
    """

    caller: Caller
    write: Callable[[Any], Awaitable[None]]


Behaviour = Callable[[Engine, Any, Call], Awaitable[Any]]
"""Serves one method: takes the request, or an iterator of requests, and returns the response unless it writes them."""


class ServerCalls:
    """Runs the behaviours of the service and counts the calls under way; shared by all transports of a server."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._active = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def answer(self, behaviour: Behaviour, request: Any, call: Call) -> Any:
        """Run `behaviour` and return its response.

        Raises
        ------
        EngramError
            If the call fails, for whatever reason; the transport tells the client.
        """
        self._active += 1
        self._idle.clear()
        try:
            self._engine.check_running()
            if isinstance(request, Malformed):
                self._engine.counters.add(table.MALFORMED)
                raise request.error
            return await behaviour(self._engine, request, call)
        except EngramError:
            raise
        except Exception as error:
            _logger.exception("a call failed")
            raise EngramError("internal error; the server's log has the details") from error
        finally:
            self._active -= 1
            if not self._active:
                self._idle.set()

    async def finished(self, timeout_s: float) -> None:
        """Wait until no call is under way, at most `timeout_s` seconds."""
        try:
            await asyncio.wait_for(self._idle.wait(), timeout_s)
        except TimeoutError:
            _logger.warning("%d calls did not end within %g s", self._active, timeout_s)
