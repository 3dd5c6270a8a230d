"""``/metrics``: what Prometheus scrapes."""

from __future__ import annotations

import asyncio
from itertools import chain
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import Response

from engram.errors import MissingExtra
from engram.model.operations.action import Action
from engram.server.engine import Engine
from engram.server.http.caller import caller_of
from engram.server.metrics import traffic_metrics

if TYPE_CHECKING:
    from engram.metrics.prometheus import Exposition


class Scrapes:
    """Answers ``/metrics`` with the metrics of the server; every value is read when it is asked for.

    One scrape is answered at a time, so that those who scrape too often delay each other and nobody else.

    Parameters
    ----------
    engine
        The engine whose metrics are told.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine: Final = engine
        self._turn: Final = asyncio.Lock()
        self._exposition: Exposition | None = None
        self._missing: MissingExtra | None = None
        try:
            # Imported here because its package may be missing; all other routes work without it.
            from engram.metrics.prometheus import Exposition  # noqa: PLC0415 - see above.
        except MissingExtra as error:
            self._missing = error
        else:
            self._exposition = Exposition(engine.options.metrics_spaces_max)

    async def answer(self, request: Request) -> Response:
        """Answer one scrape, for whoever may read the metrics or have the server described."""
        engine, exposition = self._engine, self._exposition
        engine.authorize(caller_of(request.scope), None, Action.METRICS, Action.DESCRIBE)
        if exposition is None:
            raise self._missing or RuntimeError("either the package is there or it is missing")
        accepted = request.headers.get("accept", "")
        async with self._turn:
            traffic = await traffic_metrics(engine)
            text, media_type = await asyncio.to_thread(
                lambda: exposition.text(chain(traffic, engine.store.metrics()), accepted)
            )
        return Response(text, headers={"content-type": media_type})
