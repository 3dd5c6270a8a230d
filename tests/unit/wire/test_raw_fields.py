"""What is written without protobuf is what protobuf writes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engram.wire import engram_pb2 as pb
from engram.wire.raw_fields import bytes_tag, number_tag, varint


@given(st.integers(1, 2**64 - 1))
def test_a_number_is_written_as_protobuf_does(number: int) -> None:
    message = pb.ObservationRequest(sequence_number=number)
    tag = number_tag(pb.ObservationRequest.SEQUENCE_NUMBER_FIELD_NUMBER)
    assert tag + varint(number) == message.SerializeToString()


@given(st.binary(min_size=1, max_size=300))
def test_bytes_are_written_as_protobuf_does(packed: bytes) -> None:
    tag = bytes_tag(pb.ObservationBatch.VECTORS_FIELD_NUMBER)
    assert tag + varint(len(packed)) + packed == pb.ObservationBatch(vectors=packed).SerializeToString()


def test_the_tag_of_a_high_field_takes_more_bytes() -> None:
    assert bytes_tag(pb.Episode.TAGS_FIELD_NUMBER) == pb.Episode(tags=["a"]).SerializeToString()[:-2]
