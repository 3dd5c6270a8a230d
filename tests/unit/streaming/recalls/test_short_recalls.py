"""Short recalls run where the event loop does, and a space that was not quick is left to threads for a while."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from engram.model.cue import Cue, Filter
from engram.model.query import RecallQuery
from engram.model.strength import Strength
from engram.streaming.recalls.short_recalls import EF_MAX, K_MAX, LONG_S, PAUSE_MAX_S, PAUSE_MIN_S, ShortRecalls

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

    assert await short.run(space, answer) == 7


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


async def test_one_runs_in_each_turn_of_the_event_loop(space: Any, clock: Clock) -> None:
    short = ShortRecalls(clock)
    ran: list[str] = []

    async def turns() -> None:
        while ran.count("recall") < 3:
            ran.append("turn")
            await asyncio.sleep(0)

    recalls = [short.run(space, lambda: ran.append("recall")) for _ in range(3)]
    await asyncio.gather(turns(), *recalls)
    places = [place for place, what in enumerate(ran) if what == "recall"]
    assert len(places) == 3
    assert all("turn" in ran[first:then] for first, then in pairwise(places))


async def test_an_error_is_passed_on_and_lets_others_run(space: Any) -> None:
    short = ShortRecalls()

    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await short.run(space, fail)
    assert await short.run(space, lambda: 1) == 1
