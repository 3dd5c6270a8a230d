"""The path into the store: who is admitted when several spaces want the same lane."""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from engram.errors import OverCapacity
from engram.model.priority import Priority
from engram.server.engine import Engine
from engram.server.options import ServerOptions
from engram.store.commit.queue import CommitRequest
from engram.streaming.lanes.lane import LaneLimits
from engram.streaming.lanes.lanes import Lanes
from tests.doubles.batches import batch_of
from tests.doubles.fake_space import FakeSpace, FakeStore

MIB = 1024 * 1024


class Tenants:
    """Two spaces and their way into lanes of a hundred observations, of which ten are taken at once."""

    def __init__(self, executor: ThreadPoolExecutor) -> None:
        self.hot: Any = FakeSpace("hot")
        self.small: Any = FakeSpace("small")
        self.lanes = Lanes(dict.fromkeys(Priority, LaneLimits(100, MIB)), take_count_max=10)
        store: Any = FakeStore(self.lanes, [self.hot, self.small])
        self.store = store
        self._ingest = Engine(ServerOptions(None), store, self.lanes, executor).ingest

    def send(self, space: Any, count: int = 10, priority: Priority = Priority.HIGH) -> str:
        """Offer a batch, and return "" if it is admitted, else the code of the refusal."""
        try:
            self._ingest.submit(
                space, batch_of([f"id-{i}" for i in range(count)]), lambda _: None, priority=priority, received_s=0.0
            )
        except OverCapacity as error:
            self.refusal = error
            return error.code
        return ""

    def fill(self, space: Any) -> None:
        while not self.send(space):
            pass


@pytest.fixture
async def tenants() -> AsyncIterator[Tenants]:
    with ThreadPoolExecutor(1) as executor:
        yield Tenants(executor)


async def test_who_is_alone_may_fill_a_lane(tenants: Tenants) -> None:
    tenants.fill(tenants.hot)
    assert tenants.refusal.code == "lane_full"
    assert tenants.lanes.depth == 100


async def test_a_space_that_fills_the_lane_makes_room_for_one_that_was_refused(tenants: Tenants) -> None:
    tenants.fill(tenants.hot)
    assert tenants.send(tenants.small) == "lane_full"
    tenants.store.commit()
    assert tenants.send(tenants.hot) == "lane_share"
    error = tenants.refusal
    assert (error.field, error.limit, error.value) == ("high_lane_share", "50%", "90%")
    assert error.retry_after_ms is not None
    assert tenants.send(tenants.small) == ""
    while tenants.lanes.depth >= 50:
        tenants.store.commit()
    assert tenants.send(tenants.hot) == ""


async def test_a_space_that_asks_late_finds_room_after_one_take(tenants: Tenants) -> None:
    """However fast a busy space sends, it is held back from the first refusal of another on."""
    tenants.fill(tenants.hot)
    tenants.send(tenants.small)
    for _ in range(5):
        tenants.store.commit()
        while not tenants.send(tenants.hot):
            pass
        assert tenants.refusal.code == "lane_share"
        assert tenants.send(tenants.small) == ""


async def test_whoever_has_its_share_and_no_more_is_refused_by_nobodys_fault_but_the_lanes(tenants: Tenants) -> None:
    for _ in range(5):
        assert tenants.send(tenants.hot) == ""
        assert tenants.send(tenants.small) == ""
    assert [tenants.send(space) for space in (tenants.hot, tenants.small)] == ["lane_full", "lane_full"]


async def test_what_is_being_committed_is_no_longer_in_the_lane(tenants: Tenants) -> None:
    """A lane with room refuses nobody, however much of a space the committer has just taken."""
    tenants.fill(tenants.hot)
    tenants.send(tenants.small)
    for _ in range(6):
        tenants.lanes.take(0)
    assert tenants.lanes.fill(Priority.HIGH) < 0.5
    assert tenants.send(tenants.hot) == ""


async def test_refusals_of_a_space_that_no_lane_caused_leave_others_their_room(tenants: Tenants) -> None:
    """A space whose own tail is full does not take part in the lane, and so gets no share of it."""
    tenants.small.tail.count = tenants.small.tail.limit
    assert tenants.send(tenants.small, priority=Priority.NORMAL) == "overloaded"
    for _ in range(9):
        assert tenants.send(tenants.hot, priority=Priority.NORMAL) == ""
    assert tenants.lanes.shares.used("hot", Priority.NORMAL) == pytest.approx(0.9)


async def test_what_another_engine_has_admitted_counts_there(tenants: Tenants, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a space came to rest meanwhile: its pressure is that of the engine in its place."""

    def move(request: CommitRequest) -> None:
        request.space = tenants.small
        tenants.lanes.put(request)

    monkeypatch.setattr(tenants.store, "submit", move)
    assert tenants.send(tenants.hot) == ""
    assert tenants.lanes.shares.waiting() == {"small"}
