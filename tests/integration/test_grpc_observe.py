"""ObserveStream against a real server: handshake, acks, duplicates, rejections, pause, close, resume."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import grpc
import numpy as np
import pytest

from engram.client.grpc.batch_encoding import divide_request
from engram.model.observations import with_vectors
from engram.model.priority import Priority
from engram.wire import engram_pb2 as pb
from engram.wire.observations import encode_batch
from tests.integration.server_process import (
    ACCEPTED,
    CLOSED,
    DIM,
    INDEXED,
    REJECTED,
    TIMEOUT_S,
    ObserveCall,
    ServerProcess,
    batch_of,
    numbered,
    raw_channel,
    recall_ids,
)


async def opened(stub: Any, space: str, resume: str = "") -> ObserveCall:
    call = ObserveCall(stub)
    await call.open(space, resume)
    return call


async def test_the_handshake_tells_the_truth(stub: Any, space: str) -> None:
    ack = await ObserveCall(stub).open(space)
    assert ack.session_id
    assert (ack.initial_sequence, ack.dimension, ack.generation) == (0, DIM, 0)
    assert ack.capabilities.queue_capacity == 160_000
    assert ack.capabilities.batch_count_max == 10_000
    assert ack.capabilities.supports_snapshot_isolation


async def test_single_observations_and_batches_are_acked_in_order(stub: Any, space: str) -> None:
    call = await opened(stub, space)
    sequence = 1
    for count in (1, 5, 1, 256, 1):
        batch = batch_of(numbered(sequence, count))
        if count == 1:
            episode = pb.Episode(id=batch.ids[0], what="one", embedding=batch.vectors[0].tolist())
            await call.send(pb.ObservationRequest(sequence_number=sequence, observation=episode))
        else:
            await call.send_batch(sequence, batch)
        sequence += count
    acks = await call.accepted_up_to(sequence - 1)
    covered, generation = 0, 0
    for response in acks:
        assert response.session_id == call.session_id
        assert response.sequence_number == response.ack.last_sequence
        assert response.ack.first_sequence == covered + 1
        assert response.ack.first_generation == generation + 1
        covered, generation = response.ack.last_sequence, response.ack.last_generation
    assert (covered, generation) == (264, 264)


async def test_a_large_request_is_taken_in_parts_and_as_a_whole(stub: Any, space: str) -> None:
    call = ObserveCall(stub)
    part_bytes = (await call.open(space)).capabilities.part_bytes_max
    assert part_bytes == 1 << 20
    for sequence, divides in ((1, True), (21, False)):
        batch = encode_batch(batch_of(numbered(sequence, 20)), Priority.NORMAL)
        batch.contents[:] = ["x" * 100_000] * 20
        request = pb.ObservationRequest(sequence_number=sequence, batch=batch)
        for message in divide_request(request.SerializeToString(), part_bytes if divides else 0):
            await call.send(pb.ObservationRequest.FromString(message))
        assert (await call.accepted_up_to(sequence + 19))[-1].ack.last_sequence == sequence + 19
    answer = await stub.Get(pb.GetRequest(memory_space_id=space, ids=[*numbered(1, 1), *numbered(21, 1)]))
    assert [len(hit.content) for hit in answer.results] == [100_000] * 2


async def test_parts_that_cannot_follow_end_the_call_and_take_no_room(stub: Any, space: str) -> None:
    # Together they are more than there is room for, unless each is given up with its call.
    for _ in range(3):
        call = await opened(stub, space)
        await call.send(pb.ObservationRequest(part=pb.MessagePart(message_bytes=40 << 20, data=b"x")))
        await call.send(pb.ObservationRequest(part=pb.MessagePart(message_bytes=40 << 20, data=b"x")))
        code, message = await call.end()
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert "a first part in the middle of a request" in message
    for _ in range(3):
        left = await opened(stub, space)
        await left.send(pb.ObservationRequest(part=pb.MessagePart(message_bytes=40 << 20, data=b"x")))
        left.call.cancel()
    call = await opened(stub, space)
    await call.send_batch(1, batch_of(numbered(1, 5)))
    await call.accepted_up_to(5)


async def test_what_is_acked_is_recallable_at_once(stub: Any, space: str) -> None:
    call = await opened(stub, space)
    for sequence in range(1, 51):
        (name,) = numbered(sequence, 1)
        await call.send_batch(sequence, batch_of([name]))
        await call.accepted_up_to(sequence)
        assert (await recall_ids(stub, space, name, max_results=1)) == [name]


async def test_indexed_follows_accepted(stub: Any, space: str) -> None:
    call = await opened(stub, space)
    await call.send_batch(1, batch_of(numbered(1, 100)))
    accepted = 0
    while True:
        response = await call.read()
        if response.ack.status == ACCEPTED:
            accepted = response.sequence_number
        else:
            assert response.ack.status == INDEXED
            assert response.sequence_number <= accepted
            if response.sequence_number == 100:
                break
    described = await stub.GetSpace(pb.GetSpaceRequest(memory_space_id=space), timeout=TIMEOUT_S)
    assert described.indexed_generation == 100


async def test_a_duplicate_gets_the_original_ack(stub: Any, space: str) -> None:
    call = await opened(stub, space)
    await call.send_batch(1, batch_of(numbered(1, 10)))
    original = (await call.accepted_up_to(10))[-1].ack
    await call.send_batch(1, batch_of(numbered(1, 10, "other")))
    again = (await call.read_ack(ACCEPTED)).ack
    assert (again.first_sequence, again.last_sequence) == (1, 10)
    assert (again.first_generation, again.last_generation) == (1, original.last_generation)
    described = await stub.GetSpace(pb.GetSpaceRequest(memory_space_id=space), timeout=TIMEOUT_S)
    assert (described.visible_generation, described.live_count) == (10, 10)


async def test_a_gap_is_refused_in_band_and_the_number_can_be_sent_again(stub: Any, space: str) -> None:
    call = await opened(stub, space)
    await call.send_batch(1, batch_of(numbered(1, 10)))
    await call.send_batch(12, batch_of(numbered(12, 10)))
    # What was stored may be told to be indexed before the gap is seen.
    while (rejected := await call.read()).ack.status != REJECTED:
        assert rejected.HasField("ack"), rejected
    assert rejected.sequence_number == 12
    assert rejected.ack.error.code == "sequence_gap"
    assert rejected.ack.error.expected_sequence == 11
    await call.send_batch(11, batch_of(numbered(11, 10)))
    await call.accepted_up_to(20)


def spoilt(kind: str) -> Any:
    batch = batch_of(numbered(1, 3))
    vectors = batch.vectors.copy()
    if kind == "not_finite":
        vectors[1, 2] = np.nan
    elif kind == "zero_vector":
        vectors[1] = 0
    elif kind == "dimension_mismatch":
        vectors = vectors[:, :-1].copy()
    return with_vectors(batch, vectors)


@pytest.mark.parametrize("kind", ["not_finite", "zero_vector", "dimension_mismatch"])
async def test_a_bad_batch_is_refused_whole_and_the_stream_lives(stub: Any, space: str, kind: str) -> None:
    call = await opened(stub, space)
    await call.send_batch(1, spoilt(kind))
    await call.send_batch(4, batch_of(numbered(4, 3)))
    first, second = await call.read_ack(REJECTED), await call.read_ack(REJECTED)
    assert (first.sequence_number, first.ack.first_sequence, first.ack.last_sequence) == (1, 1, 3)
    assert first.ack.error.code == kind
    assert (second.sequence_number, second.ack.error.expected_sequence) == (4, 1)
    await call.send_batch(1, batch_of(numbered(1, 3)))
    await call.accepted_up_to(3)
    assert len(await recall_ids(stub, space, "id-1")) == 3


async def test_a_column_of_the_wrong_length_is_refused(stub: Any, space: str) -> None:
    call = await opened(stub, space)
    broken = pb.ObservationBatch(count=2, dimension=DIM, vectors=b"short", ids=["a", "b"])
    await call.send(pb.ObservationRequest(sequence_number=1, batch=broken))
    rejected = await call.read_ack(REJECTED)
    assert (rejected.ack.error.code, rejected.ack.last_sequence) == ("vectors_size", 2)


async def test_malformed_bytes_are_answered_in_band(server: ServerProcess, space: str) -> None:
    async with raw_channel(server.address) as channel:
        raw = channel.stream_stream(
            "/engram.v1.EngramService/ObserveStream",
            request_serializer=bytes,
            response_deserializer=pb.ObservationResponse.FromString,
        )

        class Stub:
            def ObserveStream(self) -> Any:
                return raw()

        call = ObserveCall(Stub())
        garbage = b"\xff\xff\xff\xff"
        bad_text = pb.ObservationRequest(memory_space_id="xxx").SerializeToString().replace(b"xxx", b"\xc3\x28x")
        await call.call.write(garbage)
        complaint = await call.read_status(pb.StreamStatus.STATE_ERROR)
        assert complaint.status.error.code == "malformed_message"
        init = pb.ObservationRequest(memory_space_id=space, init=pb.StreamInit())
        await call.call.write(init.SerializeToString())
        assert (await call.read()).HasField("init_ack")
        for bad in (garbage, bad_text):
            await call.call.write(bad)
            assert (await call.read_status(pb.StreamStatus.STATE_ERROR)).status.error.kind == "invalid_input"
        episode = pb.Episode(id="a", embedding=[1.0] * DIM)
        await call.call.write(pb.ObservationRequest(sequence_number=1, observation=episode).SerializeToString())
        await call.accepted_up_to(1)


async def test_an_empty_message_is_answered_in_band(stub: Any, space: str) -> None:
    call = await opened(stub, space)
    await call.send(pb.ObservationRequest())
    status = await call.read_status(pb.StreamStatus.STATE_ERROR)
    assert status.status.error.code == "no_operation"


async def test_a_second_init_is_answered_in_band(stub: Any, space: str) -> None:
    call = await opened(stub, space)
    await call.send(pb.ObservationRequest(memory_space_id=space, init=pb.StreamInit()))
    status = await call.read_status(pb.StreamStatus.STATE_ERROR)
    assert status.status.error.code == "already_open"


async def test_an_oversized_message_ends_the_call_and_nothing_else(stub: Any, space: str) -> None:
    call = await opened(stub, space)
    await call.send_batch(1, batch_of(numbered(1, 3)))
    await call.accepted_up_to(3)
    huge = pb.ObservationBatch(vectors=bytes(41 * 1024 * 1024))
    await call.send(pb.ObservationRequest(sequence_number=4, batch=huge))
    assert (await call.end())[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
    again = ObserveCall(stub)
    assert (await again.open(space, call.session_id)).initial_sequence == 3


async def test_a_batch_of_too_many_is_refused_in_band(stub: Any, space: str) -> None:
    call = await opened(stub, space)
    await call.send_batch(1, batch_of(numbered(1, 10_001)))
    rejected = await call.read_ack(REJECTED)
    assert rejected.ack.error.code == "batch_count"


async def test_a_paused_stream_holds_acks_and_observations_until_resume(stub: Any, space: str) -> None:
    call = await opened(stub, space)
    await call.flow(pb.FlowControl.ACTION_PAUSE)
    await call.read_status(pb.StreamStatus.STATE_PAUSED)
    await call.send_batch(1, batch_of(numbered(1, 10)))
    # A message with an answer, behind the observations: if it is answered, they have been read and kept.
    await call.send(pb.ObservationRequest())
    await call.read_status(pb.StreamStatus.STATE_ERROR)
    described = await stub.GetSpace(pb.GetSpaceRequest(memory_space_id=space), timeout=TIMEOUT_S)
    assert described.visible_generation == 0
    await call.flow(pb.FlowControl.ACTION_RESUME)
    await call.read_status(pb.StreamStatus.STATE_ACTIVE)
    await call.accepted_up_to(10)


async def test_close_with_drain_waits_until_all_is_indexed(stub: Any, space: str) -> None:
    call = await opened(stub, space)
    for first in range(1, 5001, 500):
        await call.send_batch(first, batch_of(numbered(first, 500)))
    await call.close(drain=True, last_sequence=5000)
    accepted = indexed = 0
    while True:
        response = await call.read()
        if response.HasField("status"):
            break
        if response.ack.status == ACCEPTED:
            accepted = response.sequence_number
        elif response.ack.status == INDEXED:
            indexed = response.sequence_number
    assert response.status.state == CLOSED
    assert not response.status.HasField("error")
    assert (accepted, indexed, response.sequence_number) == (5000, 5000, 5000)
    assert (await call.end())[0] is grpc.StatusCode.OK
    described = await stub.GetSpace(pb.GetSpaceRequest(memory_space_id=space), timeout=TIMEOUT_S)
    assert described.indexed_generation == 5000


async def test_close_names_what_never_arrived(stub: Any, space: str) -> None:
    call = await opened(stub, space)
    await call.send_batch(1, batch_of(numbered(1, 3)))
    await call.close(drain=False, last_sequence=9)
    status = (await call.read_status(CLOSED)).status
    assert (status.error.code, status.error.expected_sequence) == ("sequence_incomplete", 4)


async def test_half_closing_lets_the_acks_out(stub: Any, space: str) -> None:
    call = await opened(stub, space)
    await call.send_batch(1, batch_of(numbered(1, 300)))
    await call.call.done_writing()
    await call.accepted_up_to(300)
    assert (await call.end())[0] is grpc.StatusCode.OK


async def test_a_session_resumes_after_a_lost_connection(stub: Any, space: str) -> None:
    call = await opened(stub, space)
    await call.send_batch(1, batch_of(numbered(1, 10)))
    await call.accepted_up_to(10)
    call.call.cancel()
    again = ObserveCall(stub)
    ack = await again.open(space, call.session_id)
    assert (ack.session_id, ack.initial_sequence) == (call.session_id, 10)
    await again.send_batch(11, batch_of(numbered(11, 10)))
    await again.accepted_up_to(20)


async def test_the_newer_connection_takes_the_session_over(stub: Any, space: str) -> None:
    older = await opened(stub, space)
    await older.send_batch(1, batch_of(numbered(1, 3)))
    await older.accepted_up_to(3)
    newer = ObserveCall(stub)
    assert (await newer.open(space, older.session_id)).initial_sequence == 3
    status = await older.read_status(pb.StreamStatus.STATE_ERROR)
    assert status.status.error.code == "session_taken_over"
    assert (await older.end())[0] is grpc.StatusCode.OK
    await newer.send_batch(4, batch_of(numbered(4, 3)))
    await newer.accepted_up_to(6)


async def test_mixed_priorities_keep_the_order_of_a_session(stub: Any, space: str) -> None:
    call = await opened(stub, space)
    priorities = itertools.cycle((Priority.LOW, Priority.HIGH, Priority.NORMAL))
    for sequence in range(1, 301):
        await call.send_batch(sequence, batch_of(numbered(sequence, 1)), next(priorities))
    acks = await call.accepted_up_to(300)
    assert acks[-1].ack.last_generation == 300


async def test_observing_without_init_is_a_failed_precondition(stub: Any) -> None:
    call = ObserveCall(stub)
    await call.send_batch(1, batch_of(["a"]))
    code, details = await call.end()
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert "init" in details


@pytest.mark.parametrize(
    ("name", "code"),
    [("no-such-space", grpc.StatusCode.NOT_FOUND), ("No Space!", grpc.StatusCode.INVALID_ARGUMENT)],
)
async def test_init_with_a_bad_space_ends_the_call(stub: Any, name: str, code: grpc.StatusCode) -> None:
    call = ObserveCall(stub)
    await call.send(pb.ObservationRequest(memory_space_id=name, init=pb.StreamInit()))
    assert (await call.end())[0] is code


async def test_a_message_for_another_space_ends_the_call(stub: Any, space: str) -> None:
    call = await opened(stub, space)
    await call.send(pb.ObservationRequest(memory_space_id="default", sequence_number=1, observation=pb.Episode(id="a")))
    assert (await call.end())[0] is grpc.StatusCode.INVALID_ARGUMENT


async def test_sessions_of_two_spaces_do_not_meet(stub: Any, space: str) -> None:
    other = f"{space}-other"
    await stub.CreateSpace(pb.CreateSpaceRequest(memory_space_id=other, dimension=DIM), timeout=TIMEOUT_S)
    here, there = await opened(stub, space, "same"), await opened(stub, other, "same")
    await here.send_batch(1, batch_of(numbered(1, 3)))
    await here.accepted_up_to(3)
    await there.send_batch(1, batch_of(["elsewhere"]))
    await there.accepted_up_to(1)
    assert await recall_ids(stub, other, "id-1") == ["elsewhere"]
    assert sorted(await recall_ids(stub, space, "elsewhere")) == ["id-1", "id-2", "id-3"]


async def test_many_streams_at_once_lose_nothing(stub: Any, space: str) -> None:
    async def run(stream: int) -> None:
        call = await opened(stub, space)
        for first in range(1, 1001, 50):
            await call.send_batch(first, batch_of(numbered(first, 50, f"s{stream}")))
        acks = await call.accepted_up_to(1000)
        assert [ack.ack.first_sequence for ack in acks] == [1, *(ack.ack.last_sequence + 1 for ack in acks[:-1])]

    await asyncio.gather(*(run(stream) for stream in range(8)))
    described = await stub.GetSpace(pb.GetSpaceRequest(memory_space_id=space), timeout=TIMEOUT_S)
    assert (described.durable_generation, described.live_count) == (8000, 8000)
