"""Requests put together by hand are what protobuf itself would read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.client.grpc.batch_encoding import divide_request, encode_parts, join_request
from engram.model.observations import ObservationBatch, make_batch
from engram.model.priority import Priority
from engram.server.protobuf.observe_message import ObserveMessage
from engram.wire import engram_pb2 as pb
from engram.wire.observations import decode_batch, encode_batch


def batch_of(count: int, dim: int) -> ObservationBatch:
    return make_batch(
        ids=[f"id-{row}" for row in range(count)],
        vectors=np.random.default_rng(count).normal(size=(count, dim)),
        contents=[f"tëxt {row}" for row in range(count)],
        metadata=[{"row": row} for row in range(count)],
        tags=[["a", "b"][: row % 3] for row in range(count)],
    )


@given(
    count=st.integers(1, 40),
    dim=st.sampled_from([0, 8, 33, 768]),
    sequence=st.integers(1, 2**64 - 1),
    priority=st.sampled_from(list(Priority)),
)
def test_protobuf_reads_the_same_message(count: int, dim: int, sequence: int, priority: Priority) -> None:
    batch = batch_of(count, dim)
    read = pb.ObservationRequest.FromString(join_request(encode_parts(batch, priority), sequence))
    assert read == pb.ObservationRequest(sequence_number=sequence, batch=encode_batch(batch, priority))


@pytest.mark.parametrize("dim", [0, 8, 768])
def test_a_request_names_its_span(dim: int) -> None:
    batch, traceparent = batch_of(40, dim), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    message = join_request(encode_parts(batch, Priority.LOW), 7, traceparent)
    expected = pb.ObservationRequest(
        sequence_number=7, traceparent=traceparent, batch=encode_batch(batch, Priority.LOW)
    )
    assert pb.ObservationRequest.FromString(message) == expected
    read = ObserveMessage.parse(message)
    assert read.request.traceparent == traceparent
    assert len(read.vectors) == (4 * dim * len(batch) if len(message) > 16 << 10 else 0)


def test_the_vectors_are_not_copied_before_the_request_is_joined() -> None:
    batch = batch_of(3, 8)
    _, vectors, _ = encode_parts(batch, Priority.NORMAL)
    assert np.may_share_memory(np.asarray(vectors), batch.vectors)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f4", ">f4"])
def test_vectors_of_any_layout_travel_as_little_endian_rows(order: str, dtype: str) -> None:
    batch = batch_of(3, 8)
    odd = ObservationBatch(
        batch.ids,
        np.array(batch.vectors, dtype=dtype, order="F" if order == "F" else "C"),
        batch.contents,
        batch.times_us,
        batch.confidences,
        batch.importances,
    )
    read = pb.ObservationRequest.FromString(b"".join(encode_parts(odd, Priority.NORMAL)))
    assert read.batch.vectors == batch.vectors.astype("<f4").tobytes()


@pytest.mark.parametrize("present", [[True, False, True], [False, False, False]])
def test_the_vectors_are_those_of_the_rows_that_have_one(present: list[bool]) -> None:
    vectors = [np.full(8, row + 1.0) if has else None for row, has in enumerate(present)]
    columns: dict[str, Any] = {"contents": ["x", None, ""], "expires_at": [5, None, None], "embed": False}
    batch: Any = make_batch(["a", "b", "c"], vectors, **columns)
    read = pb.ObservationRequest.FromString(join_request(encode_parts(batch, Priority.NORMAL), 7))
    assert read == pb.ObservationRequest(sequence_number=7, batch=encode_batch(batch))
    assert len(read.batch.vectors) == 4 * 8 * sum(present)
    decoded: Any = decode_batch(read.batch)
    assert decoded.vectors.tolist() == batch.vectors.tolist()
    assert (decoded.vector_presence.tolist(), decoded.text_presence.tolist()) == (present, [True, False, True])
    assert (decoded.expires_us.tolist(), decoded.embeds) == (batch.expires_us.tolist(), False)


@given(request=st.binary(min_size=1, max_size=100), size=st.integers(0, 120))
def test_a_large_request_is_sent_in_parts(request: bytes, size: int) -> None:
    sent = list(divide_request(request, size))
    if not 0 < size < len(request):
        assert sent == [request]
        return
    parts = [pb.ObservationRequest.FromString(each).part for each in sent]
    assert b"".join(part.data for part in parts) == request
    assert all(1 <= len(part.data) <= size for part in parts)
    assert [part.message_bytes for part in parts] == [len(request), *[0] * (len(parts) - 1)]
