"""RecallStream and Recall: results from one snapshot, in batches or in one answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from engram.model.query import Recalled
from engram.server.authorization import Action
from engram.server.calls import Call
from engram.server.engine import Engine
from engram.wire import engram_pb2 as pb
from engram.wire.recalls import decode_recall, decode_streaming_recall, encode_batch, encode_recalled


async def recall_stream(engine: Engine, request: pb.StreamingRecallRequest, call: Call) -> None:
    """Write the results of one recall in batches."""
    async with aclosing(recall_batches(engine, request, call)) as answers:
        async for answer in answers:
            await call.write(answer)


async def recall_batches(
    engine: Engine, request: pb.StreamingRecallRequest, call: Call
) -> AsyncGenerator[pb.StreamingRecallResponse, None]:
    """Yield the results of one recall in batches, all from one snapshot.

    Raises
    ------
    EngramError
        If the request cannot be answered. The error gives the reason.
    """
    space = engine.space(call.caller, Action.RECALL, request.memory_space_id)

    def encode(batch: Recalled, more_results: bool) -> list[pb.StreamingRecallResponse]:
        return encode_batch(batch, more_results=more_results, **_wanted(request))

    async with aclosing(engine.recalls.stream(space, decode_streaming_recall(request), encode)) as batches:
        async for answers in batches:
            for answer in answers:
                yield answer


async def recall(engine: Engine, request: pb.RecallRequest, call: Call) -> pb.RecallResponse:
    """Return the results of one recall in one answer."""
    space = engine.space(call.caller, Action.RECALL, request.memory_space_id)
    return await engine.recalls.answer(
        space, decode_recall(request), lambda answer: encode_recalled(answer, **_wanted(request))
    )


def _wanted(request: pb.RecallRequest | pb.StreamingRecallRequest) -> dict[str, bool]:
    """Return what the hits of an answer shall have."""
    return {"embeddings": request.include_embeddings, "metadata_map": not request.omit_metadata_map}
