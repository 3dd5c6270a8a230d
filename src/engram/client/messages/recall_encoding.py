"""Encoding of recall requests, and decoding of hits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.model.cue import CueLike, as_cue
from engram.model.hit import Hits, received_hit
from engram.model.limits import RESULTS_MAX
from engram.model.metadata import read_metadata
from engram.model.query import GENERATION_MAX, RecallQuery, check_range
from engram.model.scalars import as_text
from engram.model.sequences import as_list
from engram.model.strength import Strength
from engram.model.times import Moment, as_time_us
from engram.wire import engram_pb2 as pb
from engram.wire.cues import encode_cue, encode_strength
from engram.wire.times import stored_us, to_timestamp


def make_query(
    cue: CueLike,
    k: int,
    *,
    max_generation: int | None,
    snapshot_time: Moment | None,
    ef: int | None,
    strength: Strength | None,
    skip_damaged: bool,
) -> RecallQuery:
    """Return the query for up to `k` hits.

    Raises
    ------
    InvalidInput
        If an argument has the wrong type or is out of range, or two arguments contradict each other.
    """
    count = check_range("k", k, 1, RESULTS_MAX)
    if max_generation is not None:
        # In a request, 0 means that no generation is given.
        max_generation = check_range("max_generation", max_generation, 1, GENERATION_MAX)
    return RecallQuery(
        as_cue(cue),
        results_max=count,
        max_generation=max_generation,
        snapshot_us=None if snapshot_time is None else as_time_us(snapshot_time, "snapshot_time"),
        ef=ef,
        strength=strength,
        skip_damaged=skip_damaged,
    )


def recall_request(space: str, query: RecallQuery, *, include_vectors: bool) -> pb.RecallRequest:
    """Return the request for `query` as a unary recall."""
    return pb.RecallRequest(
        memory_space_id=space,
        cue=encode_cue(query.cue),
        max_results=query.results_max,
        max_generation=query.max_generation or 0,
        snapshot_time=None if query.snapshot_us is None else to_timestamp(query.snapshot_us),
        ef=query.ef or 0,
        include_embeddings=include_vectors,
        strength=None if query.strength is None else encode_strength(query.strength),
        skip_damaged=query.skip_damaged,
    )


def recall_stream_request(space: str, query: RecallQuery, *, include_vectors: bool) -> pb.StreamingRecallRequest:
    """Return the request for `query` as a streamed recall."""
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
        skip_damaged=query.skip_damaged,
    )


def decode_hits(answer: pb.RecallResponse | pb.StreamingRecallResponse) -> Hits:
    """Return the hits in `answer`; they decode each attribute on first access."""
    received = _Received(answer.results)
    hits = [received_hit(received, row) for row in range(len(answer.results))]
    return Hits(hits, answer.snapshot_sequence, answer.metadata.incomplete)


class _Received:
    """The source of the hits of one response; each method returns one attribute of a row."""

    __slots__ = ("_memories",)

    def __init__(self, memories: Sequence[pb.Memory]) -> None:
        self._memories = memories

    def id(self, row: int) -> str:
        return self._memories[row].id

    def score(self, row: int) -> float:
        return self._memories[row].score

    def confidence(self, row: int) -> float:
        return self._memories[row].confidence

    def generation(self, row: int) -> int:
        return self._memories[row].generation

    def content(self, row: int) -> str:
        return self._memories[row].content

    def metadata(self, row: int) -> dict[str, Any]:
        return read_metadata(self._memories[row].metadata_json) or {}

    def tags(self, row: int) -> list[str]:
        return list(self._memories[row].tags)

    def time_us(self, row: int) -> int:
        return stored_us(self._memories[row].created_at)

    def importance(self, row: int) -> float:
        return self._memories[row].importance

    def indexed(self, row: int) -> bool:
        return self._memories[row].indexed

    def vector(self, row: int) -> NDArray[np.float32] | None:
        embedding = self._memories[row].embedding
        return np.array(embedding, np.float32) if embedding else None

    def recent(self, row: int) -> bool:
        return self._memories[row].recent

    def strength(self, row: int) -> float | None:
        memory = self._memories[row]
        return memory.strength if memory.HasField("strength") else None

    def recalled_us(self, row: int) -> int:
        return self.time_us(row) + round(self._memories[row].age_s * 1e6)


def check_ids(ids: Sequence[str]) -> list[str]:
    """Return `ids` as a list of texts.

    Raises
    ------
    InvalidInput
        If `ids` is a single text, or an id is not a text.
    """
    names = as_list("ids", ids, '["note-1"]', ordered=False)
    return [as_text(f"ids[{row}]", name) for row, name in enumerate(names)]
