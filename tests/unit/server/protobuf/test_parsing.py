"""The deserializer never raises, whatever bytes come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engram.server.malformed import Malformed
from engram.server.protobuf.parsing import lenient
from engram.wire import engram_pb2 as pb

parse = lenient("ObservationRequest", pb.ObservationRequest.FromString)


def test_good_bytes_are_the_message() -> None:
    request = pb.ObservationRequest(sequence_number=7, observation=pb.Episode(id="a"))
    assert parse(request.SerializeToString()) == request


@given(st.binary(max_size=200))
def test_any_bytes_give_a_message_or_a_marker(data: bytes) -> None:
    assert isinstance(parse(data), pb.ObservationRequest | Malformed)


def test_bad_text_in_a_message_is_malformed() -> None:
    data = pb.ObservationRequest(memory_space_id="xxx").SerializeToString().replace(b"xxx", b"\xc3\x28x")
    found = parse(data)
    assert isinstance(found, Malformed)
    assert (found.error.code, found.error.field) == ("malformed_message", "ObservationRequest")
    assert "\\xc3" not in found.error.value
