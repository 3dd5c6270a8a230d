"""What a client follows: what a stream tells is returned one by one, until it ends or the time is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import numpy as np
import pytest

from engram.client.calls import Calls
from engram.client.following.async_following import AsyncFollowCalls, within
from engram.errors import FailedPrecondition, InvalidInput
from engram.model.cue import Cue, Filter
from engram.model.following.change import Change, Changes
from engram.model.following.follow_changes import FollowChanges
from engram.model.hit import Hit
from engram.model.query import Recalled
from tests.unit.client.clock import WAIT_S, pass_time, until
from tests.unit.wire.test_recalls import make_hit

CUE = Cue(np.ones(8, np.float32), score_min=0.5)


class Telling:
    """A transport whose stream tells what a test has put in."""

    address = "somewhere"

    def __init__(self, *results: Any) -> None:
        self.asked: list[Any] = []
        self.cancelled = 0
        self.results: asyncio.Queue[Any] = asyncio.Queue()
        for result in results:
            self.results.put_nowait(result)

    def check(self) -> None:
        pass

    def stream(self, request: Any) -> Telling:
        self.asked.append(request)
        return self

    async def read(self) -> Any:
        result = await self.results.get()
        if isinstance(result, Exception):
            raise result
        return result

    def cancel(self) -> None:
        self.cancelled += 1


def client_of(transport: Any) -> AsyncFollowCalls:
    return AsyncFollowCalls(Calls(transport, 10.0), "notes")


def batch(*generations: int, up_to: int, more: bool = False, incomplete: bool = False) -> Recalled:
    return Recalled([at(each) for each in generations], up_to, 0, 0.0, incomplete, more)


def at(generation: int) -> Hit:
    return make_hit(f"id-{generation}", generation=generation)


async def test_hits_come_one_by_one_and_say_how_far_that_is() -> None:
    told = [batch(9, 2, up_to=10, more=True), batch(7, up_to=10), batch(11, up_to=15), batch(up_to=20)]
    transport = Telling(*told, batch(21, 22, up_to=30, incomplete=True), None)
    following = client_of(transport).follow(CUE, 3)
    seen = [(hit.generation, following.generation) async for hit in following]
    assert seen == [(9, 0), (2, 0), (7, 0), (11, 11), (21, 21), (22, 22)]
    assert (following.generation, following.incomplete, transport.cancelled) == (30, True, 1)
    (request,) = transport.asked
    assert (request.space, request.query.follow, request.query.k) == ("notes", True, 3)


@pytest.mark.parametrize("options", [{"only_new": True}, {"after_generation": 4}])
async def test_what_is_there_is_left_out_where_it_is_not_wanted(options: dict[str, Any]) -> None:
    transport = Telling(batch(4, up_to=4), batch(5, up_to=6), None)
    following = client_of(transport).follow(CUE, **options)
    assert [hit.generation async for hit in following] == [5]
    assert following.generation == 6
    assert transport.asked[0].query.max_generation == options.get("after_generation")


async def test_part_of_an_answer_says_nothing_of_how_far_it_is() -> None:
    transport = Telling(batch(up_to=4), batch(5, up_to=9, more=True), batch(8, up_to=9))
    following = client_of(transport).follow(CUE, only_new=True)
    assert [(await anext(following)).generation for _ in range(2)] == [5, 8]
    assert following.generation == 8
    await following.aclose()
    assert (following.generation, transport.cancelled) == (8, 1)


async def test_changes_come_one_by_one() -> None:
    told = [Change("observed", "a", 3, None, at(3)), Change("left", "b", 5, 2)]
    transport = Telling(Changes((), 2), Changes(told, 7), Changes((), 9), None)
    tagged = Filter(tags={"x"})
    feed = client_of(transport).changes(tagged, after_generation=2, skip_damaged=True)
    assert feed.generation == 2
    assert [(change, feed.generation) async for change in feed] == [(told[0], 3), (told[1], 5)]
    assert (feed.generation, feed.incomplete) == (9, False)
    assert transport.asked == [FollowChanges("notes", 2, tagged, skip_damaged=True)]


async def test_an_error_ends_it_and_is_raised_again() -> None:
    error = FailedPrecondition("it was dropped", code="space_dropped")
    transport = Telling(Changes([Change("deleted", "a", 3)], 3), error)
    feed = client_of(transport).changes()
    assert (await anext(feed)).id == "a"
    for _ in range(2):
        with pytest.raises(FailedPrecondition) as ended:
            await anext(feed)
        assert ended.value.code == "space_dropped"
    assert (feed.generation, transport.cancelled) == (3, 1)


async def test_it_ends_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    transport = Telling(Changes([Change("deleted", "a", 3)], 3))
    # Less than that after which a silent server is asked for a sign of life.
    feed = client_of(transport).changes(timeout_s=5)
    await pass_time(monkeypatch, 60)
    assert (await anext(feed)).id == "a"
    waiting = asyncio.ensure_future(anext(feed, None))
    await until(lambda: transport.results.empty() and len(transport.asked) == 1)
    await pass_time(monkeypatch, 6)
    assert await asyncio.wait_for(waiting, WAIT_S) is None
    assert (transport.cancelled, feed.generation) == (1, 3)
    assert [change async for change in feed] == []


async def test_a_client_that_is_closed_follows_nothing() -> None:
    calls: Any = Calls(Telling(), 10.0)  # type: ignore[arg-type]  # It is all that is needed here.
    calls.refuse()
    for following in (AsyncFollowCalls(calls, "notes").follow(CUE), AsyncFollowCalls(calls, "notes").changes()):
        with pytest.raises(FailedPrecondition) as refused:
            await anext(following)
        assert refused.value.code == "client_closed"


async def test_wrong_arguments_are_refused_at_once() -> None:
    client = client_of(Telling())
    for call in (
        lambda: client.follow(CUE, timeout_s=-1),
        lambda: client.changes(timeout_s="1"),  # type: ignore[arg-type]
        lambda: client.changes({"op": "?"}),
    ):
        with pytest.raises(InvalidInput):
            call()


async def test_a_time_out_of_what_is_waited_for_is_no_end() -> None:
    async def late() -> AsyncGenerator[int, None]:
        yield 1
        raise TimeoutError("somebody else's")

    limited = within(late(), 60)
    assert await anext(limited) == 1
    with pytest.raises(TimeoutError, match="somebody else's"):
        await anext(limited)


async def test_what_is_left_before_its_time_is_closed() -> None:
    closed = []

    async def endless() -> AsyncGenerator[int, None]:
        try:
            while True:
                yield 1
        finally:
            closed.append(True)

    for timeout_s in (None, 60):
        limited = within(endless(), timeout_s)
        await anext(limited)
        await limited.aclose()
    assert closed == [True, True]
