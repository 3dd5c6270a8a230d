"""Hits as a client receives them: every column of the message, decoded when it is asked for, and kept."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from engram.model.hit import Hit
from engram.wire import engram_pb2 as pb
from engram.wire.operations.received_hits import decode_hits
from engram.wire.times import to_timestamp


def received(**fields: Any) -> Hit:
    return decode_hits([pb.Memory(id="before"), pb.Memory(**fields)])[1]


FULL: dict[str, Any] = {
    "id": "a",
    "score": 0.5,
    "confidence": 0.75,
    "generation": 7,
    "content": "text",
    "metadata_json": '{"n":1}',
    "tags": ["x", "y"],
    "created_at": to_timestamp(1_500_000),
    "importance": 0.25,
    "indexed": True,
    "embedding": [1.0, 2.0],
    "recent": True,
    "strength": 0.0,
    "age_s": 2.5,
}


def test_a_hit_has_what_the_message_has() -> None:
    hit = received(**FULL)
    assert (hit.id, hit.score, hit.confidence, hit.generation, hit.content) == ("a", 0.5, 0.75, 7, "text")
    assert (hit.metadata, hit.tags, hit.time_us, hit.importance) == ({"n": 1}, ["x", "y"], 1_500_000, 0.25)
    assert (hit.indexed, hit.recent, hit.strength, hit.recalled_us, hit.age_s) == (True, True, 0.0, 4_000_000, 2.5)
    assert hit.vector is not None
    assert hit.vector.dtype == np.float32
    assert hit.vector.tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match="read-only"):
        hit.vector[0] = 7.0


def test_what_the_message_leaves_out_is_empty_or_none() -> None:
    hit = received(id="a")
    assert (hit.metadata, hit.tags, hit.vector, hit.strength, hit.recent) == ({}, [], None, None, False)


def test_a_column_is_decoded_once() -> None:
    hit = received(**FULL)
    assert hit.metadata is hit.metadata
    assert hit.tags is hit.tags


def test_hits_are_compared_and_pickled_like_any_other() -> None:
    hit = received(**FULL)
    assert hit == received(**FULL)
    assert hit != received(**FULL | {"score": 0.25})
    assert pickle.loads(pickle.dumps(hit)) == hit  # noqa: S301  # It is our own.


def test_a_misspelt_name_is_no_column() -> None:
    with pytest.raises(AttributeError, match="no attribute 'contents'"):
        received(**FULL).contents  # type: ignore[attr-defined]  # noqa: B018
