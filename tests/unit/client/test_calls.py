"""Calls: what is made again and for how long, and what a caller is told when nothing comes back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from engram.client.calls import Calls
from engram.client.retry import NO_SERVER
from engram.errors import EngramError, InvalidInput, NotFound, OverCapacity, Unavailable
from engram.model.operations.requests import TakeSnapshot
from engram.model.operations.results import SnapshotTaken
from tests.unit.client.clock import WAIT_S, pass_time, until

QUESTION = TakeSnapshot("notes")
ANSWER = SnapshotTaken(7)
REFUSED = Unavailable("nothing listens there", code=NO_SERVER)
BUSY = OverCapacity("full", retry_after_ms=1500)


class Answering:
    """A transport of which only calls are used; each is answered as `answers` says, the last of them for good."""

    address = "somewhere"

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.made: list[float] = []

    def check(self) -> None:
        pass

    async def call(self, request: Any, timeout_s: float) -> Any:
        assert request == QUESTION
        self.made.append(timeout_s)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return await answer() if callable(answer) else answer

    def no_answer(self) -> EngramError:
        return Unavailable("no Engram server answers at somewhere", code=NO_SERVER)


def calls_over(transport: Any, timeout_s: float = 10.0) -> Calls:
    return Calls(transport, timeout_s)


async def never() -> Any:
    await asyncio.Event().wait()


@pytest.fixture
async def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits between attempts, which take no time: the clock of the loop is put forward instead."""
    loop, waits = asyncio.get_running_loop(), list[float]()
    time = loop.time

    async def sleep(delay_s: float) -> None:
        waits.append(delay_s)

    monkeypatch.setattr(loop, "time", lambda: time() + sum(waits))
    monkeypatch.setattr("engram.client.retry.asyncio.sleep", sleep)
    return waits


async def failure(calls: Calls) -> EngramError:
    with pytest.raises(EngramError) as caught:
        await calls.unary(QUESTION)
    return caught.value


async def test_a_call_that_may_succeed_later_is_made_again_after_the_time_it_was_told(slept: list[float]) -> None:
    transport = Answering(BUSY, ANSWER)
    assert await calls_over(transport).unary(QUESTION) is ANSWER
    assert slept == [1.5]
    first, second = transport.made
    assert second <= first - 1.5, "the second attempt has only what is left of the time"


async def test_what_no_waiting_cures_is_raised_at_once(slept: list[float]) -> None:
    transport = Answering(NotFound("no such space"))
    assert isinstance(await failure(calls_over(transport)), NotFound)
    assert (len(transport.made), slept) == (1, [])


async def test_a_server_that_never_answered_is_given_up_early(slept: list[float]) -> None:
    assert (await failure(calls_over(Answering(REFUSED), timeout_s=60))).code == NO_SERVER
    assert sum(slept) < 2


async def test_a_server_that_answered_once_is_waited_for(slept: list[float]) -> None:
    calls = calls_over(Answering(ANSWER, REFUSED), timeout_s=60)
    await calls.unary(QUESTION)
    assert (await failure(calls)).code == NO_SERVER
    assert 50 < sum(slept) < 60


async def test_a_refusal_is_an_answer_too(slept: list[float]) -> None:
    calls = calls_over(Answering(NotFound("no such space"), REFUSED), timeout_s=60)
    await failure(calls)
    await failure(calls)
    assert sum(slept) > 50


@pytest.mark.parametrize(("first", "code"), [([], NO_SERVER), ([ANSWER], "call_timeout")])
async def test_a_transport_that_gives_up_is_told_by_whether_a_server_ever_answered(first: list[Any], code: str) -> None:
    calls = calls_over(Answering(*first, TimeoutError()), timeout_s=0.01)
    for _ in first:
        await calls.unary(QUESTION)
    error = await failure(calls)
    assert error.code == code
    assert "somewhere" in error.message


async def test_a_transport_that_hangs_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    transport = Answering(never)
    waiting = asyncio.ensure_future(failure(calls_over(transport)))
    await until(lambda: bool(transport.made))
    await pass_time(monkeypatch, 11.0)
    assert (await asyncio.wait_for(waiting, WAIT_S)).code == NO_SERVER


