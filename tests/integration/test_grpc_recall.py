"""Recall, RecallStream and MemoryStream against a real server: batches, snapshots, concurrency, cancellation."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import numpy as np
import pytest

from engram.wire import engram_pb2 as pb
from engram.wire.observations import encode_batch
from tests.integration.server_process import (
    ACCEPTED,
    CLOSED,
    DIM,
    EOF,
    TIMEOUT_S,
    ObserveCall,
    batch_of,
    numbered,
    raw_channel,
    recall_ids,
    vector_cue,
    vectors_of,
)


async def remember(stub: Any, space: str, ids: list[str]) -> int:
    """Store observations, and return the last generation."""
    request = pb.RememberRequest(memory_space_id=space, batch=encode_batch(batch_of(ids)))
    answer = await stub.Remember(request, timeout=TIMEOUT_S)
    return int(answer.last_generation)


async def streamed(stub: Any, request: pb.StreamingRecallRequest) -> list[pb.StreamingRecallResponse]:
    async with asyncio.timeout(TIMEOUT_S):
        return [answer async for answer in stub.RecallStream(request)]


def ids_of(answers: list[pb.StreamingRecallResponse]) -> list[str]:
    return [memory.id for answer in answers for memory in answer.results]


async def test_results_come_in_batches_best_first(stub: Any, space: str) -> None:
    await remember(stub, space, numbered(1, 50))
    answers = await streamed(
        stub,
        pb.StreamingRecallRequest(memory_space_id=space, cue=vector_cue("id-7"), max_results=25, batch_size=10),
    )
    assert [len(answer.results) for answer in answers] == [10, 10, 5]
    assert [answer.more_results for answer in answers] == [True, True, False]
    assert {answer.snapshot_sequence for answer in answers} == {50}
    scores = [memory.score for answer in answers for memory in answer.results]
    assert scores == sorted(scores, reverse=True)
    best = answers[0].results[0]
    assert (best.id, best.content, best.generation) == ("id-7", "text of id-7", 7)
    assert best.score == pytest.approx(1.0, abs=1e-5)
    assert not best.embedding


@pytest.mark.parametrize("batch_size", [1, 100])
async def test_the_extremes_of_the_batch_size(stub: Any, space: str, batch_size: int) -> None:
    await remember(stub, space, numbered(1, 120))
    answers = await streamed(
        stub,
        pb.StreamingRecallRequest(
            memory_space_id=space, cue=vector_cue("id-1"), max_results=120, batch_size=batch_size
        ),
    )
    assert len(answers) == -(-120 // batch_size)
    assert len(set(ids_of(answers))) == 120


async def test_embeddings_come_if_asked_for(stub: Any, space: str) -> None:
    await remember(stub, space, numbered(1, 3))
    request = pb.StreamingRecallRequest(
        memory_space_id=space, cue=vector_cue("id-2"), max_results=1, include_embeddings=True
    )
    (answer,) = await streamed(stub, request)
    assert np.allclose(answer.results[0].embedding, vectors_of(["id-2"])[0])


async def test_an_empty_space_gives_one_empty_answer(stub: Any, space: str) -> None:
    (answer,) = await streamed(stub, pb.StreamingRecallRequest(memory_space_id=space, cue=vector_cue("x")))
    assert not answer.results
    assert not answer.more_results
    assert answer.snapshot_sequence == 0


async def test_a_threshold_and_tags_filter(stub: Any, space: str) -> None:
    for name, tags in (("a", ["red"]), ("b", ["red", "old"]), ("c", ["blue"])):
        episode = pb.Episode(id=name, embedding=vectors_of([name])[0].tolist(), tags=tags)
        await stub.Remember(pb.RememberRequest(memory_space_id=space, observation=episode), timeout=TIMEOUT_S)
    cue = vector_cue("c")
    cue.threshold = 0.99
    assert ids_of(await streamed(stub, pb.StreamingRecallRequest(memory_space_id=space, cue=cue))) == ["c"]


async def test_a_text_cue_needs_an_embedder(stub: Any, space: str) -> None:
    cue = pb.Cue(semantic=pb.SemanticCue(query="the coast"))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await streamed(stub, pb.StreamingRecallRequest(memory_space_id=space, cue=cue))
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION


async def test_text_alone_is_enough_with_an_embedder(stub: Any, space: str) -> None:
    name = f"{space}-text"
    await stub.CreateSpace(
        pb.CreateSpaceRequest(memory_space_id=name, dimension=256, embedder="lexical"), timeout=TIMEOUT_S
    )
    call = ObserveCall(stub)
    await call.open(name)
    texts = ["we walked along the coast", "the invoice was paid in March", "tomatoes need a lot of sun"]
    for sequence, text in enumerate(texts, 1):
        episode = pb.Episode(id=f"m{sequence}", what=text, tags=["private"] if sequence == 2 else [])
        await call.send(pb.ObservationRequest(sequence_number=sequence, observation=episode))
    await call.accepted_up_to(3)
    cue = pb.Cue(semantic=pb.SemanticCue(query="paid invoice"))
    (answer,) = await streamed(stub, pb.StreamingRecallRequest(memory_space_id=name, cue=cue))
    assert answer.results[0].content == texts[1]
    cue.semantic.excluded_tags.append("private")
    (answer,) = await streamed(stub, pb.StreamingRecallRequest(memory_space_id=name, cue=cue))
    assert "m2" not in ids_of([answer])
    cue = pb.Cue(semantic=pb.SemanticCue(query="paid invoice", required_tags=["private"]))
    assert ids_of(await streamed(stub, pb.StreamingRecallRequest(memory_space_id=name, cue=cue))) == ["m2"]


async def test_a_recall_at_a_generation_does_not_move_while_others_insert(stub: Any, space: str) -> None:
    """Observations that would be nearer keep coming; none of them may show in the snapshot."""
    generation = await remember(stub, space, numbered(1, 200))
    expected = await recall_ids(stub, space, "target", max_results=50)
    call = ObserveCall(stub)
    await call.open(space)
    stop, inserted = asyncio.Event(), asyncio.Event()

    async def insert() -> None:
        sequence = 1
        target = vectors_of(["target"])[0].tolist()
        while not stop.is_set():
            near = pb.Episode(id=f"near-{sequence}", embedding=target)
            await call.send(pb.ObservationRequest(sequence_number=sequence, observation=near))
            await call.accepted_up_to(sequence)
            inserted.set()
            if sequence % 5 == 0:
                await stub.Forget(
                    pb.ForgetRequest(memory_space_id=space, ids=numbered(sequence // 5, 1)), timeout=TIMEOUT_S
                )
            sequence += 1

    inserting = asyncio.create_task(insert())
    request = pb.StreamingRecallRequest(
        memory_space_id=space, cue=vector_cue("target"), max_results=50, batch_size=7, max_generation=generation
    )
    for _ in range(20):
        answers = await streamed(stub, request)
        assert ids_of(answers) == expected
        assert {answer.snapshot_sequence for answer in answers} == {generation}
    await asyncio.wait_for(inserted.wait(), TIMEOUT_S)
    newest = await streamed(stub, pb.StreamingRecallRequest(memory_space_id=space, cue=vector_cue("target")))
    assert newest[0].results[0].id.startswith("near-")
    stop.set()
    await asyncio.wait_for(inserting, TIMEOUT_S)


async def test_a_cancelled_recall_leaves_the_server_well(stub: Any, space: str) -> None:
    await remember(stub, space, numbered(1, 500))
    for _ in range(10):
        call = stub.RecallStream(
            pb.StreamingRecallRequest(memory_space_id=space, cue=vector_cue("x"), max_results=500, batch_size=1)
        )
        assert await asyncio.wait_for(call.read(), TIMEOUT_S) is not EOF
        call.cancel()
    assert await recall_ids(stub, space, "id-3", 1) == ["id-3"]


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (pb.StreamingRecallRequest(memory_space_id="nowhere", cue=vector_cue("x")), grpc.StatusCode.NOT_FOUND),
        (pb.StreamingRecallRequest(cue=pb.Cue()), grpc.StatusCode.INVALID_ARGUMENT),
        (pb.StreamingRecallRequest(cue=vector_cue("x", 3)), grpc.StatusCode.INVALID_ARGUMENT),
        (pb.StreamingRecallRequest(cue=vector_cue("x"), batch_size=101), grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
async def test_bad_recalls_end_the_call(stub: Any, request_: pb.StreamingRecallRequest, code: grpc.StatusCode) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await streamed(stub, request_)
    assert caught.value.code() is code


class MemoryCall:
    """One MemoryStream, message by message."""

    def __init__(self, stub: Any) -> None:
        self.call = stub.MemoryStream()

    async def observe(self, request: pb.ObservationRequest) -> None:
        await asyncio.wait_for(self.call.write(pb.MemoryStreamRequest(observe=request)), TIMEOUT_S)

    async def recall(self, recall_id: int, request: pb.StreamingRecallRequest) -> None:
        await asyncio.wait_for(self.call.write(pb.MemoryStreamRequest(recall=request, recall_id=recall_id)), TIMEOUT_S)

    async def read(self) -> pb.MemoryStreamResponse:
        response: pb.MemoryStreamResponse = await asyncio.wait_for(self.call.read(), TIMEOUT_S)
        assert response is not EOF, await self.call.details()
        return response

    async def read_recall(self) -> pb.MemoryStreamResponse:
        while True:
            response = await self.read()
            if response.HasField("recall"):
                return response

    async def accepted_up_to(self, sequence: int) -> None:
        while True:
            ack = (await self.read()).observe
            if ack.ack.status == ACCEPTED and ack.sequence_number >= sequence:
                return


async def test_observing_and_recalling_on_one_stream(stub: Any, space: str) -> None:
    call = MemoryCall(stub)
    await call.observe(pb.ObservationRequest(memory_space_id=space, init=pb.StreamInit()))
    assert (await call.read()).observe.HasField("init_ack")
    await call.observe(pb.ObservationRequest(sequence_number=1, batch=encode_batch(batch_of(numbered(1, 100)))))
    await call.accepted_up_to(100)
    for number in range(1, 21):
        await call.recall(
            1000 + number,
            pb.StreamingRecallRequest(
                memory_space_id=space, cue=vector_cue(f"id-{number}"), max_results=30, batch_size=10
            ),
        )
    found: dict[int, list[str]] = {}
    ended: set[int] = set()
    while len(ended) < 20:
        response = await call.read_recall()
        assert response.recall_id not in ended
        found.setdefault(response.recall_id, []).extend(memory.id for memory in response.recall.results)
        if not response.recall.more_results:
            ended.add(response.recall_id)
    assert {recall_id: ids[0] for recall_id, ids in found.items()} == {1000 + n: f"id-{n}" for n in range(1, 21)}
    assert {len(ids) for ids in found.values()} == {30}


async def test_recalls_need_no_session(stub: Any, space: str) -> None:
    await remember(stub, space, numbered(1, 3))
    call = MemoryCall(stub)
    await call.recall(7, pb.StreamingRecallRequest(memory_space_id=space, cue=vector_cue("id-1")))
    response = await call.read_recall()
    assert (response.recall_id, len(response.recall.results)) == (7, 3)
    await call.call.done_writing()
    assert await asyncio.wait_for(call.call.code(), TIMEOUT_S) is grpc.StatusCode.OK


async def test_a_bad_recall_is_answered_in_band(stub: Any, space: str) -> None:
    call = MemoryCall(stub)
    await call.recall(1, pb.StreamingRecallRequest(memory_space_id=space, cue=vector_cue("x", 3)))
    await call.recall(2, pb.StreamingRecallRequest(memory_space_id="nowhere", cue=vector_cue("x")))
    errors = {}
    for _ in range(2):
        response = await call.read_recall()
        errors[response.recall_id] = response.recall.error.kind
    assert errors == {1: "invalid_input", 2: "not_found"}
    await call.observe(pb.ObservationRequest(memory_space_id=space, init=pb.StreamInit()))
    assert (await call.read()).observe.HasField("init_ack")


async def test_more_recalls_than_run_at_once_are_all_answered(stub: Any, space: str) -> None:
    await remember(stub, space, numbered(1, 10))
    call = MemoryCall(stub)
    request = pb.StreamingRecallRequest(memory_space_id=space, cue=vector_cue("id-1"))
    answered: set[int] = set()

    async def read() -> None:
        while len(answered) < 200:
            answered.add((await call.read_recall()).recall_id)

    reading = asyncio.create_task(read())
    for number in range(1, 201):
        await call.recall(number, request)
    await asyncio.wait_for(reading, TIMEOUT_S)
    assert answered == set(range(1, 201))


async def test_a_paused_memory_stream_holds_its_results(stub: Any, space: str) -> None:
    await remember(stub, space, numbered(1, 3))
    call = MemoryCall(stub)
    await call.observe(pb.ObservationRequest(memory_space_id=space, init=pb.StreamInit()))
    await call.read()
    await call.observe(pb.ObservationRequest(flow=pb.FlowControl(action=pb.FlowControl.ACTION_PAUSE)))
    assert (await call.read()).observe.status.state == pb.StreamStatus.STATE_PAUSED
    await call.recall(1, pb.StreamingRecallRequest(memory_space_id=space, cue=vector_cue("id-1")))
    # Many round trips later, only their answers have come.
    for _ in range(50):
        await call.observe(pb.ObservationRequest())
        assert (await call.read()).observe.status.error.code == "no_operation"
        await recall_ids(stub, space, "id-1")
    await call.observe(pb.ObservationRequest(flow=pb.FlowControl(action=pb.FlowControl.ACTION_RESUME)))
    responses = [await call.read() for _ in range(2)]
    assert sorted(response.recall_id for response in responses) == [0, 1]


async def test_close_lets_recalls_finish(stub: Any, space: str) -> None:
    await remember(stub, space, numbered(1, 100))
    call = MemoryCall(stub)
    await call.observe(pb.ObservationRequest(memory_space_id=space, init=pb.StreamInit()))
    for number in range(5):
        request = pb.StreamingRecallRequest(
            memory_space_id=space, cue=vector_cue("id-1"), max_results=100, batch_size=10
        )
        await call.recall(number + 1, request)
    await call.observe(pb.ObservationRequest(close=pb.StreamClose(drain_queue=True)))
    results = 0
    while True:
        response = await call.read()
        results += len(response.recall.results)
        if response.observe.status.state == CLOSED:
            break
    assert results == 500
    assert await asyncio.wait_for(call.call.code(), TIMEOUT_S) is grpc.StatusCode.OK


async def test_a_malformed_message_is_answered_in_band(server: Any, space: str) -> None:
    async with raw_channel(server.address) as channel:
        call = channel.stream_stream(
            "/engram.v1.EngramService/MemoryStream",
            request_serializer=bytes,
            response_deserializer=pb.MemoryStreamResponse.FromString,
        )()
        await call.write(b"\xff\xff\xff")
        response = await asyncio.wait_for(call.read(), TIMEOUT_S)
        assert response.observe.status.error.code == "malformed_message"
        request = pb.StreamingRecallRequest(memory_space_id=space, cue=vector_cue("x", DIM))
        await call.write(pb.MemoryStreamRequest(recall=request, recall_id=9).SerializeToString())
        assert (await asyncio.wait_for(call.read(), TIMEOUT_S)).recall_id == 9
