"""Recall requests out, hits in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import numpy as np

from engram.errors import InvalidInput
from engram.limits import RESULTS_MAX
from engram.store.cue import CueLike, Moment, as_cue, moment_us
from engram.store.hits import Hit
from engram.store.query import RecallQuery, check_range
from engram.store.strength import Strength
from engram.wire import engram_pb2 as pb
from engram.wire.cues import encode_cue, encode_strength
from engram.wire.times import from_timestamp, to_timestamp


def make_query(
    cue: CueLike,
    k: int,
    *,
    max_generation: int | None,
    snapshot_time: Moment | None,
    ef: int | None,
    strength: Strength | None,
) -> RecallQuery:
    """Return the query for up to `k` hits at once. Raises `InvalidInput` if a number is out of bounds."""
    check_range("k", k, 1, RESULTS_MAX)
    snapshot_us = None if snapshot_time is None else moment_us(snapshot_time, "snapshot_time")
    return RecallQuery(
        as_cue(cue), results_max=k, max_generation=max_generation, snapshot_us=snapshot_us, ef=ef, strength=strength
    )


def recall_request(space: str, query: RecallQuery, *, include_vectors: bool) -> pb.RecallRequest:
    """Return the request that asks for `query` at once."""
    return pb.RecallRequest(
        memory_space_id=space,
        cue=encode_cue(query.cue),
        max_results=query.results_max,
        max_generation=query.max_generation or 0,
        snapshot_time=None if query.snapshot_us is None else to_timestamp(query.snapshot_us),
        ef=query.ef or 0,
        include_embeddings=include_vectors,
        strength=None if query.strength is None else encode_strength(query.strength),
    )


def recall_stream_request(space: str, query: RecallQuery, *, include_vectors: bool) -> pb.StreamingRecallRequest:
    """Return the request that asks for `query` in batches."""
    return pb.StreamingRecallRequest(
        memory_space_id=space,
        cue=encode_cue(query.cue),
        max_results=query.results_max,
        snapshot_isolation=True,
        max_generation=query.max_generation or 0,
        snapshot_time=None if query.snapshot_us is None else to_timestamp(query.snapshot_us),
        include_recent=query.include_recent,
        batch_size=query.batch_size,
        ef=query.ef or 0,
        include_embeddings=include_vectors,
        follow=query.follow,
        strength=None if query.strength is None else encode_strength(query.strength),
        timeout_ms=query.timeout_ms or 0,
    )


def decode_hits(memories: Iterable[pb.Memory]) -> list[Hit]:
    """Return the hits in `memories`."""
    return [_decode_hit(memory) for memory in memories]


def _decode_hit(memory: pb.Memory) -> Hit:
    vector = np.array(memory.embedding, np.float32) if memory.embedding else None
    time_us = from_timestamp(memory.created_at, "created_at")
    return Hit(
        id=memory.id,
        score=memory.score,
        confidence=memory.confidence,
        generation=memory.generation,
        content=memory.content,
        metadata=json.loads(memory.metadata_json) if memory.metadata_json else {},
        tags=list(memory.tags),
        time_us=time_us,
        importance=memory.importance,
        indexed=memory.indexed,
        vector=vector,
        recent=memory.recent,
        strength=memory.strength if memory.HasField("strength") else None,
        recalled_us=time_us + round(memory.age_s * 1e6),
    )


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
