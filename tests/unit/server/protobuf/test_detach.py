"""Taking vectors out of messages changes nothing but where they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.server.protobuf.detach import detach_vectors
from engram.server.protobuf.observe_message import ObserveMessage
from engram.wire import engram_pb2 as pb


def request_of(count: int, dim: int, **fields: str | int) -> pb.ObservationRequest:
    vectors = np.random.default_rng(count).standard_normal((count, dim)).astype("<f4")
    batch = pb.ObservationBatch(
        count=count, dimension=dim, vectors=vectors.tobytes(), ids=[f"id {row}" for row in range(count)]
    )
    return pb.ObservationRequest(batch=batch, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [6, 50, 700])
@pytest.mark.parametrize("fields", [{}, {"memory_space_id": "notes", "session_id": "s", "sequence_number": 2**63}])
def test_rest_and_vectors_are_the_message(count: int, fields: dict[str, str | int]) -> None:
    request = request_of(count, 768, **fields)
    found, vectors = ObserveMessage.parse(request.SerializeToString())
    assert vectors == request.batch.vectors
    request.batch.vectors = b""
    assert found == request


@given(order=st.permutations(range(4)))
def test_fields_may_come_in_any_order(order: list[int]) -> None:
    # Concatenated messages merge, so parts in another order are the same message.
    vectors = bytes(range(256)) * 80
    parts = [
        pb.ObservationBatch(count=5, dimension=1024).SerializeToString(),
        pb.ObservationBatch(vectors=vectors).SerializeToString(),
        pb.ObservationBatch(ids=["a", "b", "c", "d", "e"]).SerializeToString(),
        pb.ObservationBatch(times_us=[1, 2, 3, 4, 5], priority=pb.PRIORITY_LOW).SerializeToString(),
    ]
    batch = b"".join(parts[index] for index in order)
    data = pb.ObservationRequest(session_id="s").SerializeToString() + b"\xf2\x01" + varint(len(batch)) + batch
    found, detached = ObserveMessage.parse(data)
    assert (found.batch.vectors or detached) == vectors
    found.batch.vectors = vectors
    assert found == pb.ObservationRequest.FromString(data)


def test_vectors_given_twice_stay_where_the_last_ones_win() -> None:
    first, last = (pb.ObservationBatch(vectors=bytes([value]) * 20_000).SerializeToString() for value in (1, 2))
    data = b"\xf2\x01" + varint(len(first + last)) + first + last
    found, _ = ObserveMessage.parse(data)
    assert found.batch.vectors == pb.ObservationRequest.FromString(data).batch.vectors


@pytest.mark.parametrize(
    "request_",
    [
        pb.ObservationRequest(),
        pb.ObservationRequest(init=pb.StreamInit(resume_session_id="x" * 20_000)),
        pb.ObservationRequest(observation=pb.Episode(what="x" * 20_000)),
        pb.ObservationRequest(batch=pb.ObservationBatch(contents=["x" * 20_000])),
        request_of(2, 8),
    ],
    ids=["empty", "init", "episode", "no vectors", "short"],
)
def test_other_messages_stay_as_they_are(request_: pb.ObservationRequest) -> None:
    data = request_.SerializeToString()
    assert detach_vectors(data) == (data, memoryview(b""))


@given(data=st.binary(min_size=1, max_size=60), at=st.integers(0, 17_000), cut=st.integers(0, 20_000))
def test_broken_messages_are_left_to_protobuf(data: bytes, at: int, cut: int) -> None:
    whole = request_of(6, 768).SerializeToString()
    broken = (whole[:at] + data + whole[at:])[: len(whole) + len(data) - cut]
    rest, vectors = detach_vectors(broken)
    assert (rest == broken) == (not vectors)


def varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def test_vectors_beside_more_of_other_data_stay() -> None:
    request = request_of(10, 768)
    request.batch.contents.extend(["x" * 40_000])
    found, vectors = ObserveMessage.parse(request.SerializeToString())
    assert found == request
    assert not vectors
