"""Updates of a server: made of the newest version, however often others are quicker, and counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

from engram.errors import FailedPrecondition, InvalidInput, NotFound, OverCapacity
from engram.model.ack import Ack
from engram.model.operations import table
from engram.model.operations.changes import ObservationChanges
from engram.model.operations.requests import DescribeServer, Observe
from engram.model.operations.updates import Update
from engram.model.priority import Priority
from engram.model.spaces import SpaceConfig
from engram.server.authorization import Caller
from engram.server.calls import Incoming, ServerCalls
from engram.server.engine import Engine
from engram.server.handlers import updates, writes
from engram.server.options import ServerOptions
from engram.streaming.ingest import Ingest
from tests.doubles.batches import DIM, batch_of, content_of

SPACE = "default"
MERGED = ObservationChanges(["a"], None, {"metadata": ['{"n":1}']})


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    engine = Engine.open(ServerOptions(None, default_space=SpaceConfig(SPACE, DIM)))
    yield engine
    await engine.close()


async def store(engine: Engine, *ids: str, expected: tuple[int, ...] | None = None) -> Ack:
    return await writes.observe(engine, Observe(SPACE, batch_of(ids), expected_generations=expected), lambda ack: ack)


async def updated(engine: Engine, changes: ObservationChanges, **options: Any) -> Ack:
    return await updates.update(engine, Update(SPACE, changes, **options), lambda ack: ack)


def overtaken(monkeypatch: pytest.MonkeyPatch, times: int) -> list[int]:
    """Have somebody else write ``a`` before what an update stores; return how often that was so far."""
    observe, done = Ingest.observe, list[int]()

    async def overtaking(ingest: Ingest, space: Any, batch: Any, priority: Any, expected: Any = None) -> Any:
        if expected is not None and len(done) < times:
            done.append(len(done))
            await observe(ingest, space, batch_of(["a"], len(done)), priority)
        return await observe(ingest, space, batch, priority, expected)

    monkeypatch.setattr(Ingest, "observe", overtaking)
    return done


async def test_an_update_changes_what_it_names(engine: Engine) -> None:
    await store(engine, "a", "b")
    ack = await updated(engine, ObservationChanges(["b", "a"], None, {"contents": ["x", "y"]}), priority=Priority.HIGH)
    assert (ack.first_generation, ack.last_generation) == (3, 4)
    hit = engine.space(SPACE).get("b")
    assert hit is not None
    assert (hit.content, hit.metadata, hit.generation) == ("x", {"id": "b", "version": 0}, 3)


async def test_the_update_is_made_of_the_version_that_it_supersedes(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store(engine, "a")
    done = overtaken(monkeypatch, 3)
    assert (await updated(engine, MERGED)).last_generation == 1 + 3 + 1
    hit = engine.space(SPACE).get("a")
    assert hit is not None
    assert (len(done), hit.content, hit.metadata) == (3, content_of("a", 3), {"id": "a", "version": 3, "n": 1})


async def test_who_is_always_too_late_is_told(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(updates, "UPDATE_ATTEMPTS_MAX", 3)
    await store(engine, "a")
    done = overtaken(monkeypatch, 9)
    with pytest.raises(OverCapacity) as refused:
        await updated(engine, MERGED)
    assert (refused.value.code, len(done)) == ("contended", 3)
    assert engine.space(SPACE).generation == 4


async def test_other_errors_are_told_at_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    await store(engine, "a")

    async def full(*_: Any) -> Any:
        raise OverCapacity("a lane is full", code="lane_full")

    with pytest.raises(NotFound) as missing:
        await updated(engine, ObservationChanges(["a", "b"], None, {"contents": ["x", "y"]}))
    assert (missing.value.code, missing.value.field) == ("missing_ids", "ids[1]")
    wrong = ObservationChanges(["a"], np.ones((1, DIM + 1), np.float32))
    with pytest.raises(InvalidInput):
        await updated(engine, wrong)
    monkeypatch.setattr(Ingest, "observe", full)
    with pytest.raises(OverCapacity) as refused:
        await updated(engine, MERGED)
    assert refused.value.code == "lane_full"
    assert engine.space(SPACE).generation == 1


async def test_a_condition_is_looked_at_with_the_commit(engine: Engine) -> None:
    answers = await asyncio.gather(*(store(engine, "a", expected=(0,)) for _ in range(3)), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, FailedPrecondition)]
    assert (len(refused), [answer for answer in answers if isinstance(answer, Ack)]) == (2, [1])
    assert (refused[0].code, refused[0].limit, refused[0].value) == ("condition_failed", "0", "1")
    assert (await store(engine, "a", "b", expected=(1, 0))).last_generation == 3


async def test_updates_are_counted_as_observations(engine: Engine) -> None:
    calls = ServerCalls(engine)

    async def answer(operation: Any, request: Any) -> Any:
        incoming: Incoming[Any] = Incoming(request.space_name, lambda: request)
        return await calls.answer(operation, incoming, lambda result: result, Caller("here"))

    await answer(table.OBSERVE, Observe(SPACE, batch_of(["a", "b"])))
    await answer(table.UPDATE, Update(SPACE, MERGED))
    with pytest.raises(NotFound):
        await answer(table.UPDATE, Update(SPACE, ObservationChanges(["a", "x"], None, {"contents": ["y", "z"]})))
    with pytest.raises(FailedPrecondition):
        await answer(table.OBSERVE, Observe(SPACE, batch_of(["a"]), expected_generations=(1,)))
    status = await answer(table.STATUS, DescribeServer())
    assert (status.observations_accepted, status.observations_rejected) == (3, 3)


async def test_an_update_that_is_sent_again_with_its_key_is_made_once(engine: Engine) -> None:
    calls = ServerCalls(engine)
    await store(engine, "a")

    async def again(request: Update) -> Ack:
        incoming: Incoming[Any] = Incoming(SPACE, lambda: request)
        ack: Ack = await calls.answer(table.UPDATE, incoming, lambda result: result, Caller("here"))
        return ack

    request = Update(SPACE, MERGED, idempotency_key="k")
    assert [(await again(request)).last_generation for _ in range(2)] == [2, 2]
    with pytest.raises(FailedPrecondition) as reused:
        await again(Update(SPACE, MERGED, merge=False, idempotency_key="k"))
    assert reused.value.code == "idempotency_key_reused"
    assert (await again(Update(SPACE, MERGED))).last_generation == 3
