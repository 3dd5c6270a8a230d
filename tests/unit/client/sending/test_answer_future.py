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


async def test_who_waits_in_vain_is_told_and_the_future_goes_on() -> None:
    future: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
    with pytest.raises(Unavailable) as caught:
        await answered(AwaitedAnswer(future), future, 0)
    assert caught.value.code == "observe_timeout"
    future.set_result(ACK)
    assert await answered(AwaitedAnswer(future), future, 60) is ACK