@pytest.mark.parametrize(("first", "code"), [([], NO_SERVER), ([ANSWER], "call_timeout")])
async def test_other_waits_have_the_same_limit(monkeypatch: pytest.MonkeyPatch, first: list[Any], code: str) -> None:
    calls = calls_over(Answering(*first, TimeoutError()))
    for _ in first:
        await calls.unary(QUESTION)
    entered = asyncio.Event()

    async def wait() -> None:
        async with calls.within("opening the session"):
            entered.set()
            await never()

    waiting = asyncio.ensure_future(wait())
    await asyncio.wait_for(entered.wait(), WAIT_S)
    await pass_time(monkeypatch, 11.0)
    with pytest.raises(EngramError) as caught:
        await asyncio.wait_for(waiting, WAIT_S)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "timeout_s",
    ["x", None, True, float("nan"), float("inf"), -1, 0, 86_401, 1e10, 10**400, 1j, [5]],
    ids=lambda v: str(v)[:9],
)
def test_a_timeout_that_is_no_time_or_endless_is_refused(timeout_s: Any) -> None:
    with pytest.raises(
        InvalidInput, match=r"timeout_s is .*; pass a number of seconds above 0, at most 86400"
    ) as caught:
        calls_over(Answering(ANSWER), timeout_s)
    assert (caught.value.code, caught.value.field) == ("invalid_option", "timeout_s")


async def test_a_closed_client_makes_no_calls_not_even_again(slept: list[float]) -> None:
    calls = calls_over(Answering(ANSWER))
    calls.refuse()
    assert (await failure(calls)).code == "client_closed"

    async def closing() -> Any:
        calls.refuse()
        raise BUSY

    calls = calls_over(Answering(closing, ANSWER))
    assert (await failure(calls)).code == "client_closed"
    assert slept == [1.5]


async def cancelled_by_its_transport() -> Any:
    raise asyncio.CancelledError


async def test_a_call_that_ends_with_the_connection_fails_typed_unless_its_task_is_cancelled() -> None:
    calls = calls_over(Answering(never, cancelled_by_its_transport))
    calls_under_way = [asyncio.ensure_future(calls.unary(QUESTION)) for _ in range(2)]
    ended = await asyncio.wait(calls_under_way, return_when=asyncio.FIRST_COMPLETED)
    # Nobody has closed the client, so this is not ours to explain.
    assert [task.cancelled() for task in ended[0]] == [True]
    calls.refuse()
    (waiting,) = ended[1]
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    async def closed() -> Any:
        calls.refuse()
        raise asyncio.CancelledError

    calls = calls_over(Answering(closed))
    assert (await failure(calls)).code == "client_closed"


async def test_those_who_look_for_the_server_together_share_one_answer() -> None:
    let_go = asyncio.Event()

    async def late() -> Any:
        await let_go.wait()
        return ANSWER

    transport = Answering(late)
    calls = calls_over(transport)
    looking = [asyncio.create_task(calls.check_server("notes")) for _ in range(5)]
    await asyncio.sleep(0)
    looking[0].cancel()
    await asyncio.wait({looking[0]})
    let_go.set()
    await asyncio.gather(*looking[1:])
    assert len(transport.made) == 1, "and one who leaves does not end it for the others"
    await calls.check_server("notes")
    assert len(transport.made) == 2, "an old answer says nothing of now"


async def test_each_who_looks_in_vain_has_an_error_of_its_own(slept: list[float]) -> None:
    calls = calls_over(Answering(REFUSED))
    errors = await asyncio.gather(*(calls.check_server("notes") for _ in range(3)), return_exceptions=True)
    assert {error.code for error in errors if isinstance(error, EngramError)} == {NO_SERVER}
    assert len({id(error) for error in errors}) == 3


@pytest.mark.parametrize(
    ("error", "code"), [(None, "call_timeout"), (OverCapacity("full"), "call_timeout"), (REFUSED, NO_SERVER)]
)
async def test_an_answer_of_another_kind_of_call_is_one_of_the_server(error: EngramError | None, code: str) -> None:
    calls = calls_over(Answering(TimeoutError()), timeout_s=0.01)
    calls.note_answer(error)
    assert (await failure(calls)).code == code
