"""``changes`` as messages."""

from __future__ import annotations

from typing import Final

from engram.model.cue import NO_FILTER
from engram.model.following.change import ChangeKind, Changes, with_hits
from engram.model.following.follow_changes import FollowChanges
from engram.model.operations.table import CHANGES
from engram.wire import engram_pb2 as pb
from engram.wire import methods
from engram.wire.cues import decode_filter, encode_filter
from engram.wire.operations.codec import OperationCodec, named_space
from engram.wire.operations.received_hits import decode_hits
from engram.wire.recalls import add_streamed

_KINDS: Final[dict[int, ChangeKind]] = {
    pb.Change.KIND_OBSERVED: "observed",
    pb.Change.KIND_UPDATED: "updated",
    pb.Change.KIND_DELETED: "deleted",
    pb.Change.KIND_EXPIRED: "expired",
    pb.Change.KIND_LEFT: "left",
}
_NUMBERS: Final[dict[ChangeKind, pb.Change.Kind.ValueType]] = {
    "observed": pb.Change.KIND_OBSERVED,
    "updated": pb.Change.KIND_UPDATED,
    "deleted": pb.Change.KIND_DELETED,
    "expired": pb.Change.KIND_EXPIRED,
    "left": pb.Change.KIND_LEFT,
}


def _decode_request(message: pb.ChangesRequest) -> FollowChanges:
    return FollowChanges(
        named_space(message),
        message.after_generation if message.HasField("after_generation") else None,
        decode_filter(message.filter) if message.HasField("filter") else NO_FILTER,
        message.include_embeddings,
        message.skip_damaged,
    )


def _encode_request(request: FollowChanges) -> pb.ChangesRequest:
    return pb.ChangesRequest(
        memory_space_id=request.space,
        after_generation=request.after_generation,
        filter=None if request.filter.is_open else encode_filter(request.filter),
        include_embeddings=request.include_vectors,
        skip_damaged=request.skip_damaged,
    )


def _encode_changes(message: pb.ChangesRequest, changes: Changes) -> list[pb.ChangesResponse]:
    """Return the message for some changes; raises as `add_streamed`."""
    answer = pb.ChangesResponse(generation=changes.generation, incomplete=changes.incomplete)
    for change in changes:
        kind, replaces = _NUMBERS[change.kind], change.replaces or 0
        answer.changes.add(kind=kind, id=change.id, generation=change.generation, replaces=replaces)
    add_streamed(answer, changes.hits, embeddings=message.include_embeddings, metadata_map=False)
    return [answer]


def _decode_changes(message: pb.ChangesResponse) -> Changes:
    told = (
        (kind, each.id, each.generation, each.replaces or None)
        for each in message.changes
        # What is of a kind that a later server has is passed over.
        if (kind := _KINDS.get(each.kind)) is not None
    )
    return Changes(with_hits(told, decode_hits(message.results)), message.generation, message.incomplete)


CHANGES_CODEC: Final = OperationCodec(
    CHANGES, methods.CHANGES, named_space, _decode_request, _encode_request, _encode_changes, _decode_changes
)
