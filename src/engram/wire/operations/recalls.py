"""``recall`` and ``recall_stream`` as messages."""

from __future__ import annotations

from typing import Any, Final

from engram.model.operations.requests import Recall, StreamRecall
from engram.model.operations.table import RECALL, RECALL_STREAM
from engram.model.query import Recalled, RecallQuery
from engram.wire import engram_pb2 as pb
from engram.wire import methods
from engram.wire.cues import encode_cue, encode_strength
from engram.wire.operations.codec import OperationCodec, named_space
from engram.wire.operations.received_hits import decode_hits
from engram.wire.recalls import decode_recall, decode_streaming_recall, encode_batch, encode_recalled
from engram.wire.times import to_timestamp


def _decode_recall(message: pb.RecallRequest) -> Recall:
    return Recall(named_space(message), decode_recall(message))


def _encode_recall(request: Recall) -> pb.RecallRequest:
    return pb.RecallRequest(memory_space_id=request.space, **_fields(request.query))


def _encode_recalled(message: pb.RecallRequest, recalled: Recalled) -> list[pb.RecallResponse]:
    return [
        encode_recalled(recalled, embeddings=message.include_embeddings, metadata_map=not message.omit_metadata_map)
    ]


def _decode_stream(message: pb.StreamingRecallRequest) -> StreamRecall:
    return StreamRecall(named_space(message), decode_streaming_recall(message))


def _encode_stream(request: StreamRecall) -> pb.StreamingRecallRequest:
    query = request.query
    return pb.StreamingRecallRequest(
        memory_space_id=request.space,
        snapshot_isolation=True,
        include_recent=query.include_recent,
        batch_size=query.batch_size,
        follow=query.follow,
        timeout_ms=query.timeout_ms or 0,
        **_fields(query),
    )


def _encode_batch(message: pb.StreamingRecallRequest, batch: Recalled) -> list[pb.StreamingRecallResponse]:
    return [encode_batch(batch, embeddings=message.include_embeddings, metadata_map=not message.omit_metadata_map)]


def _fields(query: RecallQuery) -> dict[str, Any]:
    """Return the fields that both messages have."""
    return {
        "cue": encode_cue(query.cue),
        "max_results": query.k,
        "max_generation": query.max_generation,
        "snapshot_time": None if query.snapshot_us is None else to_timestamp(query.snapshot_us),
        "ef": query.ef or 0,
        "include_embeddings": query.include_vectors,
        "omit_metadata_map": True,
        "strength": None if query.strength is None else encode_strength(query.strength),
        "skip_damaged": query.skip_damaged,
    }


def _decode_recalled(message: pb.RecallResponse | pb.StreamingRecallResponse) -> Recalled:
    about = message.metadata
    more = isinstance(message, pb.StreamingRecallResponse) and message.more_results
    return Recalled(
        decode_hits(message.results),
        message.snapshot_sequence,
        about.total_activated,
        about.recall_time_ms,
        about.incomplete,
        more,
    )


RECALL_CODEC: Final = OperationCodec(
    RECALL, methods.RECALL, named_space, _decode_recall, _encode_recall, _encode_recalled, _decode_recalled
)
RECALL_STREAM_CODEC: Final = OperationCodec(
    RECALL_STREAM, methods.RECALL_STREAM, named_space, _decode_stream, _encode_stream, _encode_batch, _decode_recalled
)
