"""RecallStream and Recall: one snapshot, in batches or at once."""

from __future__ import annotations

from engram.server.authorization import Action
from engram.server.engine import Context, Engine
from engram.streaming.recall import Recalled
from engram.wire import engram_pb2 as pb
from engram.wire.recalls import decode_recall, decode_streaming_recall, encode_batches, encode_recalled


async def recall_stream(engine: Engine, request: pb.StreamingRecallRequest, context: Context) -> None:
    """Write the results of one recall in batches."""
    for answer in await recall_batches(engine, request, context):
        await context.write(answer)


async def recall_batches(
    engine: Engine, request: pb.StreamingRecallRequest, context: Context
) -> list[pb.StreamingRecallResponse]:
    """Return the results of one recall in batches, all from one snapshot.

    Raises
    ------
    EngramError
        Whatever is wrong with the request.
    """
    space = engine.space(context, Action.RECALL, request.memory_space_id)
    query = decode_streaming_recall(request)

    def encode(recalled: Recalled) -> list[pb.StreamingRecallResponse]:
        return list(encode_batches(recalled, query.batch_size, embeddings=request.include_embeddings))

    return await engine.recall(space, query, encode)


async def recall(engine: Engine, request: pb.RecallRequest, context: Context) -> pb.RecallResponse:
    """Return the results of one recall."""
    space = engine.space(context, Action.RECALL, request.memory_space_id)
    return await engine.recall(
        space, decode_recall(request), lambda answer: encode_recalled(answer, embeddings=request.include_embeddings)
    )
