"""Between two messages of observations, recalls get as many turns of the event loop as they are due."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import ExitStack

import pytest

from engram.streaming.recalls.loop_priority import LoopPriority


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


async def turns_given(right_of_way: LoopPriority) -> int:
    """How many turns of the loop pass until who gives way goes on."""
    giving = asyncio.ensure_future(right_of_way.give())
    # The first turn starts it.
    turns = -1
    while not giving.done():
        await asyncio.sleep(0)
        turns += 1
    return turns


async def test_without_recalls_nobody_waits() -> None:
    assert await turns_given(LoopPriority()) == 0


async def test_with_recalls_under_way_turns_are_theirs_however_many_they_are() -> None:
    clock = Clock()
    right_of_way = LoopPriority(turns=8, clock_s=clock)
    with right_of_way.taken(), right_of_way.taken():
        clock.now_s += 10.0
        assert await turns_given(right_of_way) == 8


@pytest.mark.parametrize(("moves_s", "turns"), [(0.0, 5 + 8), (0.01, 3 + 8)])
async def test_while_recalls_keep_coming_they_pass_until_streams_must_go_on(moves_s: float, turns: int) -> None:
    clock = Clock()
    right_of_way = LoopPriority(turns=8, patience_s=0.035, clock_s=clock)
    with ExitStack() as under_way:
        under_way.enter_context(right_of_way.taken())
        giving = asyncio.ensure_future(right_of_way.give())
        await asyncio.sleep(0)
        passed = 0
        while not giving.done():
            if passed < 5:
                under_way.enter_context(right_of_way.taken())
            clock.now_s += moves_s
            await asyncio.sleep(0)
            passed += 1
    assert passed == turns


async def test_after_a_recall_the_next_is_expected_for_a_while() -> None:
    clock = Clock()
    right_of_way = LoopPriority(turns=8, clock_s=clock)
    with right_of_way.taken():
        pass
    assert await turns_given(right_of_way) == 8
    clock.now_s += 10.0
    assert await turns_given(right_of_way) == 0


async def test_a_recall_that_fails_is_not_under_way_any_more() -> None:
    right_of_way = LoopPriority()
    with pytest.raises(ZeroDivisionError), right_of_way.taken():
        raise ZeroDivisionError
    assert right_of_way.under_way == 0


async def test_streams_take_turns_in_order_each_after_the_turns_of_recalls() -> None:
    right_of_way = LoopPriority(turns=4, clock_s=Clock())
    passed: list[tuple[int, int]] = []
    turn = 0

    async def observe(stream: int) -> None:
        await right_of_way.give()
        passed.append((stream, turn))

    with right_of_way.taken():
        streams = asyncio.gather(*(observe(number) for number in range(3)))
        while not streams.done():
            await asyncio.sleep(0)
            turn += 1
    assert [stream for stream, _ in passed] == [0, 1, 2]
    turns = [turn for _, turn in passed]
    assert all(later - earlier >= 4 for earlier, later in itertools.pairwise(turns))
