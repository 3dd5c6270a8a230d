"""Results in JSON and as frames."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from engram.errors import InvalidInput, OverCapacity, SequenceError
from engram.metrics.sample import MetricSample
from engram.metrics.samples import MetricSamples
from engram.model.ack import Ack, Deletion
from engram.model.hit import Hit, Hits
from engram.model.operations.results import SnapshotTaken, SpaceList
from engram.model.operations.status import LaneStatus, ServerStatus, SpaceStatus, UnsoundSpace
from engram.model.query import Recalled
from engram.model.spaces import SpaceConfig
from engram.model.times import iso_time
from engram.wire.forms import hits, results
from engram.wire.forms.failures import error_from, error_object
from engram.wire.forms.results import encode_result, result_object
from engram.wire.frames import decode_frame
from tests.unit.wire.test_recalls import make_hit

SPACE = SpaceStatus(
    SpaceConfig("notes", 8), 5, 5, 4, 3, 1000, 2000, pressure=0.25, pressure_level="normal", tail_count_max=9
)


def decoded(result: object, **options: Any) -> Any:
    return json.loads(encode_result(result, **options))


def recalled(*hits: Hit) -> Recalled:
    return Recalled(hits, 9, len(hits), 1.5)


def test_a_hit_has_all_its_fields() -> None:
    hit = make_hit(
        "a", metadata={"n": 1}, tags=["x"], indexed=False, recent=True, strength=0.125, vector=np.ones(2, "f4")
    )
    (made,) = decoded(recalled(hit), vectors=True)["hits"]
    assert made == {
        "id": "a",
        "score": 0.5,
        "confidence": 0.75,
        "generation": 7,
        "content": "text",
        "metadata": {"n": 1},
        "tags": ["x"],
        "timestamp": "1970-01-01T00:00:01.500000Z",
        "importance": 0.25,
        "indexed": False,
        "recent": True,
        "age_s": 2.5,
        "strength": 0.125,
        "vector": [1, 1],
    }


def test_what_does_not_apply_is_left_out() -> None:
    (made,) = decoded(recalled(make_hit("a", vector=np.ones(2, "f4"))))["hits"]
    assert {"strength", "vector"}.isdisjoint(made)
    assert (made["metadata"], made["tags"]) == ({}, [])


def test_answers_of_recalls_and_look_ups() -> None:
    assert decoded(recalled()) == {"hits": [], "generation": 9, "incomplete": False, "partial": False}
    assert decoded(Hits((), 4), beside={"type": "get_result", "id": 7}) == {
        "type": "get_result",
        "id": 7,
        "hits": [],
        "generation": 4,
    }


class StoredHit:
    """The source of a hit whose metadata are stored as a text that may be anything."""

    def __init__(self, metadata_json: str) -> None:
        self._row = make_hit("a").row()._replace(metadata_json=metadata_json)

    def row(self, row: int) -> Any:
        return self._row


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ('{"a":  1,\n "b": [2]}', {"a": 1, "b": [2]}),
        ('{"a": NaN}', {"a": None}),
        ("{", {}),
        ("", {}),
        ("[1]", [1]),
        ('{"a":"\\ud800"}', {}),
    ],
)
def test_stored_metadata_never_break_the_answer(stored: str, shown: Any) -> None:
    hit = make_hit("a")
    object.__setattr__(hit, "_source", (StoredHit(stored), 0))
    text = encode_result(recalled(hit))
    assert b"\n" not in text
    assert json.loads(text)["hits"][0]["metadata"] == shown


def test_hits_as_columns_of_a_frame() -> None:
    hits = (
        make_hit("a", metadata={"n": 1}, tags=["x"], vector=np.ones(2, "f4"), strength=0.5),
        make_hit("b", indexed=False, recent=True, vector=np.zeros(2, "f4"), strength=0.25),
    )
    frame = decode_frame(encode_result(recalled(*hits), {"type": "recall_result", "id": 1}, vectors=True, binary=True))
    assert frame.header == {
        "type": "recall_result",
        "id": 1,
        "ids": ["a", "b"],
        "contents": ["text", "text"],
        "metadata": [{"n": 1}, None],
        "tags": [["x"], []],
        "generation": 9,
        "incomplete": False,
        "partial": False,
    }
    kinds = {name: (array.dtype.str.lstrip("<|"), array.shape) for name, array in frame.arrays.items()}
    assert kinds == {
        "scores": ("f4", (2,)),
        "confidences": ("f4", (2,)),
        "generations": ("i8", (2,)),
        "timestamps": ("i8", (2,)),
        "importances": ("f4", (2,)),
        "ages_s": ("f8", (2,)),
        "flags": ("u1", (2,)),
        "strengths": ("f8", (2,)),
        "vectors": ("f4", (2, 2)),
    }
    assert frame.arrays["flags"].tolist() == [1, 2]
    assert frame.arrays["timestamps"].tolist() == [1_500_000, 1_500_000]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 8, 100])
def test_few_hits_are_packed_into_the_same_frame_as_many(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        make_hit(
            id=f"id-{number}",
            score=0.1 * number - 0.3,
            confidence=0.7,
            importance=1 / 3,
            generation=2**40 + number,
            indexed=number % 2 == 0,
            recent=number % 3 == 0,
            recalled_us=number * 1_000_003,
        )
        for number in range(count)
    ]
    packed = encode_result(recalled(*found), {"type": "recall_result"}, binary=True)
    monkeypatch.setattr(hits, "_PACKED_MAX", -1)
    assert packed == encode_result(recalled(*found), {"type": "recall_result"}, binary=True)
    assert len(decode_frame(packed).arrays["scores"]) == count


def test_no_hits_as_a_frame() -> None:
    frame = decode_frame(encode_result(Hits((), 3), binary=True, vectors=True))
    assert (frame.header["ids"], frame.header["generation"]) == ([], 3)
    assert frame.arrays["scores"].shape == (0,)


def test_acks_deletions_and_snapshots() -> None:
    assert decoded(Ack(0, 0, 5, 7)) == {"first_generation": 5, "last_generation": 7, "count": 3}
    assert decoded(Deletion(2, 9)) == {"deleted": 2, "generation": 9}
    assert decoded(SnapshotTaken(4)) == {"generation": 4}


def test_spaces_and_the_status() -> None:
    metrics = MetricSamples([MetricSample("engram_x", 1.5, {"space": "notes"})])
    status = ServerStatus(
        "1",
        2.0,
        1,
        1,
        5,
        0,
        3,
        2,
        (LaneStatus("high", 0, 10, 0, 100),),
        (),
        (SPACE,),
        metrics=metrics,
        unsound_spaces=(UnsoundSpace("old", "corrupt_data", "it is damaged"),),
    )
    made = decoded(status)
    assert made["lanes"] == [{"priority": "high", "depth": 0, "capacity": 10, "nbytes": 0, "bytes_max": 100}]
    assert made["metrics"] == [{"name": "engram_x", "labels": {"space": "notes"}, "value": 1.5}]
    assert made["spaces"] == [decoded(SPACE)]
    assert made["unsound_spaces"] == [{"name": "old", "code": "corrupt_data", "message": "it is damaged"}]
    space = decoded(SPACE)
    assert (space["name"], space["dimension"], space["metric"], space["embedder"]) == ("notes", 8, "cosine", "")
    assert (space["pressure"], space["pressure_level"], space["metrics"]) == (0.25, "normal", [])
    assert decoded(SpaceList((SPACE,))) == {"spaces": [space], "unsound_spaces": []}


def test_an_answer_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MESSAGE_BYTES_MAX", 1000)
    for binary in (False, True):
        with pytest.raises(InvalidInput, match="ask for at most") as caught:
            encode_result(recalled(*(make_hit(f"{n}", content="x" * 50) for n in range(50))), binary=binary)
        assert caught.value.code == "results_bytes"


def test_what_is_no_result_fails() -> None:
    with pytest.raises(TypeError):
        result_object(object())


def test_times_have_microseconds_whenever_they_are() -> None:
    assert iso_time(1_795_867_200_000_000) == "2026-11-28T12:00:00.000000Z"
    assert iso_time(-62_135_596_800_000_000) == "0001-01-01T00:00:00.000000Z"
    assert iso_time(253_402_300_799_999_999) == "9999-12-31T23:59:59.999999Z"


def test_an_error_comes_back_as_it_was() -> None:
    for error in (
        InvalidInput("no", code="unknown_field", field="a", limit="b", value="c"),
        OverCapacity("full", retry_after_ms=100),
        SequenceError("gap", expected_sequence=3, field="sequence_number", limit=3, value=9),
    ):
        back = error_from(json.loads(json.dumps(error_object(error))))
        assert type(back) is type(error)
        assert vars(back) == vars(error)
    assert "retry_after_ms" not in error_object(InvalidInput("no"))
    assert len(error_object(InvalidInput("x" * 9999))["message"]) == 400
