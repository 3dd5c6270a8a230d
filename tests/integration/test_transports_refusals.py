"""What a server refuses, it refuses over every transport with the same errors, to the letter."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from engram.client.transport import Accepted, Greeting, Refused, SessionError, Transport
from engram.client.transport_choice import choose_transport
from engram.errors import EngramError, SequenceError
from engram.model.cue import Cue, Filter
from engram.model.following.follow_changes import FollowChanges
from engram.model.observations import ObservationBatch, make_batch
from engram.model.operations.operation import Request
from engram.model.operations.requests import (
    CreateSpace,
    Delete,
    DescribeSpace,
    Get,
    Observe,
    Recall,
    StreamRecall,
    TakeSnapshot,
)
from engram.model.priority import Priority
from engram.model.query import RecallQuery
from engram.model.spaces import SpaceConfig
from tests.integration.server_process import DIM, TIMEOUT_S, batch_of, numbered
from tests.integration.side_by_side import SESSIONS, TRANSPORTS, serving

ONES = np.ones((1, DIM), np.float32)


def batch(vectors: Any = ONES, **columns: Any) -> ObservationBatch:
    """A batch that nobody has checked."""
    return make_batch(**{"ids": ["a"] * len(vectors), "vectors": vectors, **columns})


BATCHES: dict[str, ObservationBatch] = {
    "another dimension": batch(np.ones((1, 8))),
    "no number": batch(ONES * np.nan),
    "no direction": batch(ONES * 0),
    "too long": batch(ONES * 1e38),
    "too many": batch(np.ones((10_001, DIM))),
    "an empty id": batch(ids=[""]),
    "an id that is too long": batch(ids=["x" * 1025]),
    "a text that is too long": batch(contents=["x" * (2**24 + 1)]),
    "a tag that is too long": batch(tags=[["x" * 16_385]]),
    "too many tags": batch(tags=[["x"] * 65]),
    "a confidence out of range": batch(confidences=[2]),
    "an importance out of range": batch(importances=[np.nan]),
    "metadata that are no object": batch(metadata=["[1]"]),
    "a time out of range": dataclasses.replace(batch(), times_us=np.array([2**62])),
    "no vector": batch(np.empty((1, 0)), contents=["text"]),
    "the second row": batch(np.stack([ONES[0], ONES[0] * np.nan])),
}


def query(vector: Any = ONES[0], **options: Any) -> RecallQuery:
    return RecallQuery(Cue(vector), **options)


QUERIES: dict[str, RecallQuery] = {
    "another dimension": query(ONES[0, :8]),
    "no number": query(ONES[0] * np.nan),
    "no direction": query(ONES[0] * 0),
    "a text": RecallQuery(Cue(text="words")),
    "a text and words": RecallQuery(Cue(text="words", by="both", filter=Filter(tags={"x"}))),
    "the future": query(max_generation=99),
}
REQUESTS: dict[str, Request[Any]] = {
    **{f"observe {name}": Observe("default", each) for name, each in BATCHES.items()},
    **{f"recall {name}": Recall("default", each) for name, each in QUERIES.items()},
    "observe nowhere": Observe("nowhere", batch()),
    "observe with a key": Observe("default", batch(), idempotency_key="ä"),
    "observe with a long key": Observe("default", batch(), idempotency_key="x" * 256),
    "delete nowhere": Delete("nowhere", ["a"]),
    "delete with a key": Delete("default", ["a"], idempotency_key=" "),
    "get nowhere": Get("nowhere", ["a"]),
    "get of the future": Get("default", ["a"], 99),
    "recall nowhere": Recall("nowhere", query()),
    "snapshot nowhere": TakeSnapshot("nowhere"),
    "snapshot of the future": TakeSnapshot("default", 99),
    "create with another dimension": CreateSpace(SpaceConfig("default", DIM + 1)),
    "create with another metric": CreateSpace(SpaceConfig("default", DIM, "l2")),
    "create with an unknown embedder": CreateSpace(SpaceConfig("green", DIM, embedder="unknown")),
    "describe nowhere": DescribeSpace("nowhere"),
    "observe in a space without a name": Observe("No Name", batch()),
    "recall in a space without a name": Recall("No?Name#", query()),
    "describe a space without a name": DescribeSpace("ä"),
}


@asynccontextmanager
async def transports(names: tuple[str, ...]) -> AsyncIterator[dict[str, Transport]]:
    """Transports to one engine, by their names."""
    async with serving() as addresses:
        made = {name: choose_transport(addresses[name]) for name in names}
        yield made
        for each in made.values():
            await each.close()


async def error_of(work: Any) -> tuple[type[EngramError], dict[str, Any]]:
    with pytest.raises(EngramError) as refusal:
        async with asyncio.timeout(TIMEOUT_S):
            await work
    return type(refusal.value), vars(refusal.value)


async def test_requests_are_refused_alike() -> None:
    async with transports(TRANSPORTS) as ways:
        for name, request in REQUESTS.items():
            told = {way: await error_of(each.call(request, TIMEOUT_S)) for way, each in ways.items()}
            assert told == dict.fromkeys(told, told["in-process"]), name
        status = await ways["grpc"].call(DescribeSpace("default"), TIMEOUT_S)
        assert status.visible_generation == 0


async def test_streamed_recalls_are_refused_alike() -> None:
    async with transports(TRANSPORTS) as ways:
        for name, each in {**QUERIES, "nowhere": query()}.items():
            request = StreamRecall("nowhere" if name == "nowhere" else "default", each)
            told = {way: await error_of(transport.stream(request).read()) for way, transport in ways.items()}
            assert told == dict.fromkeys(told, told["in-process"]), name


async def test_feeds_of_changes_are_refused_alike() -> None:
    async with transports(TRANSPORTS) as ways:
        for space, after in (("default", 99), ("nowhere", None), ("No Name", 0)):
            request = FollowChanges(space, after)
            told = {way: await error_of(transport.stream(request).read()) for way, transport in ways.items()}
            assert told == dict.fromkeys(told, told["in-process"]), space


GREETINGS = {
    "nowhere": Greeting("nowhere"),
    "no name": Greeting("No Name"),
    "a long id": Greeting("default", "x" * 65),
    "an id with blanks": Greeting("default", "a\nb"),
    "another incarnation": Greeting("default", "mine", 1, 0, "0" * 32),
}


@pytest.mark.parametrize("name", GREETINGS)
async def test_sessions_are_refused_alike(name: str) -> None:
    async with transports(SESSIONS) as ways:
        told = {way: await error_of(each.observe(GREETINGS[name])) for way, each in ways.items()}
    assert told == dict.fromkeys(told, told["in-process"])


async def refused(transport: Transport, batch: ObservationBatch, sequence: int) -> tuple[Any, ...]:
    """How a session, whose next number is 4, refuses a batch."""
    connection, _ = await transport.observe(Greeting("default", "mine", 1))
    try:
        await connection.send(transport.encode(batch_of(numbered(1, 3)), Priority.NORMAL), 1)
        await connection.send(transport.encode(batch, Priority.HIGH), sequence)
        async with asyncio.timeout(TIMEOUT_S):
            while not isinstance(event := await connection.receive(), Refused | SessionError):
                pass
        numbers = (event.first, event.last) if isinstance(event, Refused) else ()
        return type(event), numbers, type(event.error), vars(event.error)
    finally:
        await connection.abort()


async def refused_by_each(batch: ObservationBatch, sequence: int) -> dict[str, tuple[Any, ...]]:
    """How each transport to an engine of its own refuses a batch."""
    told = {}
    for way in SESSIONS:
        async with transports((way,)) as ways:
            told[way] = await refused(ways[way], batch, sequence)
    return told


@pytest.mark.parametrize("name", BATCHES)
async def test_batches_of_sessions_are_refused_alike(name: str) -> None:
    told = await refused_by_each(BATCHES[name], 4)
    assert told == dict.fromkeys(told, told["in-process"])
    assert told["in-process"][:2] == (Refused, (4, 3 + len(BATCHES[name].ids)))


async def test_a_gap_is_refused_alike() -> None:
    told = await refused_by_each(batch(), 6)
    assert told == dict.fromkeys(told, told["in-process"])
    kind, numbers, error, said = told["in-process"]
    assert (kind, numbers, error, said["expected_sequence"]) == (Refused, (6, 6), SequenceError, 4)


async def test_what_was_stored_is_answered_as_the_first_time_over_every_transport() -> None:
    async with transports(SESSIONS) as ways:
        greeting = Greeting("default", "mine", 7)
        sent = batch_of(numbered(1, 3))
        acks = []
        for each in ways.values():
            connection, _ = await each.observe(greeting)
            await connection.send(each.encode(sent, Priority.NORMAL), 1)
            async with asyncio.timeout(TIMEOUT_S):
                while not isinstance(event := await connection.receive(), Accepted):
                    pass
            acks.append((event.ack.first_sequence, event.ack.last_sequence))
            await connection.abort()
        assert acks == [(1, 3)] * len(SESSIONS)


@pytest.mark.parametrize("first", TRANSPORTS)
async def test_a_key_is_known_to_every_transport(first: str) -> None:
    async with transports(TRANSPORTS) as ways:
        write = Observe("default", batch(timestamps=[1]), idempotency_key="mine")
        acks = [await each.call(write, TIMEOUT_S) for each in (ways[first], *ways.values())]
        assert [each.generation for each in acks] == [1] * len(acks)
        other = Observe("default", batch(timestamps=[2]), idempotency_key="mine")
        told = {way: await error_of(each.call(other, TIMEOUT_S)) for way, each in ways.items()}
        assert told == dict.fromkeys(told, told[first])
        assert told[first][1]["code"] == "idempotency_key_reused"
