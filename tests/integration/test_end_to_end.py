"""The promise itself, on ten thousand real observations over gRPC: acked is recallable, and still is after kill -9."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.data import sample
from engram.model.observations import make_batch
from engram.wire import engram_pb2 as pb
from tests.integration.server_process import TIMEOUT_S, ObserveCall, ServerProcess, connect

COUNT = 10_000
BATCH = 250
DIM = 384
SPACE = "words"
CONCURRENT_RECALLS = 32
# A folder with wordnet.txt and wordnet384.npy, to use more real texts than the repository carries.
REAL_DATA = os.environ.get("ENGRAM_REAL_DATA", "")


@dataclass(frozen=True)
class Rows:
    ids: list[str]
    contents: list[str]
    vectors: NDArray[np.float32]


def real_rows() -> Rows:
    """Ten thousand real texts where a folder with them is given, else the sample and blends of two of its entries."""
    if REAL_DATA:
        folder = Path(REAL_DATA)
        contents = (folder / "wordnet.txt").read_text(encoding="utf-8").splitlines()[:COUNT]
        vectors = np.load(folder / "wordnet384.npy", mmap_mode="r")[:COUNT].astype(np.float32)
        return Rows([f"wordnet-{i}" for i in range(COUNT)], contents, vectors)
    data = sample()
    left, right = np.random.default_rng(0).integers(0, len(data), (2, COUNT - len(data)))
    blends = data.vectors[left] + 0.5 * data.vectors[right]
    return Rows(
        [*data.ids, *(f"blend-{i}" for i in range(len(left)))],
        [*data.contents, *(f"{data.contents[a]}; {data.contents[b]}" for a, b in zip(left, right, strict=True))],
        np.concatenate([data.vectors, blends]),
    )


async def check_recallable(stub: Any, rows: Rows, positions: range) -> None:
    """Each of the rows is among the three nearest to its own vector (equal vectors are real), with its text."""
    gate = asyncio.Semaphore(CONCURRENT_RECALLS)

    async def check(position: int) -> None:
        cue = pb.Cue(embedding=pb.EmbeddingCue(vector_f32=rows.vectors[position].astype("<f4").tobytes()))
        async with gate:
            answer = await stub.Recall(
                pb.RecallRequest(memory_space_id=SPACE, cue=cue, max_results=3), timeout=TIMEOUT_S
            )
        found = {memory.id: memory for memory in answer.results}
        assert rows.ids[position] in found, f"{rows.ids[position]} is not recalled by its own vector"
        assert found[rows.ids[position]].content == rows.contents[position]
        assert found[rows.ids[position]].generation == position + 1

    async with asyncio.TaskGroup() as group:
        for position in positions:
            group.create_task(check(position))


async def test_ten_thousand_observations_are_recallable_when_acked_and_after_a_kill(tmp_path: Path) -> None:
    rows, data = real_rows(), tmp_path / "data"
    server = ServerProcess(data)
    try:
        async with connect(server.address) as stub:
            await stub.CreateSpace(pb.CreateSpaceRequest(memory_space_id=SPACE, dimension=DIM), timeout=TIMEOUT_S)
            stream = ObserveCall(stub)
            await stream.open(SPACE)
            for start in range(0, COUNT, BATCH):
                part = slice(start, start + BATCH)
                batch = make_batch(rows.ids[part], rows.vectors[part], rows.contents[part])
                await stream.send_batch(start + 1, batch)
                acks = await stream.accepted_up_to(start + BATCH)
                assert acks[-1].ack.last_generation == start + BATCH
                await check_recallable(stub, rows, range(start, start + BATCH))
        server.stop(signal.SIGKILL)
        server = ServerProcess(data)
        async with connect(server.address) as stub:
            await check_recallable(stub, rows, range(COUNT))
            resumed = ObserveCall(stub)
            opened = await resumed.open(SPACE, resume=stream.session_id)
            assert opened.initial_sequence == COUNT
    finally:
        server.stop(signal.SIGKILL)
