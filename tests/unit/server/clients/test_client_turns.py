"""Turns in which calls begin: clients in turn, calls that arrive first, and no place is lost."""

from __future__ import annotations

import asyncio

import pytest

from engram.server.clients.client_turns import ClientTurns

TIMEOUT_S = 60


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Callers:
    """Calls that ask for a turn and keep it until they are told to go on; `begun` has their names in order."""

    def __init__(self, turns: ClientTurns) -> None:
        self.begun: list[str] = []
        self._turns = turns
        self._go_on = asyncio.Event()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def call(self, *names: str) -> None:
        """Have calls come, each named after its client and its number."""
        for name in names:
            self._turns.note_arrival()
            self._tasks[name] = asyncio.create_task(self._call(name))
            await asyncio.sleep(0)

    async def leave(self, name: str) -> None:
        self._tasks[name].cancel()
        await asyncio.wait({self._tasks[name]})

    async def end(self) -> None:
        """Let all go on, and wait until each has had its turn."""
        self._go_on.set()
        async with asyncio.timeout(TIMEOUT_S):
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _call(self, name: str) -> None:
        async with self._turns.turn(name[0]):
            self.begun.append(name)
            await self._go_on.wait()


async def test_as_many_begin_at_once_as_there_is_room_for() -> None:
    callers = Callers(ClientTurns(2))
    await callers.call("a1", "a2", "a3")
    assert callers.begun == ["a1", "a2"]
    await callers.end()
    assert callers.begun == ["a1", "a2", "a3"]


async def test_clients_have_turns_one_after_the_other_however_many_calls_they_made() -> None:
    callers = Callers(ClientTurns(1))
    await callers.call("a1", "a2", "a3", "a4", "b1", "c1", "b2")
    await callers.end()
    assert callers.begun == ["a1", "a2", "b1", "c1", "a3", "b2", "a4"]


async def test_one_that_leaves_takes_no_turn_and_keeps_none() -> None:
    callers = Callers(ClientTurns(1))
    await callers.call("a1", "a2", "b1", "a3")
    await callers.leave("a2")
    await callers.leave("a1")
    await callers.end()
    assert callers.begun == ["a1", "a3", "b1"]
    later = Callers(callers._turns)
    await later.call("a1")
    assert later.begun == ["a1"], "there is room again"
    await later.end()


async def test_a_turn_that_was_just_given_goes_to_the_next_if_its_caller_leaves() -> None:
    turns = ClientTurns(1)
    callers = Callers(turns)
    async with turns.turn("x"):
        await callers.call("a1", "b1")
    given = callers._tasks["a1"]
    while turns._free or turns._giving is not None:
        await asyncio.sleep(0)
        if not turns._free:
            given.cancel()
            break
    await asyncio.wait({given})
    await callers.end()
    assert callers.begun == ["b1"]


async def test_what_fails_in_the_body_gives_its_turn_back() -> None:
    turns = ClientTurns(1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with turns.turn("a"):
                raise ZeroDivisionError


@pytest.mark.parametrize(("moves_s", "iterations"), [(0.0, 5 + 8), (0.01, 4)])
async def test_while_calls_keep_coming_they_are_taken_until_streams_must_begin(moves_s: float, iterations: int) -> None:
    clock = Clock()
    turns = ClientTurns(1, iterations=8, wait_s_max=0.035, clock_s=clock)
    callers = Callers(turns)
    async with turns.turn("x"):
        await callers.call("a1")
    # The first turn of the loop begins the wait.
    await asyncio.sleep(0)
    passed = 0
    while turns._free:
        if passed < 5:
            turns.note_arrival()
        clock.now_s += moves_s
        await asyncio.sleep(0)
        passed += 1
    assert passed == iterations
    await callers.end()


async def test_where_no_call_comes_turns_follow_each_other_at_once() -> None:
    turns = ClientTurns(1, iterations=1_000_000, clock_s=Clock())
    callers = Callers(turns)
    async with turns.turn("x"):
        for name in ("a1", "b1", "a2"):
            callers._tasks[name] = asyncio.create_task(callers._call(name))
            await asyncio.sleep(0)
    await callers.end()
    assert callers.begun == ["a1", "b1", "a2"]
