"""The frame around every call: what is asked first, where results are encoded, and how a call ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engram.errors import EngramError, FailedPrecondition, InvalidInput, NotFound, OverCapacity, Unavailable
from engram.metrics import table as metrics
from engram.model.cue import Cue
from engram.model.filters.filter import Filter
from engram.model.many.many_query import many_query
from engram.model.operations.naming import DropAlias, DropSpace, ListAliases, RenameSpace, SetAlias
from engram.model.operations.operation import Request
from engram.model.operations.requests import (
    CreateSpace,
    Delete,
    DescribeServer,
    DescribeSpace,
    Get,
    ListSpaces,
    Observe,
    Recall,
    RecallMany,
    StreamRecall,
    TakeSnapshot,
)
from engram.model.operations.scans import Clear, ReadPage
from engram.model.operations.table import OPERATIONS
from engram.model.query import RecallQuery
from engram.model.spaces import SpaceConfig
from engram.server.authorization import Caller
from engram.server.calls import Incoming, ServerCalls
from engram.server.engine import Engine
from engram.server.handlers import recall
from engram.server.malformed import Malformed
from engram.server.options import ServerOptions
from engram.streaming.recalls.recalls import Recalls
from engram.streaming.recalls.short_recalls import K_MAX
from tests.doubles.batches import DIM, batch_of, vector_of
from tests.unit.client.clock import until

CALLER = Caller("here")
TIMEOUT_S = 60
QUERY = RecallQuery(Cue(vector_of("a")), k=5, batch_size=2)
MANY = many_query([vector_of("a")] * 200, 2, None)


@pytest.fixture
async def calls() -> AsyncIterator[ServerCalls]:
    engine = Engine.open(ServerOptions(None, default_space=SpaceConfig("default", DIM)))
    yield ServerCalls(engine)
    await engine.close()


def operation_of(request: Request[Any]) -> Any:
    return next(operation for operation in OPERATIONS.values() if operation.request is type(request))


def incoming(request: Request[Any]) -> Incoming[Any]:
    return Incoming(request.space_name, lambda: request)


async def answer(calls: ServerCalls, request: Request[Any]) -> Any:
    return await calls.answer(operation_of(request), incoming(request), lambda result: result, CALLER)


async def stored(calls: ServerCalls, *ids: str) -> None:
    await answer(calls, Observe("default", batch_of(ids)))


async def test_operations_are_answered_with_their_results(calls: ServerCalls) -> None:
    ack = await answer(calls, Observe("default", batch_of(["a", "b", "c"])))
    assert (ack.first_generation, ack.last_generation, ack.count) == (1, 3, 3)
    found = await answer(calls, Get("default", ["c", "never", "a"], include_vectors=True))
    assert ([hit.id for hit in found], found.generation) == (["c", "a"], 3)
    assert np.allclose(found[0].vector, vector_of("c"))
    recalled = await answer(calls, Recall("default", QUERY))
    assert (recalled.hits[0].id, recalled.generation, len(recalled.hits)) == ("a", 3, 3)
    deleted = await answer(calls, Delete("default", ["a", "never"]))
    assert (int(deleted), deleted.generation) == (1, 4)
    assert (await answer(calls, TakeSnapshot("default"))).generation == 4
    space = await answer(calls, DescribeSpace("default"))
    assert (space.name, space.live_count, space.visible_generation, space.pressure_level) == ("default", 2, 4, "normal")
    assert (await answer(calls, ListSpaces())).spaces[0].name == "default"
    status = await answer(calls, DescribeServer())
    assert (status.observations_accepted, status.recalls) == (3, 1)
    assert status.spaces[0].metrics.value(metrics.LIVE_OBSERVATIONS) == 2
    assert [lane.priority for lane in status.lanes] == ["high", "normal", "low"]


async def test_hits_are_encoded_where_they_are_found(calls: ServerCalls) -> None:
    await stored(calls, "a", "b", "c")
    threads = []
    long = replace(QUERY, k=K_MAX + 1)

    def encode(result: Any) -> int:
        threads.append(threading.current_thread().name)
        return 1

    async def write(_: int) -> None:
        assert threading.current_thread() is threading.main_thread()

    for request in (Recall("default", long), Get("default", ["a"])):
        assert await calls.answer(operation_of(request), incoming(request), encode, CALLER) == 1
    streamed = StreamRecall("default", QUERY)
    await calls.stream(operation_of(streamed), incoming(streamed), encode, CALLER, write)
    assert len(threads) == 4
    assert all(name.startswith("engram-recall") for name in threads)
    short = Recall("default", QUERY)
    assert await calls.answer(operation_of(short), incoming(short), encode, CALLER) == 1
    assert threads[-1] == threading.main_thread().name


async def test_a_long_look_up_is_made_in_turns_at_one_generation(
    calls: ServerCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [f"id-{number}" for number in range(200)]
    await stored(calls, *ids)
    turns, in_thread = list[int](), Recalls._in_thread

    async def counting(recalls: Recalls, work: Any) -> Any:
        turns.append(calls.engine.recalls._waiting)
        result = await in_thread(recalls, work)
        # The ids that are looked up later change now.
        await stored(calls, ids[-1])
        return result

    monkeypatch.setattr(Recalls, "_in_thread", counting)
    found = await answer(calls, Get("default", ids))
    assert ([hit.id for hit in found], found.generation) == (ids, 200)
    assert (found[-1].generation, turns) == (200, [1, 1, 1, 1])


async def test_many_cues_are_answered_in_turns_at_one_generation_and_count_as_many_recalls(
    calls: ServerCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stored(calls, "a", "b", "c")
    turns, in_thread = list[int](), Recalls._in_thread

    async def counting(recalls: Recalls, work: Any) -> Any:
        turns.append(calls.engine.recalls._waiting)
        result = await in_thread(recalls, work)
        # What would be found from now on is another.
        await stored(calls, "a")
        return result

    monkeypatch.setattr(Recalls, "_in_thread", counting)
    found = await answer(calls, RecallMany("default", MANY))
    assert (len(found.results), found.generation) == (200, 3)
    assert {(hits[0].id, hits[0].generation, len(hits), hits.generation) for hits in found.results} == {("a", 1, 2, 3)}
    # Three between the four parts, and one before all is encoded.
    assert turns == [1] * 5
    monkeypatch.undo()
    assert (await answer(calls, DescribeServer())).recalls == 200


async def test_an_answer_to_many_cues_has_a_limit_of_hits(calls: ServerCalls, monkeypatch: pytest.MonkeyPatch) -> None:
    await stored(calls, "a", "b", "c")
    monkeypatch.setattr(recall, "ANSWER_HITS_MAX", 300)
    with pytest.raises(InvalidInput) as refused:
        await answer(calls, RecallMany("default", MANY))
    assert (refused.value.code, refused.value.field) == ("results_bytes", "cues")


async def test_a_look_up_waits_like_a_recall_and_is_refused_like_one(calls: ServerCalls) -> None:
    with ExitStack() as stack:
        for _ in range(calls.engine.options.recalls_waiting_max):
            stack.enter_context(calls.engine.recalls._one_more_waits())
        for request in (Get("default", ["a"]), Recall("default", QUERY), RecallMany("default", MANY)):
            with pytest.raises(OverCapacity) as caught:
                await answer(calls, request)
            assert caught.value.code == "recalls_waiting"
    assert await answer(calls, Get("default", ["a"])) == []


async def test_a_deletion_that_looks_for_what_it_deletes_counts_among_the_recalls_of_its_client(
    calls: ServerCalls,
) -> None:
    await stored(calls, "a", "b")
    looking = [
        Get("default", ["a"]),
        RecallMany("default", many_query([], 1, None)),
        Delete("default", filter=Filter(tags={"x"})),
        Delete("default", filter=Filter(tags={"x"}), dry_run=True),
        Delete("default", ["a"], dry_run=True),
        Delete("default", filter=Filter(tags={"x"}), idempotency_key="k"),
        Clear("default"),
        Clear("default", idempotency_key="l"),
    ]
    with ExitStack() as stack:
        for _ in range(calls.engine.options.recalls_waiting_per_client_max):
            stack.enter_context(calls._recalls.one_more(CALLER.peer))
        for request in looking:
            with pytest.raises(OverCapacity) as caught:
                await answer(calls, request)
            assert caught.value.code == "recalls_of_client"
        assert await answer(calls, Delete("default", ["b"])) == 1, "which waits in a lane"
    found, many, *deleted = [await answer(calls, request) for request in looking]
    assert (len(found), many.results, [int(each) for each in deleted]) == (1, [], [0, 0, 1, 0, 1, 0])


async def test_a_stream_is_written_batch_by_batch_and_says_when_it_ends(calls: ServerCalls) -> None:
    await stored(calls, "a", "b", "c")
    batches: list[Any] = []

    async def write(batch: Any) -> None:
        batches.append(batch)

    request = StreamRecall("default", QUERY)
    await calls.stream(operation_of(request), incoming(request), lambda batch: batch, CALLER, write)
    assert [len(batch.hits) for batch in batches] == [2, 1]
    assert [batch.more for batch in batches] == [True, False]


async def test_streams_begin_in_turns_of_their_clients(calls: ServerCalls) -> None:
    await stored(calls, "a")
    request = StreamRecall("default", QUERY)
    begun: list[str] = []

    async def stream(client: str) -> None:
        async def write(_: Any) -> None:
            begun.append(client)

        await calls.stream(operation_of(request), incoming(request), lambda batch: batch, Caller(client), write)

    async with AsyncExitStack() as taken, asyncio.timeout(TIMEOUT_S):
        # All but one of those that may begin at the same time, so that they begin one after the other.
        for _ in range(calls.engine.options.recall_threads - 1):
            await taken.enter_async_context(calls._turns.turn("x"))
        async with calls._turns.turn("x"):
            streams = [asyncio.create_task(stream(client)) for client in ("greedy", "greedy", "greedy", "other")]
            await until(lambda: sum(map(len, calls._turns._lines.values())) == len(streams))
        await asyncio.gather(*streams)
    assert begun == ["greedy", "other", "greedy", "greedy"]


async def test_a_stream_that_has_begun_or_failed_keeps_no_other_from_beginning(calls: ServerCalls) -> None:
    await stored(calls, "a")
    standing = StreamRecall("default", replace(QUERY, cue=Cue(vector_of("a"), score_min=0.5), follow=True))
    missing = StreamRecall("missing", QUERY)
    begun = asyncio.Queue[None]()

    async def stream(request: StreamRecall) -> None:
        async def write(_: Any) -> None:
            begun.put_nowait(None)

        await calls.stream(operation_of(request), incoming(request), lambda batch: batch, CALLER, write)

    for _ in range(2 * calls.engine.options.recall_threads):
        with pytest.raises(NotFound):
            await stream(missing)
    streams = [asyncio.create_task(stream(standing)) for _ in range(3 * calls.engine.options.recall_threads)]
    async with asyncio.timeout(TIMEOUT_S):
        for _ in streams:
            await begun.get()
    for each in streams:
        each.cancel()
    await asyncio.wait(streams)


async def test_a_message_that_cannot_be_parsed_is_counted_and_its_error_raised(calls: ServerCalls) -> None:
    error = InvalidInput("no message", code="malformed_message")
    request = DescribeServer()
    for _ in range(2):
        with pytest.raises(InvalidInput) as refused:
            await calls.answer(operation_of(request), Malformed(error), id, CALLER)
        assert refused.value is error
    assert (await answer(calls, request)).metrics.value(metrics.MALFORMED) == 2


def broken(*_: object) -> Any:
    raise RuntimeError("a defect")


async def test_a_defect_is_an_internal_error_that_tells_nothing(calls: ServerCalls) -> None:
    request = DescribeSpace("default")
    for sent, encode in ((Incoming("default", broken), id), (incoming(request), broken)):
        with pytest.raises(EngramError) as failed:
            await calls.answer(operation_of(request), sent, encode, CALLER)
        assert (failed.value.code, "defect" in failed.value.message) == ("internal", False)
    with pytest.raises(EngramError) as failed:
        await calls.serve(broken)
    assert failed.value.code == "internal"


async def test_an_unknown_space_is_told(calls: ServerCalls) -> None:
    many = RecallMany("other", MANY)
    for request in (DescribeSpace("other"), Recall("other", QUERY), many, Get("other", ["a"]), Delete("other", ["a"])):
        with pytest.raises(NotFound):
            await answer(calls, request)


async def test_a_write_with_a_key_is_done_once_and_answered_in_each_callers_encoding(calls: ServerCalls) -> None:
    await stored(calls, "a", "b")
    request, told = Delete("default", ["a"], "k"), list[str]()

    async def again(request: Request[Any], key: str | None = None) -> Any:
        came = Incoming(request.space_name, lambda: request, key, lambda: told.append("replayed"))
        return await calls.answer(operation_of(request), came, str, CALLER)

    assert (await again(request), told) == ("1", [])
    assert (await again(request), told) == ("1", ["replayed"])
    assert (await again(Delete("default", ("a",)), "k"), len(told)) == ("1", 2)
    assert (await answer(calls, DescribeSpace("default"))).visible_generation == 3
    for other in (Delete("default", ["b"], "k"), Observe("default", batch_of(["a"]), idempotency_key="k")):
        with pytest.raises(FailedPrecondition) as reused:
            await again(other)
        assert (reused.value.code, reused.value.value) == ("idempotency_key_reused", "k")
    for key in ("two", ""):
        with pytest.raises(InvalidInput) as refused:
            await again(request, key)
        assert (refused.value.code, refused.value.field) == ("invalid_idempotency_key", "idempotency_key")
    assert await again(Delete("default", ["a"], "other")) == "0"


async def test_a_key_of_a_call_that_writes_nothing_does_not_count(calls: ServerCalls) -> None:
    for request in (Get("default", ["a"]), Get("default", ["b"])):
        await calls.answer(operation_of(request), replace(incoming(request), key="k"), len, CALLER)


async def test_a_write_that_fails_leaves_its_key_to_the_next(calls: ServerCalls) -> None:
    with pytest.raises(NotFound):
        await answer(calls, Delete("missing", ["a"], "k"))
    batch = batch_of(["a"])
    bad = replace(batch, vectors=np.ones((1, DIM + 1), np.float32))
    with pytest.raises(InvalidInput):
        await answer(calls, Observe("default", bad, idempotency_key="k"))
    acks = await asyncio.gather(
        *(answer(calls, Observe("default", batch, idempotency_key="k")) for _ in range(5)),
    )
    assert {(ack.first_generation, ack.last_generation) for ack in acks} == {(1, 1)}


async def test_a_write_with_a_key_goes_on_if_its_caller_leaves_and_is_still_under_way(calls: ServerCalls) -> None:
    await stored(calls, "a")
    first = asyncio.ensure_future(answer(calls, Delete("default", ["a"], "k")))
    # The write is begun a turn after the call, and not answered before the committer's thread has done it.
    for _ in range(3):
        await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait({first})
    assert await answer(calls, Delete("default", ["a"], "k")) == 1
    await asyncio.wait_for(calls.finished(TIMEOUT_S), TIMEOUT_S)


async def test_a_server_that_stops_answers_nothing_new_and_waits_for_what_is_under_way(calls: ServerCalls) -> None:
    let_go = asyncio.Event()
    begun = asyncio.Event()

    async def session() -> None:
        begun.set()
        await let_go.wait()

    serving = asyncio.ensure_future(calls.serve(session))
    await asyncio.wait_for(begun.wait(), TIMEOUT_S)
    calls.engine.stop()
    with pytest.raises(Unavailable) as refused:
        await answer(calls, DescribeServer())
    assert refused.value.code == "shutting_down"
    ending = asyncio.ensure_future(calls.finished(TIMEOUT_S))
    let_go.set()
    await asyncio.wait_for(ending, TIMEOUT_S)
    assert serving.done()


async def test_a_call_by_an_alias_is_one_to_its_space(calls: ServerCalls) -> None:
    engine = calls.engine
    await answer(calls, SetAlias("current", "default"))
    assert (await answer(calls, ListAliases())).aliases == {"current": "default"}
    await answer(calls, Observe("current", batch_of(["a"])))
    assert [hit.id for hit in await answer(calls, Get("default", ["a"]))] == ["a"]
    assert (await answer(calls, DescribeSpace("current"))).name == "default"
    config = SpaceConfig("current", DIM)
    assert (await answer(calls, CreateSpace(config))).name == "default"
    # What is counted is counted for the space.
    accepted = metrics.OBSERVATIONS.sample(1, "default", "normal")
    assert accepted in list(engine.counters.observations.samples("default"))


async def test_a_scan_goes_on_in_the_space_that_its_cursor_is_of(calls: ServerCalls) -> None:
    await stored(calls, "a", "b")
    await answer(calls, CreateSpace(SpaceConfig("other", DIM)))
    await answer(calls, SetAlias("current", "default"))
    first = await answer(calls, ReadPage("current", page_size=1))
    await answer(calls, SetAlias("current", "other"))
    rest = await answer(calls, ReadPage("current", page_size=1, cursor=first.cursor))
    assert [hit.id for hit in (*first, *rest)] == ["a", "b"]
    assert len(await answer(calls, ReadPage("current"))) == 0
    with pytest.raises(InvalidInput) as refusal:
        await answer(calls, ReadPage("current", cursor="none"))
    assert refusal.value.code == "invalid_cursor"


async def test_no_answer_of_a_dropped_space_is_one_of_its_namesake(calls: ServerCalls) -> None:
    write = Observe("notes", batch_of(["a"]), idempotency_key="once")
    for number in range(2):
        await answer(calls, CreateSpace(SpaceConfig("notes", DIM)))
        assert (await answer(calls, write)).last_generation == 1
        assert [hit.id for hit in await answer(calls, Get("notes", ["a"]))] == ["a"]
        dropped = DropSpace("notes", f"key-{number}")
        assert (await answer(calls, dropped)).space == "notes"
        # An answer that was lost is given again.
        assert (await answer(calls, dropped)).space == "notes"
        assert [space.name for space in (await answer(calls, ListSpaces())).spaces] == ["default"]


async def test_a_write_that_waits_for_a_space_that_is_dropped_is_refused(calls: ServerCalls) -> None:
    await answer(calls, CreateSpace(SpaceConfig("notes", DIM)))
    writes = [asyncio.create_task(answer(calls, Observe("notes", batch_of([f"id-{n}"])))) for n in range(50)]
    await asyncio.sleep(0)
    await answer(calls, DropSpace("notes"))
    for outcome in await asyncio.gather(*writes, return_exceptions=True):
        assert getattr(outcome, "code", "stored") in ("stored", "space_dropped", "unknown_space", "being_created")


async def test_a_renamed_space_is_found_by_its_new_name(calls: ServerCalls) -> None:
    await stored(calls, "a")
    await answer(calls, RenameSpace("default", "notes"))
    assert [hit.id for hit in await answer(calls, Get("notes", ["a"]))] == ["a"]
    await answer(calls, SetAlias("current", "notes"))
    changed = await answer(calls, DropAlias("current"))
    assert (changed.alias, changed.space) == ("current", "notes")
    for request in (DropAlias("current"), RenameSpace("missing", "other"), SetAlias("current", "missing")):
        with pytest.raises(NotFound):
            await answer(calls, request)
