"""A server over data that an older version took and this one refuses: it starts, and serves what is there."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engram.client import Client
from engram.store import Cue, Filter, MemoryStore, Strength
from engram.store.commit.queue import CommitRequest, CommitResult
from engram.wire import engram_pb2 as pb
from tests.integration.server_process import DIM, TIMEOUT_S, ServerProcess, batch_of, connect, vector_cue, vectors_of

STRANGE = {
    "deep": '{"a":' * 964 + "1" + "}" * 964,
    "deeper": '{"a":' * 5000 + "1" + "}" * 5000,
    "huge": '{"a":' + "9" * 5000 + "}",
    "half": '{"a":"\\ud800"}',
    "twice": '{"a":1,"a":2}',
    "nan": '{"a":NaN}',
}
TIMES = {"largest": 2**63 - 1, "not a time": -(2**63), "nanoseconds": 1_764_000_000 * 10**9}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    ids = [*STRANGE, *TIMES, "sound"]
    times_us = np.array([0] * len(STRANGE) + list(TIMES.values()) + [0])
    batch = replace(batch_of(ids), metadata=[*STRANGE.values(), "", "", "", '{"k":1}'], times_us=times_us)
    outcomes: list[Any] = []
    with MemoryStore(tmp_path / "data") as store:
        space = store.space("notes", dim=DIM)
        # Past the check, as a version without it did; closing the store answers it.
        store._engine.submit(CommitRequest(space=space._engine, batch=batch, done=outcomes.append))
    assert [type(outcome) for outcome in outcomes] == [CommitResult]
    return tmp_path / "data"


async def test_everything_is_recalled_and_the_server_starts_as_often_as_it_likes(data: Path) -> None:
    for _ in range(2):
        server = ServerProcess(data)
        async with connect(server.address) as stub:
            request = pb.RecallRequest(memory_space_id="notes", cue=vector_cue("deep"), max_results=100)
            answer = await stub.Recall(request, timeout=TIMEOUT_S)
        stored = {memory.id: memory.metadata_json for memory in answer.results}
        assert stored == {**STRANGE, **dict.fromkeys(TIMES, ""), "sound": '{"k":1}'}
        await asyncio.to_thread(look, server.address)
        server.stop_soundly()


def look(address: str) -> None:
    with Client(address, space="notes") as client:
        hits = {hit.id: hit for hit in client.recall(vectors_of(["deep"])[0], k=100, strength=Strength())}
        assert {id: hits[id].time_us for id in TIMES} == TIMES
        assert all(hit.age_s >= 0 and isinstance(hit.metadata, dict) for hit in hits.values())
        assert [hit.content for hit in hits.values()] == [f"text of {id}" for id in hits]
        assert [hit.id for hit in client.recall(Cue(filter=Filter(metadata={"k": 1})))] == ["sound"]
        streamed = [hit.id for batch in client.recall_stream(Cue(), 100, 3) for hit in batch]
        assert sorted(streamed) == sorted(hits)
