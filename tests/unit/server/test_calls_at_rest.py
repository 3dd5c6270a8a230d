"""Calls to spaces that rest: the event loop opens none, and nobody else waits for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engram.errors import Unavailable
from engram.metrics import table
from engram.metrics.samples import MetricSamples
from engram.model.cue import Cue
from engram.model.observations import ObservationBatch, with_vectors
from engram.model.operations.requests import CreateSpace, DescribeSpace, Get, Observe, Recall, StreamRecall
from engram.model.query import RecallQuery
from engram.model.spaces import SpaceConfig
from engram.server.calls import ServerCalls
from engram.server.engine import Engine
from engram.server.handlers.session_stream import open_session
from engram.server.http.api.partial_recall import recall_in_time
from engram.server.options import ServerOptions
from engram.store.resting import open_spaces
from engram.store.resting.open_spaces import OpenSpaces
from engram.store.space_engine import SpaceEngine
from engram.streaming.recalls.short_recalls import K_MAX
from engram.streaming.sessions.claim import Claim
from tests.doubles.batches import DIM, batch_of, vector_of
from tests.doubles.openings import ONE, Openings
from tests.doubles.waiting import TIMEOUT_S
from tests.unit.server.test_calls import CALLER, answer, incoming, operation_of

QUERY = RecallQuery(Cue(vector_of("a")), k=5, batch_size=1)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody give up because the machine does much else."""
    monkeypatch.setattr(open_spaces, "_ROOM_TIMEOUT_S", TIMEOUT_S)


