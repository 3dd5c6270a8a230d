"""A recall that has only so much time: what was found by then is the answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from engram.errors import EngramError
from engram.model.hit import Hit
from engram.model.limits import RECALL_BATCH_MAX
from engram.model.operations import table
from engram.model.operations.operation import Request
from engram.model.operations.requests import StreamRecall
from engram.model.query import Recalled
from engram.server.authorization import Caller
from engram.server.calls import Incoming, ServerCalls

_TIMEOUT: Final = "recall_timeout"


class PartlyRecalled(Recalled):
    """The result of a recall that ended before it had found everything."""

    __slots__ = ()
    partial = True


async def recall_in_time(calls: ServerCalls, incoming: Incoming[Any], caller: Caller) -> Recalled:
    """Return what a recall finds within its `timeout_ms`; `PartlyRecalled` if that is not all.

    It is asked as a stream, whose batches stand when the time is over.

    Raises
    ------
    EngramError
        If it cannot be answered.
    """
    batches: list[Recalled] = []

    def decode() -> Request[Any]:
        request: Any = incoming.decode()
        return StreamRecall(request.space, replace(request.query, batch_size=min(request.query.k, RECALL_BATCH_MAX)))

    async def take(batch: Recalled) -> None:
        batches.append(batch)

    kind = Recalled
    try:
        await calls.stream(table.RECALL_STREAM, Incoming(incoming.space, decode), _same, caller, take)
    except EngramError as error:
        if error.code != _TIMEOUT:
            raise
        kind = PartlyRecalled
    hits: list[Hit] = [hit for batch in batches for hit in batch.hits]
    return kind(
        hits,
        batches[0].generation if batches else await _generation_of(calls, incoming.space or ""),
        sum(batch.found for batch in batches),
        batches[-1].elapsed_ms if batches else 0.0,
        any(batch.incomplete for batch in batches),
    )


async def _generation_of(calls: ServerCalls, space: str) -> int:
    async with calls.engine.held(space) as found:
        return found.generation


def _same(batch: Recalled) -> Recalled:
    return batch
