"""Recalls of many cues in JSON and in frames: what makes a query, and what becomes of the results."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engram.errors import InvalidInput
from engram.model.cue import Cue, Filter
from engram.model.hit import Hits
from engram.model.limits import CUES_MAX
from engram.model.many.many_query import ManyQuery
from engram.model.many.many_recalled import ManyRecalled
from engram.model.operations import table
from engram.model.strength import Strength
from engram.wire.forms import many
from engram.wire.forms.many import read_many
from engram.wire.forms.requests import RequestReader
from engram.wire.forms.results import encode_json, encode_result
from engram.wire.frames import decode_frame, encode_frame
from tests.unit.wire.test_recalls import make_hit

VECTORS = np.arange(1, 7, dtype=np.float32).reshape(2, 3)


def query(value: Any, **arrays: Any) -> ManyQuery:
    given = {**value, "arrays": []} if arrays else value
    request = RequestReader(table.RECALL_MANY).read(json.dumps(given).encode(), "notes", arrays or None)
    made: ManyQuery = request.query  # type: ignore[attr-defined]
    return made


def test_cues_of_all_kinds_and_what_holds_for_all() -> None:
    packed = base64.b64encode(VECTORS[0].tobytes()).decode()
    made = query(
        {
            "cues": [
                {"text": "pumps", "by": "both"},
                {"vector": [1, 2], "score_min": 0.5, "filter": {"tags": ["a"]}},
                {"vector": packed},
                {"filter": {}},
            ],
            "filter": {"deck": 2},
            "k": 3,
            "max_generation": 7,
            "ef": 64,
            "strength": {"reinforce": False},
            "include_vectors": True,
            "skip_damaged": True,
        }
    )
    text, vector, short, everything = (made.cues.one(row) for row in range(4))
    assert (text.text, text.by) == ("pumps", "both")
    assert (np.asarray(vector.vector).tolist(), vector.score_min, vector.filter) == ([1, 2], 0.5, Filter(tags={"a"}))
    assert np.asarray(short.vector).tolist() == [1, 2, 3]
    assert not everything.ranks
    common = made.common
    assert (common.k, common.max_generation, common.ef, common.strength) == (3, 7, 64, Strength(reinforce=False))
    assert (common.include_vectors, common.skip_damaged, common.cue.ranks) == (True, True, False)
    assert common.cue.conditions == Cue(filter={"deck": 2}).conditions


def test_nothing_but_vectors_come_as_a_matrix() -> None:
    for made in (query({"vectors": VECTORS.tolist()}), query({}, vectors=VECTORS)):
        assert made.cues.vectors is not None
        assert made.cues.vectors.tolist() == VECTORS.tolist()
        assert made.common.cue.conditions.is_open
    nothing: list[dict[str, list[object]]] = [{"cues": []}, {"vectors": []}]
    for none in nothing:
        assert len(query(none).cues) == 0


@pytest.mark.parametrize(
    ("value", "code", "field"),
    [
        ({}, "cue_missing", "cues"),
        ({"k": 3}, "cue_missing", "cues"),
        ({"cues": [], "vectors": [[1]]}, "invalid_recall", "cues"),
        ({"cues": "pumps"}, "wrong_type", "cues"),
        ({"cues": ["pumps"]}, "wrong_type", "cues[0]"),
        ({"cues": [{"text": "x"}, {}]}, "cue_missing", "cues[1]"),
        ({"cues": [{"text": "x"}, {"text": "y", "by": "magic"}]}, "invalid_cue", "cues[1]"),
        ({"cues": [{"text": "x"}] * (CUES_MAX + 1)}, "cues_count", "cues"),
        ({"vectors": [[1, 2], [3]]}, "dimension_mismatch", "cues[1]"),
        ({"vectors": [1, 2]}, "wrong_type", "vectors[0]"),
        ({"vectors": [[1]], "k": 0}, "invalid_k", "k"),
        ({"vectors": [[1]], "max_generation": 1, "snapshot_time": 1}, "invalid_recall", "snapshot_time"),
        ({"vectors": [[1]], "timeout_ms": 5}, "unknown_field", "timeout_ms"),
        ({"vectors": [[1]], "text": "x"}, "unknown_field", "text"),
    ],
)
def test_cues_that_cannot_be_are_refused(value: Any, code: str, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        query(value)
    assert (caught.value.code, caught.value.field) == (code, field)


@pytest.mark.parametrize(
    ("arrays", "code", "field"),
    [
        ({"vector": VECTORS[0]}, "unknown_field", "arrays.vector"),
        ({"vectors": VECTORS[0]}, "wrong_type", "arrays.vectors"),
        ({"vectors": VECTORS.astype(np.float64)}, "wrong_type", "arrays.vectors"),
        ({"vectors": np.ones((CUES_MAX + 1, 1), np.float32)}, "cues_count", "cues"),
    ],
)
def test_arrays_that_are_no_cues_are_refused(arrays: dict[str, Any], code: str, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        query({}, **arrays)
    assert (caught.value.code, caught.value.field) == (code, field)


def found(*counts: int, **fields: Any) -> ManyRecalled:
    """Results with so many hits each; the first one is incomplete."""
    return ManyRecalled(
        [
            Hits([make_hit(f"{row}-{place}", **fields) for place in range(count)], 9, incomplete=row == 0)
            for row, count in enumerate(counts)
        ],
        9,
    )


def test_json_shows_the_hits_of_each_cue() -> None:
    made = json.loads(encode_result(found(2, 0, 1, vector=np.ones(2, "f4")), {"type": "x", "id": 7}, vectors=True))
    assert (made["type"], made["id"], made["generation"]) == ("x", 7, 9)
    assert [[hit["id"] for hit in each["hits"]] for each in made["results"]] == [["0-0", "0-1"], [], ["2-0"]]
    assert [each["incomplete"] for each in made["results"]] == [True, False, False]
    assert made["results"][2]["hits"][0]["vector"] == [1, 1]


def test_a_time_by_which_something_was_hidden_is_passed_on() -> None:
    due = replace(found(1), due_us=1_500_000)
    assert json.loads(encode_result(due))["due_time"] == "1970-01-01T00:00:01.500000Z"
    assert "due_time" not in json.loads(encode_result(found(1)))
    frame = decode_frame(encode_result(due, binary=True))
    assert read_many(encode_json(frame.header), frame.arrays).due_us == 1_500_000
    assert query({"cues": [], "due_time": "1970-01-01T00:00:01.500000Z"}).due_us == 1_500_000
    assert query({"cues": []}).due_us == query({"cues": [], "due_time": None}).due_us == 0
    with pytest.raises(InvalidInput) as refused:
        query({"cues": [], "due_time": "soon"})
    assert (refused.value.code, refused.value.field) == ("invalid_time", "due_time")


def test_a_frame_has_the_hits_of_all_cues_in_columns() -> None:
    frame = decode_frame(encode_result(found(2, 0, 1), {"type": "x"}, binary=True))
    assert frame.header["ids"] == ["0-0", "0-1", "2-0"]
    assert (frame.header["generation"], frame.header["incomplete_cues"]) == (9, [0])
    assert frame.arrays["counts"].tolist() == [2, 0, 1]


@pytest.mark.parametrize(
    "counts",
    [None, np.array([1, 1]), np.array([4, -1]), np.array([[3]]), np.array([3.0]), np.array([], np.int64)],
    ids=["none", "too few", "negative", "a matrix", "floats", "of no cues"],
)
def test_numbers_that_are_not_those_of_the_hits_are_refused(counts: Any) -> None:
    frame = decode_frame(encode_result(found(2, 0, 1), binary=True))
    arrays = {name: array for name, array in frame.arrays.items() if name != "counts"}
    if counts is not None:
        arrays["counts"] = counts
    text = encode_json(frame.header)
    with pytest.raises(InvalidInput) as refused:
        read_many(text, decode_frame(encode_frame(frame.header, arrays)).arrays)
    assert refused.value.code == "malformed_message"


def test_vectors_beyond_a_message_are_refused_before_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "MESSAGE_BYTES_MAX", 100)
    results = found(20, vector=np.ones(2, "f4"))
    for binary in (False, True):
        assert encode_result(results, binary=binary)
        with pytest.raises(InvalidInput, match="ask for fewer cues") as refused:
            encode_result(results, binary=binary, vectors=True)
        assert (refused.value.code, refused.value.field) == ("results_bytes", "cues")
