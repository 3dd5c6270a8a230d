"""Get and GetSnapshot: observations by their ids, and the generation of a snapshot."""

from __future__ import annotations

from engram.errors import InvalidInput
from engram.model.hit import Hits
from engram.model.limits import BATCH_COUNT_MAX
from engram.server.authorization import Action
from engram.server.calls import Call
from engram.server.engine import Engine
from engram.store.space_engine import SpaceEngine
from engram.wire import engram_pb2 as pb
from engram.wire.recalls import encode_found
from engram.wire.times import from_timestamp


async def get(engine: Engine, request: pb.GetRequest, call: Call) -> pb.GetResponse:
    """Return the observations with these ids, as far as they exist."""
    space = engine.space(call.caller, Action.RECALL, request.memory_space_id)
    count = len(request.ids)
    if not 1 <= count <= BATCH_COUNT_MAX:
        raise InvalidInput(
            f"{count} ids at once are refused",
            code="batch_count",
            field="ids",
            limit=f"1..{BATCH_COUNT_MAX}",
            value=count,
        )
    return await engine.in_thread(lambda: encode_found(_found(space, request), embeddings=request.include_embeddings))


async def get_snapshot(engine: Engine, request: pb.GetSnapshotRequest, call: Call) -> pb.GetSnapshotResponse:
    """Return the generation that is the newest now, or was at a time."""
    space = engine.space(call.caller, Action.RECALL, request.memory_space_id)
    snapshot = space.snapshot(
        request.max_generation if request.HasField("max_generation") else None,
        from_timestamp(request.snapshot_time, "snapshot_time") if request.HasField("snapshot_time") else None,
    )
    return pb.GetSnapshotResponse(snapshot_sequence=snapshot.generation)


def _found(space: SpaceEngine, request: pb.GetRequest) -> Hits:
    # All are looked up at one generation, also while others write.
    generation = request.max_generation if request.HasField("max_generation") else space.generation
    hits = (space.get(id, generation) for id in request.ids)
    return Hits((hit for hit in hits if hit is not None), generation)
