"""Deletions of a client: sent again they are the same deletion, and they go on until nothing is left."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from engram.client.calls import Calls
from engram.client.collection.async_collection import AsyncCollection
from engram.errors import EngramError, OverCapacity, Unavailable
from engram.model.ack import Deletion
from engram.model.cue import Filter
from engram.model.operations.requests import Delete
from engram.model.operations.scans import Clear

FILTER = Filter(tags={"draft"})
LOST = Unavailable("the connection is lost")
FULL = OverCapacity("too many wait")


class Answering:
    """A transport that gives these answers, one after the other, and keeps what was asked."""

    address = "somewhere"

    def __init__(self, *answers: Deletion | EngramError) -> None:
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

    def keys(self) -> list[str]:
        return [request.idempotency_key for request in self.asked]

    def without_keys(self) -> list[Any]:
        return [replace(request, idempotency_key="") for request in self.asked]


Call = Callable[[AsyncCollection], Awaitable[Deletion]]
CALLS: dict[str, tuple[Call, Delete | Clear]] = {
    "clear": (lambda space: space.clear(), Clear("notes")),
    "delete by a filter": (lambda space: space.delete(filter=FILTER), Delete("notes", filter=FILTER)),
}


def space_of(transport: Any) -> AsyncCollection:
    calls = Calls(transport, 60.0)
    # A server that has answered before is not given up early.
    calls._reached = True
    return AsyncCollection(calls, "notes")


@pytest.mark.parametrize(("call", "began"), CALLS.values(), ids=CALLS)
async def test_a_deletion_goes_on_as_of_the_generation_that_it_began_with(call: Call, began: Delete | Clear) -> None:
    parts = Deletion(10, 17, 7, more=True), Deletion(0, 17, 7, more=True), Deletion(3, 20, 7)
    transport = Answering(LOST, parts[0], FULL, parts[1], parts[2])
    done = await call(space_of(transport))
    assert (int(done), done.generation, done.as_of, done.more) == (13, 20, 7, False)
    goes_on = replace(began, max_generation=7)
    assert transport.without_keys() == [began, began, goes_on, goes_on, goes_on]
    first, again, second, second_again, third = transport.keys()
    assert (first, second) == (again, second_again)
    assert len({first, second, third}) == 3
    assert all(transport.keys())


async def test_a_deletion_by_ids_that_is_sent_again_is_the_same() -> None:
    transport = Answering(LOST, Deletion(1, 8))
    assert await space_of(transport).delete(["a"]) == 1
    assert transport.without_keys() == [Delete("notes", ["a"])] * 2
    first, again = transport.keys()
    assert first == again != ""


async def test_what_only_counts_has_no_key() -> None:
    transport = Answering(Deletion(3, 7, 7))
    await space_of(transport).delete(filter=FILTER, dry_run=True)
    assert transport.asked == [Delete("notes", filter=FILTER, dry_run=True)]
