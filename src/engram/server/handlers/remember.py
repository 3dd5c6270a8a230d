"""Remember and Forget: observations and deletes outside of any session, answered once they are durable."""

from __future__ import annotations

from engram.errors import InvalidInput
from engram.metrics import table
from engram.model.limits import BATCH_COUNT_MAX
from engram.server.authorization import Action
from engram.server.calls import Call
from engram.server.engine import Engine
from engram.wire import engram_pb2 as pb
from engram.wire.observations import decode_batch, decode_episode, decode_priority


async def remember(engine: Engine, request: pb.RememberRequest, call: Call) -> pb.RememberResponse:
    """Store one observation or a batch of observations."""
    space = engine.space(call.caller, Action.OBSERVE, request.memory_space_id)
    what = request.WhichOneof("what")
    if what is None:
        raise InvalidInput(
            "there is nothing to remember",
            code="no_operation",
            field="what",
            limit="observation or batch",
            value="nothing",
        )
    batch = decode_batch(request.batch) if what == "batch" else decode_episode(request.observation)
    priority = decode_priority(request.batch.priority if what == "batch" else request.observation.priority)
    try:
        result = await engine.ingest.observe(space, batch, priority)
    except Exception:
        engine.counters.add(table.OBSERVATIONS_REJECTED, len(batch))
        raise
    engine.counters.add(table.OBSERVATIONS, result.count)
    return pb.RememberResponse(first_generation=result.first_generation, last_generation=result.last_generation)


async def forget(engine: Engine, request: pb.ForgetRequest, call: Call) -> pb.ForgetResponse:
    """Delete observations by id. Ids that do not exist are no error."""
    space = engine.space(call.caller, Action.FORGET, request.memory_space_id)
    count = len(request.ids)
    if not 1 <= count <= BATCH_COUNT_MAX:
        raise InvalidInput(
            f"{count} ids at once are refused",
            code="batch_count",
            field="ids",
            limit=f"1..{BATCH_COUNT_MAX}",
            value=count,
        )
    result = await engine.ingest.delete(space, request.ids)
    return pb.ForgetResponse(forgotten=result.existed, generation=result.last_generation or space.generation)
