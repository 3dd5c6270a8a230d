"""Recall requests out, hits in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from engram.errors import InvalidInput
from engram.limits import RECALL_BATCH_MAX, RESULTS_MAX
from engram.store.hits import Hit
from engram.wire import engram_pb2 as pb
from engram.wire.times import from_timestamp

CueLike = str | ArrayLike
"""What to recall by: a text for the space's embedder, or a vector."""


def encode_cue(cue: CueLike) -> pb.Cue:
    """Return the message for a text or a vector.

    Raises
    ------
    InvalidInput
        The vector is not a one-dimensional sequence of numbers.
    """
    if isinstance(cue, str):
        return pb.Cue(semantic=pb.SemanticCue(query=cue))
    try:
        vector = np.ascontiguousarray(cue, dtype="<f4")
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"the cue is not a vector: {error}", code="invalid_vector", field="cue") from error
    if vector.ndim != 1:
        raise InvalidInput(
            f"the cue must be one vector, not of shape {vector.shape}",
            code="dimension_mismatch",
            field="cue",
            limit="1-d",
            value=vector.shape,
        )
    return pb.Cue(embedding=pb.EmbeddingCue(vector_f32=vector.tobytes()))


def recall_request(
    space: str, cue: CueLike, k: int, *, max_generation: int | None, ef: int | None, include_vectors: bool
) -> pb.RecallRequest:
    """Return the request for up to `k` hits at once."""
    return pb.RecallRequest(
        memory_space_id=space,
        cue=encode_cue(cue),
        max_results=_within("k", k, RESULTS_MAX),
        max_generation=max_generation or 0,
        ef=ef or 0,
        include_embeddings=include_vectors,
    )


def recall_stream_request(
    space: str,
    cue: CueLike,
    max_results: int,
    batch_size: int,
    *,
    max_generation: int | None,
    ef: int | None,
    include_vectors: bool,
) -> pb.StreamingRecallRequest:
    """Return the request for hits in batches, all from one snapshot."""
    return pb.StreamingRecallRequest(
        memory_space_id=space,
        cue=encode_cue(cue),
        max_results=_within("max_results", max_results, RESULTS_MAX),
        snapshot_isolation=True,
        max_generation=max_generation or 0,
        include_recent=True,
        batch_size=_within("batch_size", batch_size, RECALL_BATCH_MAX),
        ef=ef or 0,
        include_embeddings=include_vectors,
    )


def decode_hits(memories: Iterable[pb.Memory]) -> list[Hit]:
    """Return the hits in `memories`."""
    return [_decode_hit(memory) for memory in memories]


def _decode_hit(memory: pb.Memory) -> Hit:
    vector = np.array(memory.embedding, np.float32) if memory.embedding else None
    return Hit(
        id=memory.id,
        score=memory.score,
        confidence=memory.confidence,
        generation=memory.generation,
        content=memory.content,
        metadata=json.loads(memory.metadata_json) if memory.metadata_json else {},
        tags=list(memory.tags),
        time_us=from_timestamp(memory.created_at, "created_at"),
        importance=memory.importance,
        indexed=memory.indexed,
        vector=vector,
    )


def _within(field: str, value: int, limit: int) -> int:
    if not 1 <= value <= limit:
        raise InvalidInput(
            f"{field} is {value}; it must be within 1..{limit}",
            code=f"invalid_{field}",
            field=field,
            limit=f"1..{limit}",
            value=value,
        )
    return value


def check_ids(ids: Sequence[str]) -> list[str]:
    """Return `ids` as a list; a lone string is most likely a mistake.

    Raises
    ------
    InvalidInput
        If `ids` is a string.
    """
    if isinstance(ids, str):
        raise InvalidInput("ids is one string; pass a list of ids", code="invalid_ids", field="ids", limit="a list")
    return list(ids)
