"""What has begun to arrive is bounded over all connections, and small messages always arrive."""

from __future__ import annotations

import asyncio

import pytest

from engram.errors import OverCapacity
from engram.streaming.pressure.receiving import UNCOUNTED_BYTES, Arriving, ReceiveBudget


def test_all_together_have_one_budget() -> None:
    budget = ReceiveBudget(100)
    first, second = Arriving(budget), Arriving(budget)
    first.hold(UNCOUNTED_BYTES + 30)
    first.hold(UNCOUNTED_BYTES + 60)
    second.hold(UNCOUNTED_BYTES + 40)
    assert budget.nbytes == 100
    with pytest.raises(OverCapacity) as caught:
        second.hold(UNCOUNTED_BYTES + 41)
    refusal = caught.value
    assert (refusal.code, refusal.limit, refusal.value) == ("unfinished_bytes", "100", "101")
    assert refusal.retry_after_ms is not None
    assert budget.nbytes == 100
    first.release()
    second.hold(UNCOUNTED_BYTES + 100)
    second.release()
    second.release()
    assert budget.nbytes == 0


def test_small_messages_arrive_however_full_it_is() -> None:
    budget = ReceiveBudget(10)
    Arriving(budget).hold(UNCOUNTED_BYTES + 10)
    for _ in range(100):
        Arriving(budget).hold(UNCOUNTED_BYTES)
    assert budget.nbytes == 10


def test_what_shrinks_is_never_refused() -> None:
    budget = ReceiveBudget(100)
    arriving = Arriving(budget)
    arriving.hold(UNCOUNTED_BYTES + 90)
    budget.nbytes += 1000
    arriving.hold(UNCOUNTED_BYTES + 80)
    assert budget.nbytes == 1080


async def test_who_waits_for_room_is_served_in_turn() -> None:
    budget = ReceiveBudget(100)
    holding, large, small = Arriving(budget), Arriving(budget), Arriving(budget)
    holding.hold(UNCOUNTED_BYTES + 60)
    waiting = [asyncio.create_task(each.reserve(UNCOUNTED_BYTES + n)) for each, n in ((large, 90), (small, 40))]
    for _ in range(5):
        await asyncio.sleep(0)
    # There would be room for the second one, which came later.
    assert budget.nbytes == 60
    holding.release()
    await waiting[0]
    assert budget.nbytes == 90
    large.release()
    await waiting[1]
    assert budget.nbytes == 40


async def test_who_gives_up_waiting_is_passed_over() -> None:
    budget = ReceiveBudget(100)
    holding, first, second = Arriving(budget), Arriving(budget), Arriving(budget)
    holding.hold(UNCOUNTED_BYTES + 60)
    waiting = asyncio.create_task(first.reserve(UNCOUNTED_BYTES + 50))
    await asyncio.sleep(0)
    waiting.cancel()
    await second.reserve(UNCOUNTED_BYTES + 40)
    assert budget.nbytes == 100
    assert waiting.cancelled()
