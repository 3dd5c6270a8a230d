"""Recalls on the wire: cues to queries, hits to memories."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from typing import Any, Final

from engram.errors import InvalidInput
from engram.store.hits import Hit
from engram.streaming.recall import BATCH_DEFAULT, RESULTS_DEFAULT, Recalled, RecallQuery
from engram.wire import engram_pb2 as pb
from engram.wire.observations import decode_vector
from engram.wire.times import to_timestamp

# gRPC clients refuse messages of more than 4 MiB unless told otherwise.
_BATCH_BYTES_MAX: Final = 3 * 1024 * 1024


def decode_recall(message: pb.RecallRequest) -> RecallQuery:
    """Return the query of a unary recall.

    Raises
    ------
    InvalidInput
        If a number is out of bounds, or the cue is missing or of a kind that is not supported.
    """
    return _decode_query(message, batch_size=BATCH_DEFAULT)


def decode_streaming_recall(message: pb.StreamingRecallRequest) -> RecallQuery:
    """Return the query of a streaming recall. Every recall is snapshot-isolated and includes recent observations.

    Raises
    ------
    InvalidInput
        As `decode_recall`; also for a snapshot given by time.
    """
    if message.HasField("snapshot_time"):
        raise InvalidInput(
            "a snapshot is named by its generation, in max_generation; snapshots by time are not supported",
            code="snapshot_time_unsupported",
            field="snapshot_time",
        )
    return _decode_query(message, batch_size=message.batch_size or BATCH_DEFAULT)


def encode_batches(
    recalled: Recalled, batch_size: int, *, embeddings: bool = False
) -> Iterator[pb.StreamingRecallResponse]:
    """Yield the answer in batches; all but the last have `more_results`, and there is always at least one.

    A batch has fewer than `batch_size` results if it would otherwise exceed what clients accept by default.
    """
    answer = pb.StreamingRecallResponse(metadata=encode_metadata(recalled), snapshot_sequence=recalled.generation)
    nbytes = 0
    for memory in encode_hits(recalled.hits, embeddings=embeddings):
        size = memory.ByteSize()
        if answer.results and (len(answer.results) >= batch_size or nbytes + size > _BATCH_BYTES_MAX):
            answer.more_results = True
            yield answer
            answer = pb.StreamingRecallResponse(metadata=answer.metadata, snapshot_sequence=recalled.generation)
            nbytes = 0
        answer.results.append(memory)
        nbytes += size
    yield answer


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


def _decode_query(message: pb.RecallRequest | pb.StreamingRecallRequest, *, batch_size: int) -> RecallQuery:
    cue = message.cue
    thresholds = [cue.threshold]
    tags: tuple[Iterable[str], Iterable[str]] = ((), ())
    kind = cue.WhichOneof("cue_type")
    content: Any
    if kind == "embedding":
        content = decode_vector(cue.embedding.vector_f32, cue.embedding.vector, "cue.embedding.vector_f32")
        thresholds.append(cue.embedding.similarity_threshold)
    elif kind == "semantic":
        content = cue.semantic.query
        tags = (cue.semantic.required_tags, cue.semantic.excluded_tags)
    else:
        raise InvalidInput(
            "a cue is an embedding or a text; temporal cues are not supported",
            code="cue_unsupported",
            field="cue",
            limit="embedding or semantic",
            value=kind or "nothing",
        )
    given = [threshold for threshold in thresholds if threshold]
    return RecallQuery(
        cue=content,
        results_max=message.max_results or cue.max_results or RESULTS_DEFAULT,
        batch_size=batch_size,
        max_generation=message.max_generation or None,
        ef=message.ef or None,
        threshold=max(given) if given else None,
        required_tags=frozenset(tags[0]),
        excluded_tags=frozenset(tags[1]),
    )


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
        recent=not hit.indexed,
        indexed=hit.indexed,
        importance=hit.importance,
        metadata_json=json.dumps(metadata, separators=(",", ":")) if metadata else "",
    )


def _as_text(value: Any) -> str:
    return _as_utf8(value) if isinstance(value, str) else json.dumps(value)


def _as_utf8(text: str) -> str:
    # An escape in the JSON can stand for half a surrogate pair, which UTF-8, and so a protobuf string, cannot carry.
    return text.encode("utf-8", "replace").decode()
