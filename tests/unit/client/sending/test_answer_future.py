"""Whatever has become of a caller's future, an answer harms nobody."""

from __future__ import annotations

import asyncio
import concurrent.futures

import pytest

from engram.client.sending.answer_future import AnyFuture, AwaitedAnswer, answered, settle_future
from engram.errors import InvalidInput, Unavailable
from engram.model.ack import Ack

ACK = Ack(1, 1, 5, 5)


async def futures() -> list[AnyFuture]:
    return [asyncio.get_running_loop().create_future(), concurrent.futures.Future()]


async def test_an_ack_is_the_result_and_a_refusal_the_exception() -> None:
    for taken in await futures():
        settle_future(taken)(ACK)
        assert taken.result() is ACK
    error = InvalidInput("no")
    for refused in await futures():
        settle_future(refused)(error)
        assert refused.exception() is error


async def test_a_future_that_was_cancelled_or_answered_stays_as_it_is() -> None:
    for answer in (ACK, InvalidInput("no")):
        for cancelled in await futures():
            cancelled.cancel()
            settle_future(cancelled)(answer)
            assert cancelled.cancelled()
    for taken in await futures():
        settle_future(taken)(ACK)
        settle_future(taken)(InvalidInput("late"))
        assert taken.result() is ACK


def test_a_future_of_a_closed_loop_is_passed_over() -> None:
    async def make() -> asyncio.Future[Ack]:
        future: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda _: None)
        return future

    settle_future(asyncio.run(make()))(ACK)


async def test_who_waits_in_vain_is_told_and_a_later_refusal_is_told_by_others() -> None:
    future: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
    awaited = AwaitedAnswer(future)
    told: list[bool] = []
    settle = awaited.settle(lambda: told.append(True))
    with pytest.raises(Unavailable) as caught:
        await answered(awaited, future, 0)
    assert caught.value.code == "observe_timeout"
    settle(Unavailable("late"))
    assert told == []


async def test_who_is_cancelled_leaves_the_refusal_to_others() -> None:
    future: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
    awaited = AwaitedAnswer(future)
    told: list[bool] = []
    settle = awaited.settle(lambda: told.append(True))
    waiting = asyncio.create_task(answered(awaited, future, 60))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    settle(Unavailable("late"))
    assert told == []


async def test_who_is_answered_has_the_ack_and_is_told_of_a_refusal() -> None:
    future: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
    awaited = AwaitedAnswer(future)
    told: list[bool] = []
    asyncio.get_running_loop().call_soon(awaited.settle(lambda: told.append(True)), ACK)
    assert await answered(awaited, future, 60) is ACK
    refused: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
    awaited = AwaitedAnswer(refused)
    asyncio.get_running_loop().call_soon(awaited.settle(lambda: told.append(True)), Unavailable("no"))
    with pytest.raises(Unavailable):
        await answered(awaited, refused, 60)
    assert told == [True]
