"""Updates and conditional observations of a client: each is a call of its own, and the same one if it is sent again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from engram.client.calls import Calls
from engram.client.collection.async_collection import AsyncCollection
from engram.errors import EngramError, FailedPrecondition, InvalidInput, NotFound, Unavailable
from engram.model.ack import Ack
from engram.model.arguments import ManyObservations, OneObservation
from engram.model.operations.requests import DescribeSpace, Observe
from engram.model.operations.status import SpaceStatus
from engram.model.operations.updates import Update
from engram.model.priority import Priority
from engram.model.spaces import SpaceConfig

LOST = Unavailable("the connection is lost")
STORED = Ack(0, 0, 3, 3)
NOTES = SpaceStatus(SpaceConfig("notes", 2), 0, 0, 0, 0, 0, 0)
ONE = OneObservation("a", [1.0, 2.0], "a text", {})


class Answering:
    """A transport that gives these answers, one after the other, and keeps what was asked."""

    address = "somewhere"

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.asked: list[Any] = []

    def check(self) -> None:
        pass

    async def call(self, request: Any, timeout_s: float) -> Any:
        self.asked.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, EngramError):
            raise answer
        return answer


def space_of(transport: Any) -> AsyncCollection:
    calls = Calls(transport, 60.0)
    # A server that has answered before is not given up early.
    calls._reached = True
    return AsyncCollection(calls, "notes")


async def test_an_update_that_is_sent_again_is_the_same() -> None:
    transport = Answering(LOST, STORED, STORED)
    space = space_of(transport)
    assert await space.update("a", metadata={"n": None}, merge=False) == STORED
    await space.update("a", metadata={"n": None}, merge=False)
    first, again, other = transport.asked
    assert type(first) is Update
    assert (first.space, list(first.changes.ids), first.changes.vectors) == ("notes", ["a"], None)
    assert first.changes.columns == {"metadata": ['{"n":null}']}
    assert (first.priority, first.merge) == (Priority.NORMAL, False)
    assert again is first
    assert len({"", first.idempotency_key, other.idempotency_key}) == 3


async def test_an_update_has_the_priority_of_its_client() -> None:
    transport = Answering(STORED)
    space = space_of(transport)
    space._priority = Priority.HIGH
    await space.update(["a"], tags=[["x"]])
    assert (transport.asked[0].priority, transport.asked[0].merge) == (Priority.HIGH, True)


async def test_what_the_server_refuses_is_not_asked_again() -> None:
    for error in (NotFound("no", code="missing_ids"), FailedPrecondition("no", code="condition_failed")):
        transport = Answering(error)
        with pytest.raises(type(error)):
            await space_of(transport).update("a", content="x")
        assert len(transport.asked) == 1


async def test_what_can_be_no_update_is_not_sent() -> None:
    transport = Answering()
    space: Any = space_of(transport)
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: space.update("a"),
        lambda: space.update(["a", "a"], contents=["x", "y"]),
        lambda: space.update("a", content="x", merge="no"),
    ]
    for call in calls:
        with pytest.raises(InvalidInput):
            await call()
    assert transport.asked == []


async def test_observations_with_conditions_ask_for_the_settings_of_the_space_once() -> None:
    transport = Answering(NOTES, LOST, STORED, STORED)
    space = space_of(transport)
    assert await space._observe_if(ONE, True, None) == STORED
    many = ManyObservations(["a", "b"], np.ones((2, 2)), None, {})
    assert await space._observe_if(many, False, [3, 0]) == STORED
    described, first, again, other = transport.asked
    assert type(described) is DescribeSpace
    assert type(first) is Observe
    assert (again is first, list(first.batch.ids), first.batch.vectors.tolist()) == (True, ["a"], [[1, 2]])
    assert (first.expected_generations, other.expected_generations) == ((0,), (3, 0))
    assert len({"", first.idempotency_key, other.idempotency_key}) == 3


async def test_what_cannot_be_stored_is_not_sent() -> None:
    transport = Answering(NOTES)
    space = space_of(transport)
    cases: list[tuple[OneObservation, Any, str]] = [
        (OneObservation("a", [1.0], "", {}), 0, "vector"),
        (ONE, -1, "expected_generations"),
        (ONE, [1, 2], "expected_generations"),
    ]
    for observed, expected, field in cases:
        with pytest.raises(InvalidInput) as refused:
            await space._observe_if(observed, False, expected)
        assert refused.value.field == field
    assert [type(asked) for asked in transport.asked] == [DescribeSpace]
