"""Calls that are under way in a space that is dropped or renamed are told so, whatever they are about."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from engram.errors import FailedPrecondition, NotFound
from engram.model.operations.changes import ObservationChanges
from engram.model.operations.naming import DropSpace, RenameSpace, SetAlias
from engram.model.operations.operation import Request
from engram.model.operations.requests import CreateSpace, DescribeSpace, Get, Observe, RecallMany
from engram.model.operations.updates import Update
from engram.model.spaces import SpaceConfig
from engram.server.calls import ServerCalls
from engram.server.engine import Engine
from engram.server.options import ServerOptions
from engram.store.resting import open_spaces
from engram.store.space_engine import SpaceEngine
from tests.doubles.batches import DIM, batch_of
from tests.doubles.openings import ONE
from tests.unit.server.test_calls import MANY, TIMEOUT_S, answer

UPDATE = Update("notes", ObservationChanges(["a"], columns={"contents": ["new"]}))
ENDS: dict[str, Request[Any]] = {"space_dropped": DropSpace("notes"), "space_renamed": RenameSpace("notes", "renamed")}


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody give up because the machine does much else."""
    monkeypatch.setattr(open_spaces, "_ROOM_TIMEOUT_S", TIMEOUT_S)


@pytest.fixture
async def calls(tmp_path: Path) -> AsyncIterator[ServerCalls]:
    """A server that has one space open at a time, and a space ``notes`` with the alias ``current``."""
    engine = Engine.open(ServerOptions(tmp_path / "data", default_space=SpaceConfig("default", DIM), store=ONE))
    calls = ServerCalls(engine)
    await answer(calls, CreateSpace(SpaceConfig("notes", DIM)))
    await answer(calls, Observe("notes", batch_of(["a", "b"])))
    await answer(calls, SetAlias("current", "notes"))
    yield calls
    await engine.close()


@pytest.mark.parametrize("code", ENDS)
async def test_an_update_that_is_overtaken_by_the_end_of_its_space_is_told_so(
    calls: ServerCalls, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, let_go, live_versions = threading.Event(), threading.Event(), SpaceEngine.live_versions

    def slow(space: SpaceEngine, ids: Any) -> list[int | None]:
        begun.set()
        assert let_go.wait(TIMEOUT_S)
        return live_versions(space, ids)

    monkeypatch.setattr(SpaceEngine, "live_versions", slow)
    updating = asyncio.create_task(answer(calls, UPDATE.for_space("current")))
    assert await asyncio.to_thread(begun.wait, TIMEOUT_S)
    await answer(calls, ENDS[code])
    let_go.set()
    with pytest.raises(FailedPrecondition) as told:
        await updating
    assert told.value.code == code
    with pytest.raises(NotFound):
        await answer(calls, UPDATE)


@pytest.mark.parametrize("code", ENDS)
async def test_many_cues_that_come_to_a_space_that_has_ended_are_told_so(
    calls: ServerCalls, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, let_go, recall_many = threading.Event(), threading.Event(), SpaceEngine.recall_many

    def slow(space: SpaceEngine, *arguments: Any) -> Any:
        begun.set()
        assert let_go.wait(TIMEOUT_S)
        return (yield from recall_many(space, *arguments))

    monkeypatch.setattr(SpaceEngine, "recall_many", slow)
    recalling = asyncio.create_task(answer(calls, RecallMany("notes", MANY)))
    assert await asyncio.to_thread(begun.wait, TIMEOUT_S)
    await answer(calls, ENDS[code])
    let_go.set()
    with pytest.raises(FailedPrecondition) as told:
        await recalling
    assert told.value.code == code


async def test_a_space_that_rests_is_found_by_its_names(calls: ServerCalls) -> None:
    for name in ("notes", "current"):
        await answer(calls, DescribeSpace("default"))
        assert calls.engine.store.table.rests(name)
        assert [hit.id for hit in await answer(calls, Get(name, ["a"]))] == ["a"]
    await answer(calls, UPDATE.for_space("current"))
    await answer(calls, DescribeSpace("default"))
    await answer(calls, RenameSpace("notes", "renamed"))
    for name in ("renamed", "current"):
        await answer(calls, DescribeSpace("default"))
        (hit,) = await answer(calls, Get(name, ["a"]))
        assert hit.content == "new"
        found = await answer(calls, RecallMany(name, MANY))
        assert {hit.id for hits in found.results for hit in hits} == {"a", "b"}
    await answer(calls, DescribeSpace("default"))
    await answer(calls, DropSpace("renamed"))
    for name in ("renamed", "current", "notes"):
        with pytest.raises(NotFound):
            await answer(calls, Get(name, ["a"]))


@pytest.mark.parametrize("code", ENDS)
async def test_what_was_counted_is_forgotten_with_the_name(calls: ServerCalls, code: str) -> None:
    counts = calls.engine.counters.observations
    assert "notes" in counts.names()
    await answer(calls, ENDS[code])
    assert "notes" not in counts.names()
