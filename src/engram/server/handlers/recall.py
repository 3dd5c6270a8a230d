"""``recall``, ``recall_many`` and ``recall_stream``: results from one snapshot, in one answer or in batches."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from typing import TypeVar

from engram.metrics import table
from engram.model.limits import ANSWER_HITS_MAX
from engram.model.many.many_recalled import ManyRecalled
from engram.model.operations.requests import Recall, RecallMany, StreamRecall
from engram.model.query import Recalled
from engram.server.engine import Engine
from engram.store.space_engine import SpaceEngine

T = TypeVar("T")


async def recall(engine: Engine, request: Recall, encode: Callable[[Recalled], T]) -> T:
    """Return the results of one recall in one answer, which is encoded on a recall thread."""
    return await engine.recalls.answer(engine.space(request.space), request.query, encode)


async def recall_many(engine: Engine, request: RecallMany, encode: Callable[[ManyRecalled], T]) -> T:
    """Return the results of many cues in one answer. They are found and encoded on recall threads, in turns."""
    space = engine.space(request.space)
    answer = await engine.recalls.in_turns(_many(space, request, encode))
    engine.counters.add(table.RECALLS, len(request.query.cues))
    return answer


def recall_stream(engine: Engine, request: StreamRecall, encode: Callable[[Recalled], T]) -> AsyncGenerator[T, None]:
    """Yield the results of one recall in batches, which are encoded on recall threads.

    Raises
    ------
    EngramError
        If the request cannot be answered. The error gives the reason.
    """
    return engine.recalls.stream(engine.space(request.space), request.query, encode)


def _many(space: SpaceEngine, request: RecallMany, encode: Callable[[ManyRecalled], T]) -> Generator[None, None, T]:
    recalled = yield from space.recall_many(request.query, ANSWER_HITS_MAX)
    yield
    return encode(recalled)
