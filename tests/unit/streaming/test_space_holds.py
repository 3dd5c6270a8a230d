"""Spaces that rest are opened once, on threads of their own, and stay open as long as a call uses them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engram.errors import AlreadyExists, FailedPrecondition, InvalidInput, NotFound, OverCapacity, Unavailable
from engram.model.spaces import SpaceConfig
from engram.store.resting import open_spaces
from engram.store.space_engine import SpaceEngine
from engram.store.store_engine import StoreEngine
from engram.streaming.space_holds import SpaceHolds
from tests.doubles.batches import DIM
from tests.doubles.openings import ONE, Openings
from tests.doubles.waiting import TIMEOUT_S

NAMES = ["space-0", "space-1", "space-2", "space-3"]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody give up because the machine does much else."""
    monkeypatch.setattr(open_spaces, "_ROOM_TIMEOUT_S", TIMEOUT_S)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[StoreEngine]:
    """A store of four spaces, all of which rest."""
    with StoreEngine(tmp_path, options=ONE) as made:
        for name in NAMES:
            made.space(name, DIM)
    opened = StoreEngine(tmp_path, options=ONE)
    yield opened
    await asyncio.to_thread(opened.close)


@pytest.fixture
async def holds(store: StoreEngine) -> AsyncIterator[SpaceHolds]:
    holds = SpaceHolds(store)
    yield holds
    assert holds._openings == {}
    await asyncio.to_thread(holds.close)


@pytest.fixture
def openings(monkeypatch: pytest.MonkeyPatch) -> Openings:
    return Openings(monkeypatch)


async def use(holds: SpaceHolds, name: str) -> SpaceEngine:
    async with holds.held(name) as space:
        assert not space.occupancy.rests
        await asyncio.sleep(0)
        assert not space.occupancy.rests
        return space


async def test_spaces_are_opened_on_threads_of_their_own_in_turn(
    store: StoreEngine, holds: SpaceHolds, openings: Openings
) -> None:
    for name in NAMES * 2:
        assert (await use(holds, name)).config.name == name
    assert openings.names == NAMES * 2
    assert openings.are_in_place
    # One that is open is opened by nobody.
    await use(holds, NAMES[-1])
    assert len(openings.names) == 2 * len(NAMES)
    assert [space.occupancy._holders for space in store.spaces()] == [0]


async def test_however_many_calls_come_a_space_is_opened_once(holds: SpaceHolds, openings: Openings) -> None:
    openings.let_go.clear()
    calls = [asyncio.create_task(use(holds, NAMES[0])) for _ in range(20)]
    await openings.wait_for_one()
    openings.let_go.set()
    assert len(set(await asyncio.gather(*calls))) == 1
    assert openings.names == NAMES[:1]


async def test_calls_that_take_each_others_place_all_have_their_turn(store: StoreEngine, holds: SpaceHolds) -> None:
    calls = [use(holds, NAMES[number % 2]) for number in range(40)]
    assert len(await asyncio.gather(*calls)) == 40
    assert [space.occupancy._holders for space in store.spaces()] == [0]


async def test_what_is_held_does_not_rest_and_others_are_told_so(
    holds: SpaceHolds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_spaces, "_ROOM_TIMEOUT_S", 0.1)
    async with holds.held(NAMES[0]) as space:
        with pytest.raises(OverCapacity) as caught:
            await use(holds, NAMES[1])
        assert caught.value.code == "too_many_open_spaces"
        assert not space.occupancy.rests
    monkeypatch.setattr(open_spaces, "_ROOM_TIMEOUT_S", TIMEOUT_S)
    await use(holds, NAMES[1])
    assert space.occupancy.rests


async def test_one_that_could_not_be_opened_at_the_start_is_opened_on_a_thread(
    store: StoreEngine, holds: SpaceHolds, openings: Openings
) -> None:
    store.table._refuse(NAMES[0], Unavailable("the disk said nothing", code="log_failed"))
    await use(holds, NAMES[0])
    assert (openings.names, openings.are_in_place) == (NAMES[:1], True)
    assert store.unsound == {}


