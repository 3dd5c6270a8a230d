"""Conversion of a client's init message to a claim."""

from __future__ import annotations

from engram.streaming.sessions.claim import Claim
from engram.wire import engram_pb2 as pb


def decode_claim(init: pb.StreamInit) -> Claim:
    """Return the claim in `init`. A client without a writer number is a new writer; its `known_sequence` is ignored."""
    if not init.writer:
        return Claim(incarnation=init.incarnation)
    known_sequence = init.known_sequence if init.HasField("known_sequence") else None
    return Claim(init.writer, known_sequence, init.incarnation)
