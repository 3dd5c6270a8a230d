"""Short recalls run where the event loop does, and a space that was not quick is left to threads for a while."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from engram.model.cue import Cue, Filter
from engram.model.query import RecallQuery
from engram.model.strength import Strength
from engram.streaming.recalls.short_recalls import (
    EF_MAX,
    K_MAX,
    LONG_S,
    PAUSE_MAX_S,
    PAUSE_MIN_S,
    TURN_COUNT_MAX,
    TURN_S,
    ShortRecalls,
)

SHORT = RecallQuery(Cue([1.0, 2.0]), k=10)


class Clock:
    """A clock that the test moves."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Space:
    """A space, as far as it is looked at: it is one, and not another."""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def space() -> Any:
    return Space()


@pytest.mark.parametrize(
    "query",
    [
        RecallQuery(Cue([1.0]), k=K_MAX + 1),
        RecallQuery(Cue([1.0]), ef=EF_MAX + 1),
        RecallQuery(Cue([1.0]), strength=Strength(60.0)),
        RecallQuery(Cue(text="pumps")),
        RecallQuery(Cue([1.0], text="pumps", by="both")),
        RecallQuery(Cue([1.0], filter=Filter(tags={"x"}))),
        RecallQuery(Cue()),
    ],
)
def test_what_may_take_long_is_left_to_threads(space: Any, query: RecallQuery) -> None:
    assert not ShortRecalls().takes(space, query)
    assert ShortRecalls().takes(space, SHORT)


async def run(short: ShortRecalls, space: Any, clock: Clock, taken_s: float) -> None:
    def answer() -> int:
        clock.now_s += taken_s
        return 7

    await short.turn(space)
    assert short.run(space, answer) == 7


async def test_a_space_that_was_not_quick_pauses_longer_each_time(space: Any, clock: Clock) -> None:
    short = ShortRecalls(clock)
    await run(short, space, clock, LONG_S / 2)
    assert short.takes(space, SHORT)
    paused: list[float] = []
    other: Any = Space()
    for _ in range(9):
        await run(short, space, clock, 2 * LONG_S)
        before_s = clock.now_s
        assert not short.takes(space, SHORT)
        assert short.takes(other, SHORT)
        while not short.takes(space, SHORT):
            clock.now_s += PAUSE_MIN_S / 10
        paused.append(clock.now_s - before_s)
    assert paused[:3] == pytest.approx([PAUSE_MIN_S, 2 * PAUSE_MIN_S, 4 * PAUSE_MIN_S], rel=0.2)
    assert paused[-1] == pytest.approx(PAUSE_MAX_S, rel=0.2)
    await run(short, space, clock, 0.0)
    await run(short, space, clock, 2 * LONG_S)
    clock.now_s += PAUSE_MIN_S * 1.1
    assert short.takes(space, SHORT)


async def ran_in_turns(short: ShortRecalls, space: Any, clock: Clock, count: int, taken_s: float) -> list[int]:
    """How many recalls of those that came together ran in each turn of the event loop, in their order."""
    ran: list[int] = []
    turns = [0]

    async def recall(number: int) -> None:
        assert await short.turn(space)

        def answer() -> None:
            clock.now_s += taken_s
            ran.append(number)
            turns[-1] += 1

        short.run(space, answer)

    recalls = [asyncio.create_task(recall(number)) for number in range(count)]
    while len(ran) < count:
        await asyncio.sleep(0)
        turns.append(0)
    await asyncio.gather(*recalls)
    assert ran == list(range(count))
    return [each for each in turns if each]


@pytest.mark.parametrize(
    ("taken_s", "in_turn"), [(2 * TURN_S, 1), (TURN_S * 0.9, 1), (TURN_S * 0.3, 3), (0.0, TURN_COUNT_MAX)]
)
async def test_as_many_run_in_a_turn_as_fit(space: Any, clock: Clock, taken_s: float, in_turn: int) -> None:
    short = ShortRecalls(clock)
    await run(short, space, clock, taken_s)
    for _ in range(3):
        await asyncio.sleep(0)
    turns = await ran_in_turns(short, space, clock, 5 * in_turn, taken_s)
    assert max(turns) == in_turn
    assert len(turns) <= 6


async def test_one_that_was_given_up_takes_no_place(space: Any, clock: Clock) -> None:
    short = ShortRecalls(clock)
    await run(short, space, clock, 2 * TURN_S)
    waiting = [asyncio.create_task(short.turn(space)) for _ in range(3)]
    await asyncio.sleep(0)
    assert [task.done() for task in waiting] == [True, False, False]
    waiting[1].cancel()
    async with asyncio.timeout(10):
        assert await waiting[2]
        assert await short.turn(space)


@pytest.mark.parametrize("taken_s", [0.0, 2 * TURN_S])
async def test_those_behind_a_long_one_are_left_to_threads(space: Any, clock: Clock, taken_s: float) -> None:
    short = ShortRecalls(clock)
    await run(short, space, clock, taken_s)

    def pass_long() -> None:
        clock.now_s += 2 * LONG_S

    async def recall() -> bool:
        is_quick = await short.turn(space)
        if is_quick:
            short.run(space, pass_long)
        return is_quick

    async with asyncio.timeout(10):
        assert await asyncio.gather(*(recall() for _ in range(3))) == [True, False, False]
        other: Any = Space()
        assert await short.turn(other)


async def test_an_error_is_passed_on_and_lets_others_run(space: Any) -> None:
    short = ShortRecalls()

    def fail() -> None:
        raise ValueError("no")

    for _ in range(3):
        await short.turn(space)
        with pytest.raises(ValueError, match="no"):
            short.run(space, fail)
    await short.turn(space)
    assert short.run(space, lambda: 1) == 1
