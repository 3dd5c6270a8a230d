"""The wrapper of every call: it refuses calls while the server stops, and turns errors into a detailed gRPC status."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from engram.errors import EngramError
from engram.metrics import table
from engram.server.engine import Context, Engine
from engram.server.malformed import Malformed
from engram.wire.errors import status_code, status_trailers

Behaviour = Callable[[Engine, Any, Context], Awaitable[Any]]

_logger = logging.getLogger(__name__)


class ServerCalls:
    """Wraps the behaviours of the service and counts the calls under way."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._active = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def wrap(self, behaviour: Behaviour) -> Callable[[Any, Context], Awaitable[Any]]:
        """Return the gRPC handler that runs `behaviour`."""

        async def handle(request: Any, context: Context) -> Any:
            self._active += 1
            self._idle.clear()
            try:
                self._engine.check_running()
                if isinstance(request, Malformed):
                    self._engine.counters.add(table.MALFORMED)
                    raise request.error
                return await behaviour(self._engine, request, context)
            except EngramError as error:
                failure = error
            except Exception:
                _logger.exception("a call failed")
                failure = EngramError("internal error; the server's log has the details")
            finally:
                self._active -= 1
                if not self._active:
                    self._idle.set()
            await abort(context, failure)
            return None

        return handle

    async def finished(self, timeout_s: float) -> None:
        """Wait until no call is under way, at most `timeout_s` seconds."""
        try:
            await asyncio.wait_for(self._idle.wait(), timeout_s)
        except TimeoutError:
            _logger.warning("%d calls did not end within %g s", self._active, timeout_s)


async def abort(context: Context, error: EngramError) -> None:
    """End the call with the gRPC status for `error`."""
    await context.abort(status_code(error), error.message[:400], status_trailers(error))
