"""Between two messages of observations, recalls get as many turns of the event loop as they are due."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from engram.streaming.recalls.loop_priority import LoopPriority


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


async def iterations_given(loop_priority: LoopPriority) -> int:
    """How many turns of the loop pass until who gives way goes on."""
    yielding = asyncio.ensure_future(loop_priority.yield_to_recalls())
    # The first turn starts it.
    iterations = -1
    while not yielding.done():
        await asyncio.sleep(0)
        iterations += 1
    return iterations


async def test_without_recalls_nobody_waits() -> None:
    assert await iterations_given(LoopPriority()) == 0


async def test_with_recalls_under_way_turns_are_theirs_however_many_they_are() -> None:
    clock = Clock()
    loop_priority = LoopPriority(iterations=8, clock_s=clock)
    with loop_priority.recall_in_progress(), loop_priority.recall_in_progress():
        clock.now_s += 10.0
        assert await iterations_given(loop_priority) == 8


@pytest.mark.parametrize(("moves_s", "iterations"), [(0.0, 5 + 8), (0.01, 3 + 8)])
async def test_while_recalls_keep_coming_they_pass_until_streams_must_go_on(moves_s: float, iterations: int) -> None:
    clock = Clock()
    loop_priority = LoopPriority(iterations=8, wait_s_max=0.035, clock_s=clock)
    with ExitStack() as under_way:
        under_way.enter_context(loop_priority.recall_in_progress())
        yielding = asyncio.ensure_future(loop_priority.yield_to_recalls())
        await asyncio.sleep(0)
        passed = 0
        while not yielding.done():
            if passed < 5:
                under_way.enter_context(loop_priority.recall_in_progress())
            clock.now_s += moves_s
            await asyncio.sleep(0)
            passed += 1
    assert passed == iterations


async def test_after_a_recall_the_next_is_expected_for_a_while() -> None:
    clock = Clock()
    loop_priority = LoopPriority(iterations=8, clock_s=clock)
    with loop_priority.recall_in_progress():
        pass
    await loop_priority.yield_to_recalls()
    assert await iterations_given(loop_priority) == 8
    clock.now_s += 10.0
    assert await iterations_given(loop_priority) == 0


async def test_a_message_by_itself_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    timers: list[Callable[[], None]] = []

    def call_later(delay_s: float, callback: Callable[[], None]) -> asyncio.Handle:
        timers.append(callback)
        return asyncio.Handle(callback, (), loop)

    monkeypatch.setattr(loop, "call_later", call_later)
    loop_priority = LoopPriority(iterations=8, clock_s=Clock())
    with loop_priority.recall_in_progress():
        pass
    for _ in range(3):
        assert await iterations_given(loop_priority) == 0
        # Behind it, the next one waits for the turns of recalls.
        assert await iterations_given(loop_priority) == 8
        # Once it is done, time passes.
        timers.clear()
        await asyncio.sleep(0)
        (passes,) = timers
        passes()
    with loop_priority.recall_in_progress():
        assert await iterations_given(loop_priority) == 8


async def test_a_recall_that_fails_is_not_under_way_any_more() -> None:
    loop_priority = LoopPriority()
    with pytest.raises(ZeroDivisionError), loop_priority.recall_in_progress():
        raise ZeroDivisionError
    assert loop_priority.under_way == 0


async def test_streams_take_turns_in_order_each_after_the_turns_of_recalls() -> None:
    loop_priority = LoopPriority(iterations=4, clock_s=Clock())
    passed: list[tuple[int, int]] = []
    iteration = 0

    async def observe(stream: int) -> None:
        await loop_priority.yield_to_recalls()
        passed.append((stream, iteration))

    with loop_priority.recall_in_progress():
        streams = asyncio.gather(*(observe(number) for number in range(3)))
        while not streams.done():
            await asyncio.sleep(0)
            iteration += 1
    assert [stream for stream, _ in passed] == [0, 1, 2]
    iterations = [iteration for _, iteration in passed]
    assert all(later - earlier >= 4 for earlier, later in itertools.pairwise(iterations))