@pytest.fixture
async def calls(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[ServerCalls]:
    """A server that has one space open at a time, with the spaces ``default`` and ``notes``, which reads texts."""
    store = replace(ONE, open_spaces_max=getattr(request, "param", 1))
    engine = Engine.open(ServerOptions(tmp_path / "data", default_space=SpaceConfig("default", DIM), store=store))
    calls = ServerCalls(engine)
    await answer(calls, Observe("default", batch_of(["a", "b"])))
    await answer(calls, CreateSpace(SpaceConfig("notes", DIM, embedder="lexical")))
    yield calls
    await engine.close()


@pytest.fixture
def openings(calls: ServerCalls, monkeypatch: pytest.MonkeyPatch) -> Openings:
    return Openings(monkeypatch)


def texts(*ids: str) -> ObservationBatch:
    """Observations without vectors, as they come from a client."""
    return with_vectors(batch_of(ids), np.empty((len(ids), 0), np.float32))


def open_names(calls: ServerCalls) -> list[str]:
    return [space.config.name for space in calls.engine.store.spaces()]


async def test_every_kind_of_call_is_answered_by_whichever_space_it_is_about(
    calls: ServerCalls, openings: Openings
) -> None:
    batches: list[Any] = []

    async def write(batch: Any) -> None:
        batches.append(batch)

    for number in range(3):
        for name in ("default", "notes"):
            batch = batch_of([f"id-{number}"]) if name == "default" else texts(f"id-{number}")
            assert (await answer(calls, Observe(name, batch))).count == 1
            assert open_names(calls) == [name]
        for name, count in (("default", number + 3), ("notes", number + 1)):
            assert (await answer(calls, DescribeSpace(name))).live_count == count
            assert len((await answer(calls, Recall(name, QUERY))).hits) == min(5, count)
            assert len(await answer(calls, Get(name, [f"id-{number}", "never"]))) == 1
            batches.clear()
            request = StreamRecall(name, QUERY)
            await calls.stream(operation_of(request), incoming(request), lambda batch: batch, CALLER, write)
            assert sum(len(batch.hits) for batch in batches) == min(5, count)
            recalled = await recall_in_time(calls, incoming(Recall(name, QUERY)), CALLER)
            assert len(recalled.hits) == min(5, count)
    assert set(openings.names) == {"default", "notes"}
    assert openings.are_in_place


async def test_a_space_stays_open_while_its_texts_are_embedded(
    calls: ServerCalls, openings: Openings, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare, take_room = SpaceEngine.prepare, OpenSpaces.take_room
    embedding, wanted, let_go = threading.Event(), threading.Event(), threading.Event()

    def slow(space: SpaceEngine, batch: ObservationBatch) -> ObservationBatch:
        embedding.set()
        assert let_go.wait(TIMEOUT_S)
        return prepare(space, batch)

    def wanting(opened: OpenSpaces, name: str, *, beside: bool = False) -> None:
        wanted.set()
        take_room(opened, name, beside=beside)

    monkeypatch.setattr(SpaceEngine, "prepare", slow)
    observing = asyncio.create_task(answer(calls, Observe("notes", texts("a"))))
    assert await asyncio.to_thread(embedding.wait, TIMEOUT_S)
    (engine,) = calls.engine.store.spaces()
    monkeypatch.setattr(OpenSpaces, "take_room", wanting)
    recalling = asyncio.create_task(answer(calls, Recall("default", QUERY)))
    assert await asyncio.to_thread(wanted.wait, TIMEOUT_S)
    assert not engine.occupancy.rests
    let_go.set()
    assert (await observing).last_generation == 1
    assert len((await recalling).hits) == 2
    assert openings.are_in_place


@pytest.mark.parametrize("calls", [2], indirect=True)
async def test_calls_to_a_space_that_is_being_opened_take_no_thread_from_others(
    calls: ServerCalls, openings: Openings
) -> None:
    """However many: those who recall elsewhere go on."""
    held = calls.engine.store.space("notes", create=False).held()
    # It takes the place of the other one.
    await answer(calls, CreateSpace(SpaceConfig("more", DIM)))
    assert calls.engine.store.table.rests("default")
    openings.let_go.clear()
    count = 3 * calls.engine.options.recall_threads
    waiting = [asyncio.create_task(answer(calls, Get("default", ["a"]))) for _ in range(count)]
    await openings.wait_for_one()
    for request in (Get("notes", ["a"]), Recall("notes", replace(QUERY, k=K_MAX + 1)), DescribeSpace("notes")):
        await asyncio.wait_for(answer(calls, request), TIMEOUT_S)
    assert not any(call.done() for call in waiting)
    openings.let_go.set()
    assert [len(found) for found in await asyncio.gather(*waiting)] == [1] * count
    held.let_go()
    assert openings.names == ["default"]


async def test_a_stream_keeps_its_space_open_until_its_first_batch(calls: ServerCalls) -> None:
    opened = list[bool]()

    async def write(batch: Any) -> None:
        # Whoever does not read on keeps nobody from using another space.
        await answer(calls, DescribeSpace("notes"))
        opened.append(open_names(calls) == ["notes"])

    request = StreamRecall("default", QUERY)
    await calls.stream(operation_of(request), incoming(request), lambda batch: batch, CALLER, write)
    assert len(opened) > 1
    assert all(opened)


async def test_refusals_of_a_space_that_cannot_be_opened_are_counted(calls: ServerCalls, openings: Openings) -> None:
    await answer(calls, DescribeSpace("notes"))
    openings.error = Unavailable("something is short", code="no_memory")
    with pytest.raises(Unavailable):
        await answer(calls, Observe("default", batch_of(["a", "b"])))
    samples = MetricSamples(calls.engine.counters.observations.samples("default"))
    assert samples.value(table.OBSERVATIONS_REJECTED, reason="no_memory") == 2


async def test_a_session_is_opened_in_a_space_that_rests(calls: ServerCalls, openings: Openings) -> None:
    await answer(calls, DescribeSpace("notes"))
    connection = calls.engine.connect()
    await open_session(calls.engine, CALLER, connection, "default", "mine", Claim())
    assert connection.session is not None
    assert open_names(calls) == ["default"]
    connection.detach()
    await answer(calls, DescribeSpace("notes"))
    assert openings.are_in_place
