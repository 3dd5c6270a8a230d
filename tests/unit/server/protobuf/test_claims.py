"""Init to a claim: who comes, and what it knows."""

from __future__ import annotations

from engram.client.grpc.observe_events import encode_greeting
from engram.client.transport import Greeting
from engram.server.protobuf.claims import decode_claim
from engram.streaming.sessions.claim import Claim
from engram.wire import engram_pb2 as pb


def test_a_client_that_comes_back_says_what_it_knows_also_if_that_is_nothing() -> None:
    init = pb.StreamInit(writer=2**64 - 1, known_sequence=0, incarnation="i")
    assert decode_claim(pb.StreamInit.FromString(init.SerializeToString())) == Claim(2**64 - 1, 0, "i")


def test_on_a_first_connection_nothing_is_known() -> None:
    assert decode_claim(pb.StreamInit(writer=7)) == Claim(7, None, "")
    init = encode_greeting(Greeting("default", "s", 7)).init
    assert (init.resume_session_id, init.writer) == ("s", 7)
    assert not init.HasField("known_sequence")


def test_who_names_no_writer_is_one_of_its_own_each_time() -> None:
    one, other = decode_claim(pb.StreamInit()), decode_claim(pb.StreamInit(known_sequence=3))
    assert 0 not in (one.writer, other.writer)
    assert one.writer != other.writer
    assert (one.known_sequence, other.known_sequence) == (None, None)
