"""Encoding of recall requests, and decoding of hits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.model.hit import Hit, Hits, received_hit
from engram.model.query import RecallQuery
from engram.model.values.metadata import read_metadata
from engram.model.values.scalars import as_text
from engram.model.values.sequences import as_list
from engram.wire import engram_pb2 as pb
from engram.wire.cues import encode_cue, encode_strength
from engram.wire.times import stored_us, to_timestamp


def recall_request(space: str, query: RecallQuery) -> pb.RecallRequest:
    """Return the request for `query` as a unary recall."""
    return pb.RecallRequest(
        memory_space_id=space,
        cue=encode_cue(query.cue),
        max_results=query.k,
        max_generation=query.max_generation,
        snapshot_time=None if query.snapshot_us is None else to_timestamp(query.snapshot_us),
        ef=query.ef or 0,
        include_embeddings=query.include_vectors,
        omit_metadata_map=True,
        strength=None if query.strength is None else encode_strength(query.strength),
        skip_damaged=query.skip_damaged,
    )


def recall_stream_request(space: str, query: RecallQuery) -> pb.StreamingRecallRequest:
    """Return the request for `query` as a streamed recall."""
    return pb.StreamingRecallRequest(
        memory_space_id=space,
        cue=encode_cue(query.cue),
        max_results=query.k,
        snapshot_isolation=True,
        max_generation=query.max_generation,
        snapshot_time=None if query.snapshot_us is None else to_timestamp(query.snapshot_us),
        include_recent=query.include_recent,
        batch_size=query.batch_size,
        ef=query.ef or 0,
        include_embeddings=query.include_vectors,
        omit_metadata_map=True,
        follow=query.follow,
        strength=None if query.strength is None else encode_strength(query.strength),
        timeout_ms=query.timeout_ms or 0,
        skip_damaged=query.skip_damaged,
    )


def decode_hits(answer: pb.RecallResponse | pb.StreamingRecallResponse | pb.GetResponse) -> Hits:
    """Return the hits in `answer`; they decode each attribute on first access."""
    received = _Received(answer.results)
    hits = [received_hit(received, row) for row in range(len(answer.results))]
    incomplete = not isinstance(answer, pb.GetResponse) and answer.metadata.incomplete
    return Hits(hits, answer.snapshot_sequence, incomplete)


class _Received:
    """The source of the hits of one response; each method returns one attribute of a row.

    The attributes that a memory has under the same name have their methods from below.
    """

    __slots__ = ("_memories",)

    def __init__(self, memories: Sequence[pb.Memory]) -> None:
        self._memories = memories

    def id(self, row: int) -> str:
        return self._memories[row].id

    def metadata(self, row: int) -> dict[str, Any]:
        return read_metadata(self._memories[row].metadata_json) or {}

    def tags(self, row: int) -> list[str]:
        return list(self._memories[row].tags)

    def time_us(self, row: int) -> int:
        return stored_us(self._memories[row].created_at)

    def vector(self, row: int) -> NDArray[np.float32] | None:
        embedding = self._memories[row].embedding
        return np.array(embedding, np.float32) if embedding else None

    def strength(self, row: int) -> float | None:
        memory = self._memories[row]
        return memory.strength if memory.HasField("strength") else None

    def recalled_us(self, row: int) -> int:
        return self.time_us(row) + round(self._memories[row].age_s * 1e6)


def _reader(name: str) -> Callable[[_Received, int], Any]:
    def read(self: _Received, row: int) -> Any:
        return getattr(self._memories[row], name)

    return read


for _name in {item.name for item in fields(Hit)} & pb.Memory.DESCRIPTOR.fields_by_name.keys() - vars(_Received).keys():
    setattr(_Received, _name, _reader(_name))


def check_ids(ids: Sequence[str]) -> list[str]:
    """Return `ids` as a list of texts.

    Raises
    ------
    InvalidInput
        If `ids` is a single text, or an id is not a text.
    """
    names = as_list("ids", ids, '["note-1"]', ordered=False)
    return [as_text(f"ids[{row}]", name) for row, name in enumerate(names)]
