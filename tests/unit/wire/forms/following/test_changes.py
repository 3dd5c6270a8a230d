"""Some changes in JSON and as a frame."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from engram.errors import InvalidInput
from engram.model.following.change import Change, Changes
from engram.wire.forms.results import encode_result, encode_streamed
from engram.wire.frames import decode_frame
from tests.unit.wire.test_recalls import make_hit

HIT = make_hit("a", generation=3, vector=np.arange(2, dtype=np.float32))
TOLD = Changes([Change("observed", "a", 3, None, HIT), Change("deleted", "ü", 4, 1)], 9, incomplete=True)


def test_json_has_each_hit_with_its_change() -> None:
    shown: dict[str, Any] = json.loads(encode_result(TOLD, {"id": 7}))
    hit = shown["changes"][0].pop("hit")
    assert (hit["id"], hit["generation"], "vector" in hit) == ("a", 3, False)
    assert shown == {
        "id": 7,
        "changes": [
            {"kind": "observed", "id": "a", "generation": 3},
            {"kind": "deleted", "id": "ü", "generation": 4, "replaces": 1},
        ],
        "generation": 9,
        "incomplete": True,
    }
    assert json.loads(encode_result(TOLD, vectors=True))["changes"][0]["hit"]["vector"] == [0, 1]


def test_a_frame_has_the_hits_in_columns() -> None:
    frame = decode_frame(encode_result(TOLD, {"id": 7}, vectors=True, binary=True))
    assert (frame.header["ids"], frame.header["generation"], frame.header["incomplete"]) == (["a"], 9, True)
    assert [change["kind"] for change in frame.header["changes"]] == ["observed", "deleted"]
    assert frame.arrays["generations"].tolist() == [3]
    assert frame.arrays["vectors"].tolist() == [[0, 1]]


def test_a_frame_without_hits_is_one_all_the_same() -> None:
    frame = decode_frame(encode_result(Changes((), 9), binary=True))
    assert (frame.header["ids"], frame.header["changes"], frame.arrays["scores"].shape) == ([], [], (0,))


def test_several_changes_are_sent_soon_and_one_however_large_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engram.wire.forms.results._SEVERAL_BYTES_MAX", 2000)
    hits = [make_hit("a", generation=number, content="x" * 500) for number in range(1, 9)]
    changes = Changes([Change("observed", "a", hit.generation, None, hit) for hit in hits], 20)
    with pytest.raises(InvalidInput) as refused:
        encode_streamed(changes, {"id": 7})
    assert refused.value.code == "results_bytes"
    two, _ = changes.halves()[0].halves()
    assert json.loads(encode_streamed(two, {"id": 7}))["generation"] == 2
    large = make_hit("a", generation=9, content="x" * 5000)
    with_deletion = Changes([Change("deleted", "b", 8, 1), Change("updated", "a", 9, 7, large)], 9)
    assert len(json.loads(encode_streamed(with_deletion))["changes"]) == 2
