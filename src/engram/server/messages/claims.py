"""What a client says about itself in init, and the claim it stands for."""

from __future__ import annotations

from engram.streaming.sessions.claim import Claim
from engram.wire import engram_pb2 as pb


def decode_claim(init: pb.StreamInit) -> Claim:
    """Return the claim of a client; one without a writer's number is a writer of its own, whatever it knows."""
    if not init.writer:
        return Claim(incarnation=init.incarnation)
    known_sequence = init.known_sequence if init.HasField("known_sequence") else None
    return Claim(init.writer, known_sequence, init.incarnation)
