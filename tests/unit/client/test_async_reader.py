"""A standing recall, which may be silent for hours: it ends when the server is gone, and only then."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from engram.client.async_reader import AsyncReader
from engram.client.calls import Calls
from engram.errors import EngramError, PermissionDenied, Unavailable
from engram.model.cue import Cue
from engram.model.operations.action import Action
from engram.model.operations.requests import TakeSnapshot
from engram.model.operations.results import SnapshotTaken
from engram.model.operations.table import OPERATIONS
from engram.model.query import Recalled
from tests.unit.client.clock import WAIT_S, pass_time, until

CUE = Cue(np.ones(8, np.float32), score_min=0.5)


class Following:
    """A transport with one recall that is silent; `answers` are those to the other calls."""

    address = "somewhere"

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[Any] = []
        self.batches: asyncio.Queue[Recalled | None] = asyncio.Queue()
        self.is_cancelled = False

    def check(self) -> None:
        pass

    def stream(self, request: Any) -> Following:
        return self

    async def read(self) -> Recalled | None:
        return await self.batches.get()

    def cancel(self) -> None:
        self.is_cancelled = True

    async def call(self, request: Any, timeout_s: float) -> Any:
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def no_answer(self) -> EngramError:
        return Unavailable("nobody there")


async def test_a_silent_recall_asks_for_a_sign_of_life_that_recalling_permits(monkeypatch: pytest.MonkeyPatch) -> None:
    # A server of the version before does not know the question, but it answers.
    answers = [SnapshotTaken(1), PermissionDenied("not any more"), EngramError("unknown call", code="unimplemented")]
    transport: Any = Following(*answers)
    stream = AsyncReader(Calls(transport, 10.0), "notes").recall_stream(CUE, follow=True)
    waiting = asyncio.ensure_future(anext(stream))
    for count in (1, 2, 3):
        await pass_time(monkeypatch, 11.0)
        await until(lambda count=count: len(transport.asked) == count)  # type: ignore[misc]
    assert transport.asked == [TakeSnapshot("notes")] * 3
    (operation,) = [one for one in OPERATIONS.values() if one.request is TakeSnapshot]
    assert operation.action is Action.RECALL
    transport.batches.put_nowait(Recalled([], 5, 0, 0.0, incomplete=True))
    assert (await asyncio.wait_for(waiting, WAIT_S)).generation == 5
    await stream.aclose()
    assert transport.is_cancelled


async def test_a_silent_recall_ends_when_the_server_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    transport: Any = Following(Unavailable("the disk is gone", code="read_only"))
    waiting = asyncio.ensure_future(anext(AsyncReader(Calls(transport, 10.0), "notes").recall_stream(CUE, follow=True)))
    await pass_time(monkeypatch, 11.0)
    with pytest.raises(Unavailable, match="disk is gone"):
        await asyncio.wait_for(waiting, WAIT_S)
    assert transport.is_cancelled
