"""Recalls on the wire: requests to queries, hits to memories."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from typing import Any, Final

from engram.store.hits import Hit
from engram.store.query import BATCH_DEFAULT, RESULTS_DEFAULT, Recalled, RecallQuery
from engram.wire import engram_pb2 as pb
from engram.wire.cues import decode_cue, decode_strength
from engram.wire.times import from_timestamp, to_timestamp

# gRPC clients refuse messages of more than 4 MiB unless told otherwise.
_BATCH_BYTES_MAX: Final = 3 * 1024 * 1024


def decode_recall(message: pb.RecallRequest) -> RecallQuery:
    """Return the query of a unary recall.

    Raises
    ------
    InvalidInput
        If a number is out of bounds, or the cue is missing or cannot be read.
    """
    return RecallQuery(**_common(message))


def decode_streaming_recall(message: pb.StreamingRecallRequest) -> RecallQuery:
    """Return the query of a streaming recall. Raises as `decode_recall`."""
    return RecallQuery(
        **_common(message),
        batch_size=message.batch_size or BATCH_DEFAULT,
        include_recent=message.include_recent,
        follow=message.follow,
        timeout_ms=message.timeout_ms or None,
    )


def encode_batch(batch: Recalled, *, more_results: bool, embeddings: bool = False) -> list[pb.StreamingRecallResponse]:
    """Return one batch of a streamed recall: one answer, or more if that would exceed what clients accept by default.

    All but the last have `more_results`, whatever it has.
    """
    metadata = encode_metadata(batch)
    answers = [pb.StreamingRecallResponse(metadata=metadata, snapshot_sequence=batch.generation)]
    nbytes = 0
    for memory in encode_hits(batch.hits, embeddings=embeddings):
        size = memory.ByteSize()
        if nbytes + size > _BATCH_BYTES_MAX and nbytes:
            answers.append(pb.StreamingRecallResponse(metadata=metadata, snapshot_sequence=batch.generation))
            nbytes = 0
        answers[-1].results.append(memory)
        nbytes += size
    for answer in answers[:-1]:
        answer.more_results = True
    answers[-1].more_results = more_results
    return answers


def encode_recalled(recalled: Recalled, *, embeddings: bool = False) -> pb.RecallResponse:
    """Return the answer to a unary recall."""
    return pb.RecallResponse(
        results=encode_hits(recalled.hits, embeddings=embeddings),
        snapshot_sequence=recalled.generation,
        metadata=encode_metadata(recalled),
    )


def encode_hits(hits: Iterable[Hit], *, embeddings: bool) -> Iterator[pb.Memory]:
    """Yield `hits` as memories, with their embeddings if asked for."""
    return (_encode_hit(hit, embeddings) for hit in hits)


def encode_metadata(recalled: Recalled) -> pb.RecallMetadata:
    """Return the figures that come with the results: a hit's activation is its score."""
    count = len(recalled.hits)
    return pb.RecallMetadata(
        total_activated=recalled.found,
        above_threshold=count,
        avg_activation=math.fsum(hit.score for hit in recalled.hits) / count if count else 0.0,
        recall_time_ms=recalled.elapsed_ms,
    )


def _common(message: pb.RecallRequest | pb.StreamingRecallRequest) -> dict[str, Any]:
    by_time = message.HasField("snapshot_time")
    return {
        "cue": decode_cue(message.cue),
        "results_max": message.max_results or message.cue.max_results or RESULTS_DEFAULT,
        "max_generation": message.max_generation or None,
        "snapshot_us": from_timestamp(message.snapshot_time, "snapshot_time") if by_time else None,
        "ef": message.ef or None,
        "strength": decode_strength(message.strength) if message.HasField("strength") else None,
    }


def _encode_hit(hit: Hit, embeddings: bool) -> pb.Memory:
    metadata = hit.metadata
    return pb.Memory(
        id=hit.id,
        embedding=hit.vector.tolist() if embeddings and hit.vector is not None else (),
        activation=hit.score,
        confidence=hit.confidence,
        created_at=to_timestamp(hit.time_us),
        content=hit.content,
        metadata={_as_utf8(key): _as_text(value) for key, value in metadata.items()},
        tags=hit.tags,
        score=hit.score,
        generation=hit.generation,
        recent=hit.recent,
        indexed=hit.indexed,
        importance=hit.importance,
        metadata_json=json.dumps(metadata, separators=(",", ":")) if metadata else "",
        age_s=hit.age_s,
        strength=hit.strength,
    )


def _as_text(value: Any) -> str:
    return _as_utf8(value) if isinstance(value, str) else json.dumps(value)


def _as_utf8(text: str) -> str:
    # An escape in the JSON can stand for half a surrogate pair, which UTF-8, and so a protobuf string, cannot carry.
    return text.encode("utf-8", "replace").decode()
