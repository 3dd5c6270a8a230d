"""Transports side by side on one engine: the same sessions, the same refusals, whatever carries the calls."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from engram.client import AsyncClient
from engram.errors import EngramError, FailedPrecondition, PermissionDenied, Unauthenticated, Unavailable
from engram.model.cue import Cue
from engram.model.limits import BATCH_COUNT_MAX, ID_BYTES_MAX
from engram.model.operations.action import Action
from engram.server.authorization import Caller
from tests.integration.server_process import DIM, TIMEOUT_S, numbered, vectors_of
from tests.integration.side_by_side import SESSIONS, TRANSPORTS, serving

VECTOR = vectors_of(["a"])[0]
PAIRS = list(itertools.permutations(SESSIONS, 2))
OWNERS = {"Bearer of red": "red", "Bearer of blue": "blue"}


class Door:
    """An authorizer that lets each owner do everything in one space but delete, and counts who asked for what."""

    def __init__(self) -> None:
        self.asked: Counter[tuple[str, str | None]] = Counter()

    def __call__(self, caller: Caller, action: Action, space: str | None) -> None:
        self.asked[action.value, space] += 1
        owned = OWNERS.get(caller.metadata.get("authorization", ""))
        if owned is None:
            raise Unauthenticated("send a token", field="authorization")
        if space != owned or action is Action.FORGET:
            raise PermissionDenied(f"only {owned}", field="space", limit=owned, value=space or "")


async def error_of(call: Any) -> EngramError:
    with pytest.raises(EngramError) as caught:
        async with asyncio.timeout(TIMEOUT_S):
            await call
    return caught.value


async def streamed(client: AsyncClient) -> list[str]:
    return [hit.id async for hits in client.recall_stream(VECTOR) for hit in hits]


async def observed(client: AsyncClient, id: str = "a") -> int:
    ack = await client.observe(id, VECTOR)
    return ack.generation


CALLS: dict[str, Callable[[AsyncClient], Any]] = {
    "recall": lambda client: client.recall(VECTOR),
    "recall_stream": streamed,
    "observe": observed,
    "forget": lambda client: client.delete(["a"]),
    "create_space": lambda client: client.create_space("green", DIM),
    "space_status": lambda client: client.space_status(),
    "spaces": lambda client: client.spaces(),
    "status": lambda client: client.status(),
}


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("name", list(CALLS))
async def test_a_caller_without_a_token_is_told_so_and_does_not_ask_again(transport: str, name: str) -> None:
    door = Door()
    async with serving(authorizer=door) as addresses, AsyncClient(addresses[transport], space="red") as client:
        error = await error_of(CALLS[name](client))
        assert (type(error), error.code, error.field) == (Unauthenticated, "unauthenticated", "authorization")
        assert door.asked.total() == 1


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("name", list(CALLS))
async def test_a_caller_with_anothers_token_is_denied_and_does_not_ask_again(transport: str, name: str) -> None:
    door, token = Door(), {"authorization": "Bearer of blue"}
    async with (
        serving(authorizer=door) as addresses,
        AsyncClient(addresses[transport], space="red", metadata=token) as client,
    ):
        error = await error_of(CALLS[name](client))
        assert (type(error), error.code, error.limit) == (PermissionDenied, "permission_denied", "blue")
        # A space is described to whoever may do one of three things in it.
        assert set(door.asked.values()) == {1}


@pytest.mark.parametrize("transport", SESSIONS)
async def test_a_session_that_is_denied_fails_what_waits_for_it(transport: str) -> None:
    """A caller who may describe the space, but not observe in it, learns it when the session is opened."""

    def read_only(caller: Caller, action: Action, space: str | None) -> None:
        asked[action] += 1
        if action is Action.OBSERVE:
            raise PermissionDenied("read only")

    asked: Counter[Action] = Counter()
    async with serving(authorizer=read_only) as addresses, AsyncClient(addresses[transport]) as client:
        assert type(await error_of(observed(client))) is PermissionDenied
        assert type(await error_of(client.connect())) is PermissionDenied
    assert asked[Action.OBSERVE] == 2, "once for each time that the caller tried"


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_who_has_the_token_gets_on(transport: str) -> None:
    token = {"authorization": "Bearer of red"}
    async with (
        serving(authorizer=Door()) as addresses,
        AsyncClient(addresses[transport], space="red", metadata=token) as client,
    ):
        assert await observed(client) == 1
        assert [hit.id for hit in await client.recall(VECTOR)] == await streamed(client) == ["a"]
        assert type(await error_of(client.delete(["a"]))) is PermissionDenied


@pytest.mark.parametrize(("first", "second"), PAIRS)
async def test_a_session_begun_on_one_transport_is_resumed_on_the_other(first: str, second: str) -> None:
    async with serving() as addresses:
        async with AsyncClient(addresses[first], session_id="mine") as client:
            ids = numbered(1, 20)
            await client.observe(ids, vectors_of(ids))
            incarnation = client.incarnation
        async with AsyncClient(addresses[second], session_id="mine", incarnation=incarnation) as client:
            await client.connect()
            assert client.durable_sequence == 20
            assert await observed(client, "next") == 21


@pytest.mark.parametrize(("first", "second"), PAIRS)
async def test_the_newer_connection_has_the_session_whatever_it_came_by(first: str, second: str) -> None:
    async with serving() as addresses:
        older = AsyncClient(addresses[first], session_id="mine")
        await observed(older)
        async with AsyncClient(addresses[second], session_id="mine") as newer:
            await newer.connect()
            error = await error_of(observed(older, "late"))
            assert (type(error), error.code) == (FailedPrecondition, "session_taken_over")
        await older.close()


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_standing_recall_hears_what_comes_later(transport: str) -> None:
    async with serving() as addresses, AsyncClient(addresses[transport]) as client:
        following = client.recall_stream(Cue(VECTOR, score_min=0.5), follow=True)
        await observed(client, "first")
        found = await asyncio.wait_for(anext(following), TIMEOUT_S)
        assert [hit.id for hit in found] == ["first"]
        await observed(client, "second")
        found = await asyncio.wait_for(anext(following), TIMEOUT_S)
        assert [hit.id for hit in found] == ["second"]
        await following.aclose()


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_nobody_answers_where_no_server_is(transport: str) -> None:
    async with serving() as addresses:
        address = addresses[transport]
    async with AsyncClient(address, timeout_s=0.2) as client:
        error = await error_of(client.status())
    assert (type(error), error.code) == (Unavailable, "no_server")


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_what_was_not_acknowledged_when_the_server_went_away_is_told_at_the_end(transport: str) -> None:
    async with serving() as addresses:
        client = AsyncClient(addresses[transport], timeout_s=0.5)
        assert await observed(client) == 1
    future = await client.submit("late", VECTOR)
    assert type(await error_of(client.status())) is Unavailable
    assert not future.done()
    await client.close(0)
    error = await error_of(future)
    assert (type(error), error.code) == (Unavailable, "client_closed")


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("character", ["x", "\u0001"])
async def test_as_many_ids_as_there_may_be_are_taken_however_long_they_are(transport: str, character: str) -> None:
    ids = [str(number).ljust(ID_BYTES_MAX, character) for number in range(BATCH_COUNT_MAX)]
    async with serving() as addresses, AsyncClient(addresses[transport], timeout_s=TIMEOUT_S) as client:
        await client.observe(ids[-1], VECTOR)
        assert [hit.id for hit in await client.get(ids) if hit is not None] == [ids[-1]]
        assert await client.delete(["one more", *ids]) == 1
        assert await client.get(ids[-1]) is None