async def test_only_so_many_are_opened_at_the_same_time(store: StoreEngine, openings: Openings) -> None:
    holds = SpaceHolds(store, openings_max=2)
    openings.let_go.clear()
    calls = [asyncio.create_task(use(holds, name)) for name in NAMES[:2]]
    await openings.wait_for_one()
    with pytest.raises(OverCapacity) as caught:
        await use(holds, NAMES[2])
    assert (caught.value.code, caught.value.limit) == ("too_many_openings", "2")
    assert caught.value.retry_after_ms is not None
    openings.let_go.set()
    await asyncio.gather(*calls)
    await use(holds, NAMES[2])
    await asyncio.to_thread(holds.close)


@pytest.mark.parametrize("count", [1, 2])
async def test_whoever_stops_waiting_ends_nothing_and_keeps_nothing_open(
    count: int, store: StoreEngine, holds: SpaceHolds, openings: Openings
) -> None:
    openings.let_go.clear()
    calls = [asyncio.create_task(use(holds, NAMES[0])) for _ in range(2)]
    await openings.wait_for_one()
    for call in calls[:count]:
        call.cancel()
    await asyncio.wait(calls[:count])
    openings.let_go.set()
    await asyncio.gather(*calls[count:])
    async with asyncio.timeout(TIMEOUT_S):
        while holds._openings:  # noqa: ASYNC110 - There is no event for it.
            await asyncio.sleep(0)
    assert (openings.names, [space.occupancy._holders for space in store.spaces()]) == (NAMES[:1], [0])


async def test_an_opening_that_fails_is_told_to_all_and_tried_again(holds: SpaceHolds, openings: Openings) -> None:
    openings.let_go.clear()
    openings.error = Unavailable("something is short", code="no_memory")
    calls = [asyncio.create_task(use(holds, NAMES[0])) for _ in range(3)]
    await openings.wait_for_one()
    openings.let_go.set()
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert [getattr(end, "code", None) for end in ends] == ["no_memory"] * 3
    openings.error = None
    await use(holds, NAMES[0])
    assert openings.names == NAMES[:1] * 2


async def test_a_space_is_created_as_it_is_asked_for(holds: SpaceHolds) -> None:
    config = SpaceConfig("notes", DIM)
    for _ in range(2):
        async with holds.held("notes", config) as space:
            assert space.config == config
        await use(holds, NAMES[0])
    with pytest.raises(AlreadyExists):
        async with holds.held("notes", SpaceConfig("notes", DIM + 1)):
            pass
    with pytest.raises(NotFound):
        async with holds.held("other", SpaceConfig("other", DIM, embedder="nope")):
            pass
    with pytest.raises(NotFound):
        await use(holds, "other")


@pytest.mark.parametrize("ends", ["dropped", "renamed"])
async def test_whoever_holds_a_space_that_is_no_more_is_told_so(
    ends: str, store: StoreEngine, holds: SpaceHolds
) -> None:
    async def hold() -> None:
        async with holds.held(NAMES[0]):
            if ends == "dropped":
                await asyncio.to_thread(store.naming.drop, NAMES[0])
            else:
                await asyncio.to_thread(store.naming.rename, NAMES[0], "renamed")
            store.space(NAMES[0], create=False, wait=False)

    with pytest.raises(FailedPrecondition) as told:
        await hold()
    assert told.value.code == f"space_{ends}"
    with pytest.raises(NotFound):
        await use(holds, NAMES[0])


async def test_an_error_in_a_space_that_is_there_stays_what_it_is(holds: SpaceHolds) -> None:
    async def hold() -> None:
        async with holds.held(NAMES[0]):
            raise InvalidInput("it is a test")

    with pytest.raises(InvalidInput):
        await hold()


async def test_whoever_waits_for_a_space_that_is_dropped_while_it_is_opened_is_told_so(
    store: StoreEngine, holds: SpaceHolds, openings: Openings
) -> None:
    async def hold() -> SpaceEngine:
        async with holds.held(NAMES[0]) as space:
            return space

    openings.let_go.clear()
    calls = [asyncio.create_task(hold()) for _ in range(3)]
    await openings.wait_for_one()
    dropping = asyncio.create_task(asyncio.to_thread(store.naming.drop, NAMES[0]))
    openings.let_go.set()
    # It waits for the opening, and comes before or after those who have waited for that, too.
    assert (await dropping).space == NAMES[0]
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(end, SpaceEngine) or getattr(end, "code", "") == "space_dropped" for end in ends)
    with pytest.raises(NotFound):
        await use(holds, NAMES[0])
