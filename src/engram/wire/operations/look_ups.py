"""``get``, ``count`` and ``snapshot`` as messages."""

from __future__ import annotations

from typing import Final

from engram.model.cue import NO_FILTER
from engram.model.hit import Hits
from engram.model.operations.requests import Count, Get, TakeSnapshot
from engram.model.operations.results import Counted, SnapshotTaken
from engram.model.operations.table import COUNT, GET, SNAPSHOT
from engram.wire import engram_pb2 as pb
from engram.wire import methods
from engram.wire.cues import decode_filter, encode_filter
from engram.wire.operations.codec import OperationCodec, named_space
from engram.wire.operations.received_hits import decode_hits
from engram.wire.recalls import encode_found
from engram.wire.times import from_timestamp, to_timestamp


def _decode_get(message: pb.GetRequest) -> Get:
    generation = message.max_generation if message.HasField("max_generation") else None
    return Get(named_space(message), list(message.ids), generation, message.include_embeddings)


def _encode_get(request: Get) -> pb.GetRequest:
    return pb.GetRequest(
        memory_space_id=request.space,
        ids=request.ids,
        max_generation=request.max_generation,
        include_embeddings=request.include_vectors,
    )


def _encode_hits(message: pb.GetRequest, hits: Hits) -> list[pb.GetResponse]:
    return [encode_found(hits, embeddings=message.include_embeddings)]


def _decode_hits(message: pb.GetResponse) -> Hits:
    return Hits(decode_hits(message.results), message.snapshot_sequence)


def _decode_count(message: pb.CountRequest) -> Count:
    wanted = decode_filter(message.filter) if message.HasField("filter") else NO_FILTER
    generation = message.max_generation if message.HasField("max_generation") else None
    return Count(named_space(message), wanted, generation)


def _encode_count(request: Count) -> pb.CountRequest:
    return pb.CountRequest(
        memory_space_id=request.space, filter=encode_filter(request.filter), max_generation=request.max_generation
    )


def _encode_counted(_: pb.CountRequest, counted: Counted) -> list[pb.CountResponse]:
    return [pb.CountResponse(count=counted, snapshot_sequence=counted.generation)]


def _decode_counted(message: pb.CountResponse) -> Counted:
    return Counted(message.count, message.snapshot_sequence)


def _decode_snapshot(message: pb.GetSnapshotRequest) -> TakeSnapshot:
    return TakeSnapshot(
        named_space(message),
        message.max_generation if message.HasField("max_generation") else None,
        from_timestamp(message.snapshot_time, "snapshot_time") if message.HasField("snapshot_time") else None,
    )


def _encode_snapshot(request: TakeSnapshot) -> pb.GetSnapshotRequest:
    return pb.GetSnapshotRequest(
        memory_space_id=request.space,
        max_generation=request.max_generation,
        snapshot_time=None if request.snapshot_us is None else to_timestamp(request.snapshot_us),
    )


def _encode_taken(_: pb.GetSnapshotRequest, taken: SnapshotTaken) -> list[pb.GetSnapshotResponse]:
    return [pb.GetSnapshotResponse(snapshot_sequence=taken.generation)]


def _decode_taken(message: pb.GetSnapshotResponse) -> SnapshotTaken:
    return SnapshotTaken(message.snapshot_sequence)


GET_CODEC: Final = OperationCodec(GET, methods.GET, named_space, _decode_get, _encode_get, _encode_hits, _decode_hits)
COUNT_CODEC: Final = OperationCodec(
    COUNT, methods.COUNT, named_space, _decode_count, _encode_count, _encode_counted, _decode_counted
)
SNAPSHOT_CODEC: Final = OperationCodec(
    SNAPSHOT, methods.GET_SNAPSHOT, named_space, _decode_snapshot, _encode_snapshot, _encode_taken, _decode_taken
)
