"""``recall`` and ``recall_stream``: results from one snapshot, in one answer or in batches."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import TypeVar

from engram.model.operations.requests import Recall, StreamRecall
from engram.model.query import Recalled
from engram.server.engine import Engine

T = TypeVar("T")


async def recall(engine: Engine, request: Recall, encode: Callable[[Recalled], T]) -> T:
    """Return the results of one recall in one answer, which is encoded on a recall thread."""
    return await engine.recalls.answer(engine.space(request.space), request.query, encode)


def recall_stream(engine: Engine, request: StreamRecall, encode: Callable[[Recalled], T]) -> AsyncGenerator[T, None]:
    """Yield the results of one recall in batches, which are encoded on recall threads.

    Raises
    ------
    EngramError
        If the request cannot be answered. The error gives the reason.
    """
    return engine.recalls.stream(engine.space(request.space), request.query, encode)
