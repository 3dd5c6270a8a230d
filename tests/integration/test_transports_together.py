"""Transports side by side on one engine: each sees the data and sessions of the others, and tells the same errors."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from typing import Any

import pytest

import engram.errors
from engram.client import AsyncClient
from engram.client.transport import Accepted, Greeting
from engram.client.transport_choice import choose_transport
from engram.errors import EngramError
from engram.model.cue import Cue
from engram.model.following.follow_changes import FollowChanges
from engram.model.hit import Hit
from engram.model.many.many_query import many_query
from engram.model.operations.changes import ObservationChanges
from engram.model.operations.naming import DropAlias, DropSpace, ListAliases, RenameSpace, SetAlias
from engram.model.operations.operation import Request
from engram.model.operations.requests import (
    Count,
    CreateSpace,
    Delete,
    DescribeServer,
    DescribeSpace,
    Erase,
    Get,
    ListSpaces,
    Observe,
    Recall,
    RecallMany,
    StreamRecall,
    TakeSnapshot,
)
from engram.model.operations.scans import Clear, CountFacets, ReadPage
from engram.model.operations.table import OPERATIONS
from engram.model.operations.updates import Update
from engram.model.priority import Priority
from engram.model.query import RecallQuery
from engram.model.spaces import SpaceConfig
from engram.wire.error_kinds import kind_of
from tests.integration.server_process import DIM, TIMEOUT_S, batch_of, numbered, vectors_of
from tests.integration.side_by_side import TRANSPORTS, serving
from tests.integration.test_transports import PAIRS, VECTOR, error_of

IDS = ["a", "b", "ä/ö"]
COLUMNS: dict[str, Any] = {
    "contents": ["a pump", "", "line\n木"],
    "timestamps": [1, 2.5, 1e9],
    "confidences": [0.25, 0.5, 1],
    "importances": [0, 0.75, 1],
    "metadata": [{"n": 1, "deep": [{"x": None}]}, {}, {"flag": True}],
    "tags": [["x", "y"], [], ["z"]],
}


def told(hit: Hit | None) -> dict[str, Any]:
    """All that a hit says, but when it was found, and whether it was linked by then."""
    assert hit is not None
    made = {each.name: getattr(hit, each.name) for each in fields(hit) if each.init}
    del made["recalled_us"], made["indexed"]
    return {**made, "vector": made["vector"].tolist()}


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(TRANSPORTS, 2)))
async def test_what_is_written_over_one_is_read_over_the_other(first: str, second: str) -> None:
    async with (
        serving() as addresses,
        AsyncClient(addresses[first]) as writer,
        AsyncClient(addresses[second]) as reader,
    ):
        assert await writer.observe(IDS, vectors_of(IDS), **COLUMNS) == 3
        found = [told(hit) for hit in await reader.recall(VECTOR, include_vectors=True)]
        assert found == [told(hit) for hit in await writer.recall(VECTOR, include_vectors=True)]
        streamed = reader.recall_stream(VECTOR, include_vectors=True)
        assert [told(hit) async for hits in streamed for hit in hits] == found
        assert sorted(each["id"] for each in found) == sorted(IDS)
        for row, id in enumerate(IDS):
            seen = told(await reader.get(id, include_vectors=True))
            assert seen == told(await writer.get(id, include_vectors=True))
            assert [seen["content"], seen["metadata"], seen["tags"]] == [
                COLUMNS[name][row] for name in ("contents", "metadata", "tags")
            ]
            assert seen["vector"] == vectors_of([id])[0].tolist()
        following = reader.recall_stream(Cue(VECTOR, score_min=-1.0), max_generation=3, follow=True)
        assert len(await anext(following)) == 3
        await writer.observe("later", VECTOR)
        assert [hit.id for hit in await anext(following)] == ["later"]
        await following.aclose()
        assert (await reader.delete(["a"]), await writer.get("a")) == (1, None)
        assert (await writer.snapshot()).generation == (await reader.snapshot()).generation == 5
        assert (await writer.stats()).live_count == (await reader.stats()).live_count == 3


@pytest.mark.parametrize(("first", "second"), PAIRS)
async def test_a_session_that_is_cut_goes_on_elsewhere_without_loss_or_duplicates(first: str, second: str) -> None:
    batches = {number: batch_of(numbered(number, 3)) for number in range(1, 60, 3)}
    async with serving() as addresses:
        one, two = choose_transport(addresses[first]), choose_transport(addresses[second])
        connection, welcome = await one.observe(Greeting("default", writer=7))
        for number in range(1, 30, 3):
            await connection.send(one.encode(batches[number], Priority.NORMAL), number)
        known = await accepted(connection, 1)
        await connection.abort()
        greeting = Greeting("default", welcome.session_id, 7, known, welcome.incarnation)
        connection, again = await two.observe(greeting)
        assert known <= again.durable_sequence <= 30
        # What the client does not know to be stored is sent again, whether or not it is.
        for number in range(known + 1, 60, 3):
            await connection.send(two.encode(batches[number], Priority.NORMAL), number)
        assert await accepted(connection, 60) == 60
        await connection.abort()
        connection, last = await one.observe(Greeting("default", welcome.session_id, 7, 60, welcome.incarnation))
        assert last.durable_sequence == 60
        await connection.abort()
        status = await two.call(DescribeSpace("default"), TIMEOUT_S)
        assert (status.visible_generation, status.live_count) == (60, 60)
        await one.close()
        await two.close()


async def accepted(connection: Any, sequence: int) -> int:
    """The last number that is accepted, which is at least `sequence`."""
    last = 0
    while last < sequence:
        event = await connection.receive()
        if isinstance(event, Accepted):
            assert event.ack.first_sequence == last + 1 or last == 0
            last = event.ack.last_sequence
    return last


QUERY = RecallQuery(Cue(VECTOR))
REQUESTS: list[Request[Any]] = [
    Observe("default", batch_of(["a"])),
    Update("default", ObservationChanges(["a"], columns={"contents": ["new"]})),
    Delete("default", ["a"]),
    Get("default", ["a"]),
    Clear("default"),
    Erase("default", ["a"]),
    ReadPage("default"),
    CountFacets("default", ["n"]),
    Recall("default", QUERY),
    RecallMany("default", many_query([VECTOR], 3, None)),
    Count("default"),
    TakeSnapshot("default"),
    CreateSpace(SpaceConfig("green", DIM)),
    DropSpace("green"),
    RenameSpace("green", "blue"),
    SetAlias("current", "green"),
    DropAlias("current"),
    ListAliases(),
    DescribeSpace("default"),
    ListSpaces(),
    DescribeServer(),
]
KINDS = [
    kind
    for kind in vars(engram.errors).values()
    if isinstance(kind, type) and issubclass(kind, EngramError) and kind_of(kind("")) == kind.default_code
]


def calls_of(address: str) -> dict[str, Callable[[], Any]]:
    """Each operation that a transport can be asked for, and the opening of a session if it has any."""
    transport = choose_transport(address)
    calls: dict[str, Callable[[], Any]] = {
        OPERATIONS_BY_REQUEST[type(each)]: partial(transport.call, each, TIMEOUT_S) for each in REQUESTS
    }
    calls["recall_stream"] = lambda: transport.stream(StreamRecall("default", QUERY)).read()
    calls["changes"] = lambda: transport.stream(FollowChanges("default")).read()
    return calls | {"session": lambda: transport.observe(Greeting("default"))}


OPERATIONS_BY_REQUEST = {operation.request: name for name, operation in OPERATIONS.items()}


def test_every_operation_is_asked_for() -> None:
    assert calls_of("localhost:1").keys() == OPERATIONS.keys() | {"session"}


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_error_of_every_operation_arrives_as_it_was_raised(
    transport: str, kind: type[EngramError]
) -> None:
    raised = kind(
        'not "now", änd', code="made_up", field="the field", limit=3, value="x", retry_after_ms=70, expected_sequence=5
    )

    def refuse(*_: Any) -> None:
        raise raised

    async with serving(authorizer=refuse) as addresses:
        for call in calls_of(addresses[transport]).values():
            error = await error_of(call())
            assert (type(error), vars(error)) == (kind, vars(raised))


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_what_should_never_fail_arrives_as_internal_and_tells_nothing(transport: str) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("a secret")

    async with serving(authorizer=fail) as addresses:
        for call in calls_of(addresses[transport]).values():
            error = await error_of(call())
            assert (type(error), error.code) == (EngramError, "internal")
            assert "secret" not in str(vars(error))
