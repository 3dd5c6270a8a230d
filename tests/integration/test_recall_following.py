"""Standing recalls, cues with conditions and the limits of streams against a real server."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engram import Between, Cue, Filter, Strength
from engram.client import AsyncClient
from engram.errors import InvalidInput, NotFound, OverCapacity, Unavailable
from engram.model.hit import Hit
from engram.model.query import RecallQuery
from engram.model.spaces import SpaceConfig
from engram.server.engine import Engine
from engram.server.options import ServerOptions
from engram.store import Space
from engram.store.resting.space_access import SpaceAccess
from engram.wire import engram_pb2 as pb
from tests.integration.server_process import DIM, EOF, TIMEOUT_S, ServerProcess, connect, vector_cue, vectors_of
from tests.integration.socket_client import SocketServer

TARGET = vectors_of(["target"])[0]
NEAR = Cue(TARGET, score_min=0.9)


@pytest.fixture
async def client(server: ServerProcess, space: str) -> AsyncGenerator[AsyncClient, None]:
    async with AsyncClient(server.address, space=space) as client:
        yield client


async def observe(client: AsyncClient, *ids: str, **columns: Any) -> int:
    """Observe near and far things, by the beginnings of their ids; return the last generation."""
    vectors = np.stack([TARGET if id.startswith("near") else -TARGET for id in ids])
    return (await (await client.submit(ids, vectors, **columns))).last_generation


async def following(stream: AsyncGenerator[list[Hit], None], until: str) -> list[Hit]:
    found: list[Hit] = []
    async with asyncio.timeout(TIMEOUT_S):
        while not found or found[-1].id != until:
            found += await anext(stream)
    return found


async def test_what_is_observed_comes_to_everyone_who_follows(client: AsyncClient) -> None:
    await observe(client, "near0", "far0")
    streams = [client.recall_stream(NEAR, follow=True) for _ in range(20)]
    for stream in streams:
        assert [hit.id for hit in await following(stream, "near0")] == ["near0"]
    for number in range(1, 11):
        await observe(client, f"near{number}", f"far{number}")
    for stream in streams:
        hits = await following(stream, "near10")
        assert [hit.id for hit in hits] == [f"near{number}" for number in range(1, 11)]
        assert [hit.generation for hit in hits] == list(range(3, 23, 2))
        assert all(hit.recent for hit in hits)
        await stream.aclose()


async def test_following_goes_on_where_it_was_left(client: AsyncClient) -> None:
    generation = await observe(client, "near0")
    await observe(client, "near1", "near2")
    stream = client.recall_stream(NEAR, max_generation=generation, follow=True)
    assert [hit.id for hit in await following(stream, "near2")] == ["near0", "near1", "near2"]
    await stream.aclose()


async def test_following_needs_to_know_what_is_similar_enough(client: AsyncClient) -> None:
    with pytest.raises(InvalidInput) as caught:
        await anext(client.recall_stream(TARGET, follow=True))
    assert caught.value.code == "invalid_recall"


async def test_standing_recalls_of_one_stream_are_cancelled_one_by_one(stub: Any, client: AsyncClient) -> None:
    call = stub.MemoryStream()

    async def read() -> pb.MemoryStreamResponse:
        response: pb.MemoryStreamResponse = await asyncio.wait_for(call.read(), TIMEOUT_S)
        return response

    cue = vector_cue("target")
    cue.score_min = 0.9
    request = pb.StreamingRecallRequest(memory_space_id=client.space, cue=cue, follow=True)
    for recall_id in (1, 2):
        await call.write(pb.MemoryStreamRequest(recall=request, recall_id=recall_id))
        assert (await read()).recall_id == recall_id
    await observe(client, "near1")
    assert {(await read()).recall_id for _ in range(2)} == {1, 2}
    await call.write(pb.MemoryStreamRequest(cancel_recall=pb.CancelRecall(), recall_id=1))
    ended = await read()
    assert (ended.recall_id, len(ended.recall.results), ended.recall.more_results) == (1, 0, False)
    await observe(client, "near2")
    response = await read()
    assert (response.recall_id, [memory.id for memory in response.recall.results]) == (2, ["near2"])
    # The other one ends with the stream.
    await call.done_writing()
    assert await asyncio.wait_for(call.read(), TIMEOUT_S) is not None
    assert (await asyncio.wait_for(call.code(), TIMEOUT_S)).name == "OK"


async def test_a_server_that_stops_ends_standing_recalls(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data")
    async with AsyncClient(server.address, space="notes") as client:
        await client.create_space("notes", dim=DIM)
        await observe(client, "near0")
        stream = client.recall_stream(NEAR, follow=True)
        await following(stream, "near0")
        server.process.send_signal(signal.SIGTERM)
        with pytest.raises(Unavailable) as caught:
            await following(stream, "never")
        assert caught.value.code == "shutting_down"
    assert server.wait() == 0
    assert "did not end within" not in server.log()


async def test_conditions_arrive_at_the_store(client: AsyncClient) -> None:
    now = time.time()
    await observe(
        client,
        *(f"near{number}" for number in range(6)),
        contents=["red pump", "blue pump", "red hose", "blue hose", "old pump", "pump"],
        timestamps=[now - 600 + 100 * number for number in range(6)],
        confidences=[0.5, 0.6, 0.7, 0.8, 0.9, 1.0],
        tags=[["red"], ["blue"], ["red"], ["blue"], ["old"], []],
        metadata=[{"deck": number, "open": number == 3} for number in range(6)],
    )

    async def found(cue: Cue) -> str:
        return "".join(sorted(hit.id.removeprefix("near") for hit in await client.recall(cue, k=10)))

    assert await found(Cue(TARGET, filter=Filter(tags=frozenset({"red"})))) == "02"
    assert await found(Cue(TARGET, filter=Filter(without_tags=frozenset({"red", "blue"})))) == "45"
    assert await found(Cue(TARGET, filter=Filter(metadata={"deck": Between(2, 4)}))) == "234"
    assert await found(Cue(TARGET, filter=Filter(metadata={"open": True}))) == "3"
    assert await found(Cue(filter=Filter(since=now - 250))) == "45"
    assert await found(Cue(TARGET, filter=Filter(confidence_min=0.9))) == "45"
    assert await found(Cue(text="hose", by="words")) == "23"
    assert await found(Cue(TARGET, text="hose", by="both", filter=Filter(tags=frozenset({"blue"})))) == "13"
    assert await found(Cue(-TARGET, score_min=0.0)) == ""
    strong = await client.recall(TARGET, strength=Strength(half_life_s=100, reinforce=False))
    assert [hit.id for hit in strong][:2] == ["near5", "near4"]
    assert strong[0].strength is not None
    assert 0 < strong[1].strength < strong[0].strength  # type: ignore[operator]  # Compared above.
    assert strong[0].age_s == pytest.approx(100, abs=50)


async def test_a_snapshot_by_time_over_the_wire(client: AsyncClient) -> None:
    await observe(client, "near0")
    between = time.time()
    await observe(client, "near0", "near1")
    assert [hit.generation for hit in await client.recall(TARGET, snapshot_time=between)] == [1]
    assert len(await client.recall(TARGET, snapshot_time=time.time())) == 2
    assert await client.recall(TARGET, snapshot_time=1.0) == []
    with pytest.raises(NotFound):
        await AsyncClient(client._calls.transport.address, space="nowhere").recall(TARGET)


async def test_what_is_observed_meanwhile_joins_if_it_may(client: AsyncClient) -> None:
    # More than all buffers on the way hold, so that the stream has not ended when something is observed meanwhile.
    ids = [f"far{number}" for number in range(400)]
    await observe(client, *ids, contents=["x" * 60_000] * len(ids))
    for include_recent in (False, True):
        stream = client.recall_stream(TARGET, len(ids), 1, include_recent=include_recent)
        first = await anext(stream)
        await observe(client, f"near-{include_recent}")
        found = [*first, *(hit for batch in [batch async for batch in stream] for hit in batch)]
        recent = [hit.id for hit in found if hit.recent]
        assert recent == (["near-True"] if include_recent else [])


async def test_a_thousand_streams_of_one_client_at_once(tmp_path: Path) -> None:
    """Each is read a little, held open while the others are, and then read to the end or dropped."""
    streams = 1000
    server = SocketServer(
        tmp_path / "data",
        program=("engram", "serve"),
        environ={"ENGRAM_SERVER_RECALL_STREAMS_PER_CLIENT_MAX": str(streams)},
    )
    address = f"127.0.0.1:{server.grpc_port}"
    async with connect(address) as stub, AsyncClient(address, space="notes") as client:
        await client.create_space("notes", dim=DIM)
        await observe(client, *(f"far{number}" for number in range(300)))
        request = pb.StreamingRecallRequest(
            memory_space_id="notes", cue=vector_cue("x"), max_results=300, batch_size=100
        )
        calls = [stub.RecallStream(request) for _ in range(streams)]
        async with asyncio.timeout(4 * TIMEOUT_S):
            first = await asyncio.gather(*(call.read() for call in calls))
            assert {len(answer.results) for answer in first} == {100}
            for call in calls[1::2]:
                call.cancel()
            rest = await asyncio.gather(*(_read_all(call) for call in calls[::2]))
        assert set(rest) == {200}
    server.stop_soundly()


async def _read_all(call: Any) -> int:
    count = 0
    while (answer := await call.read()) is not EOF:
        count += len(answer.results)
    return count


async def test_streams_are_limited_and_dropping_one_makes_room() -> None:
    engine = Engine.open(ServerOptions(None, default_space=SpaceConfig("default", DIM), recall_streams_max=2))
    space = engine.store.space("default")
    Space(SpaceAccess.to(space)).observe(["a", "b"], [TARGET, TARGET])
    query = RecallQuery(NEAR, batch_size=1)

    def encode(batch: Any) -> int:
        return len(batch.hits)

    held = [engine.recalls.stream(space, query, encode) for _ in range(2)]
    assert [await anext(stream) for stream in held] == [1, 1]
    assert engine.recalls.streams == 2
    with pytest.raises(OverCapacity) as caught:
        await anext(engine.recalls.stream(space, query, encode))
    assert (caught.value.code, caught.value.limit) == ("recall_streams", "2")
    await held[0].aclose()
    assert [size async for size in engine.recalls.stream(space, query, encode)] == [1, 1, 0]
    await held[1].aclose()
    assert engine.recalls.streams == 0
    await engine.close()
