"""Deletions of a client: sent again they are the same deletion, and they go on until nothing is left."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from engram.client.calls import Calls
from engram.client.collection.async_collection import AsyncCollection
from engram.errors import EngramError, FailedPrecondition, InvalidInput, OverCapacity, Unavailable
from engram.model.ack import Ack, Deletion
from engram.model.cue import Filter
from engram.model.limits import BATCH_COUNT_MAX
from engram.model.operations.erasure_receipt import ErasureReceipt
from engram.model.operations.requests import Delete
from engram.model.operations.scans import Clear

FILTER = Filter(tags={"draft"})
LOST = Unavailable("the connection is lost")
FULL = OverCapacity("too many wait")


class Answering:
    """A transport that gives these answers, one after the other, and keeps what was asked."""

    address = "somewhere"

    def __init__(self, *answers: Ack | Deletion | ErasureReceipt | EngramError) -> None:
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


MANY = [f"id-{row}" for row in range(2 * BATCH_COUNT_MAX + 1)]


async def test_more_ids_than_one_call_takes_are_deleted_in_parts_each_once() -> None:
    transport = Answering(Deletion(3, 7), Deletion(2, 9), Deletion(0, 9))
    deleted = await space_of(transport).delete([*MANY, *MANY[:5]])
    assert (int(deleted), deleted.generation) == (5, 9)
    assert [id for request in transport.asked for id in request.ids] == MANY
    assert len(set(transport.keys())) == 3


async def test_a_deletion_that_fails_says_how_many_ids_are_deleted_all_the_same() -> None:
    transport = Answering(Deletion(3, 7), FailedPrecondition("closed"))
    with pytest.raises(FailedPrecondition) as caught:
        await space_of(transport).delete(MANY)
    assert caught.value.stored_count == BATCH_COUNT_MAX


async def test_an_erasure_in_parts_has_one_receipt() -> None:
    receipts = [ErasureReceipt("notes", "s", (name, "same"), 9 - row, row, row) for row, name in enumerate("abc")]
    transport = Answering(*receipts)
    assert await space_of(transport).erase(MANY) == ErasureReceipt("notes", "s", ("a", "same", "b", "c"), 7, 3, 2)
    assert [len(request.ids) for request in transport.asked] == [BATCH_COUNT_MAX, BATCH_COUNT_MAX, 1]


async def test_an_update_in_parts_has_one_answer() -> None:
    transport = Answering(Ack(0, 0, 1, 10_000), Ack(0, 0, 10_001, 20_000), Ack(0, 0, 20_001, 20_001))
    texts = [f"text of {name}" for name in MANY]
    ack = await space_of(transport).update(MANY, contents=texts, tags=[["x"]] * len(MANY))
    assert (ack.count, ack.last_generation, ack.exact) == (len(MANY), len(MANY), True)
    last = transport.asked[-1].changes
    assert (list(last.ids), last.columns["contents"]) == (MANY[-1:], texts[-1:])
    assert len(set(transport.keys())) == 3


async def test_nothing_is_updated_if_an_id_occurs_in_two_parts() -> None:
    transport = Answering()
    with pytest.raises(InvalidInput) as caught:
        await space_of(transport).update([*MANY, MANY[0]], confidences=[0.5] * (len(MANY) + 1))
    assert (caught.value.code, caught.value.field) == ("duplicate_id", f"ids[{len(MANY)}]")
    assert transport.asked == []
