"""Requests in JSON, for every operation of the table."""

from __future__ import annotations

import json
from typing import Any, cast

import msgspec
import numpy as np
import pytest

from engram.errors import InvalidInput
from engram.model.cue import Between, Filter
from engram.model.limits import JSON_BYTES_MAX
from engram.model.operations import table
from engram.model.operations.operation import Operation
from engram.model.operations.requests import CreateSpace, Get, Observe, Recall, TakeSnapshot
from engram.model.priority import Priority
from engram.model.query import RecallQuery
from engram.wire.forms.reader import _colons
from engram.wire.forms.requests import RequestReader


def read(operation: Operation[Any], value: Any, space: str = "notes", **more: Any) -> Any:
    return RequestReader(operation).read(json.dumps(value).encode(), space, **more)


def query(value: Any, operation: Operation[Any] = table.RECALL) -> RecallQuery:
    made: RecallQuery = read(operation, value).query
    return made


MINIMAL: dict[str, Any] = {
    "observe": {"ids": ["a"]},
    "delete": {"ids": ["a"]},
    "erase": {"ids": ["a"]},
    "update": {"ids": ["a"], "confidences": [1]},
    "get": {"ids": ["a"]},
    "recall": {"text": "pumps"},
    "recall_many": {"cues": [{"text": "pumps"}]},
    "rename_space": {"new": "renamed"},
    "set_alias": {"to": "notes"},
    "recall_stream": {"text": "pumps"},
    "follow": {"text": "pumps", "score_min": 0.5},
}


@pytest.mark.parametrize("operation", table.OPERATIONS.values(), ids=lambda operation: operation.name)
def test_every_operation_can_be_read(operation: Operation[Any]) -> None:
    request = read(operation, MINIMAL.get(operation.name, {}))
    assert type(request) is operation.request
    assert request.space_name in ("notes", None)
    with pytest.raises(InvalidInput) as caught:
        read(operation, MINIMAL.get(operation.name, {}) | {"unheard_of": 1})
    assert (caught.value.code, caught.value.field) == ("unknown_field", "unheard_of")


@pytest.mark.parametrize("operation", table.OPERATIONS.values(), ids=lambda operation: operation.name)
def test_null_stands_for_what_is_missing(operation: Operation[Any]) -> None:
    names = RequestReader(operation)._form.form.__struct_fields__
    empty = {name: None for name in names if name not in ("arrays", "metadata")}
    assert type(read(operation, empty | MINIMAL.get(operation.name, {}))) is operation.request


def test_observations_come_as_columns_with_a_priority() -> None:
    request = read(table.OBSERVE, {"ids": ["a"], "vectors": [[1, 2]], "priority": "high"})
    assert isinstance(request, Observe)
    assert (request.space, request.priority) == ("notes", Priority.HIGH)
    assert request.batch.vectors.tolist() == [[1, 2]]


def test_arguments_may_come_as_arrays() -> None:
    text = b'{"ids":["a","b"],"arrays":[]}'
    arrays: dict[str, Any] = {
        "vectors": np.ones((2, 3), np.float32),
        "timestamps": np.array([1, 2], np.int64),
        "confidences": np.array([0.5, 1], np.float32),
    }
    request = RequestReader(table.OBSERVE).read(text, "notes", arrays)
    assert isinstance(request, Observe)
    assert request.batch.vectors is arrays["vectors"]
    assert request.batch.times_us.tolist() == [1, 2]
    recall = RequestReader(table.RECALL).read(b'{"k":3,"arrays":[]}', "notes", {"vector": np.ones(3, np.float32)})
    assert isinstance(recall, Recall)
    assert recall.query.cue.vector is not None


@pytest.mark.parametrize(
    ("text", "arrays", "code", "field"),
    [
        (b'{"ids":["a"],"arrays":[]}', None, "unknown_field", "arrays"),
        (b'{"ids":["a"],"arrays":[]}', {"contents": np.ones(1, np.float32)}, "unknown_field", "arrays.contents"),
        (b'{"ids":["a"],"arrays":[]}', {"vectors": np.ones(1, np.float32)}, "wrong_type", "arrays.vectors"),
        (b'{"ids":["a"],"arrays":[]}', {"vectors": np.ones((1, 2))}, "wrong_type", "arrays.vectors"),
        (b'{"ids":["a"],"arrays":[]}', {"vectors": np.ones((2, 2), np.float32)}, "column_length", "vectors"),
        (b'{"ids":["a"],"arrays":[]}', {"timestamps": np.ones(1)}, "wrong_type", "arrays.timestamps"),
        (b'{"ids":["a"],"arrays":[]}', {"timestamps": np.ones(2, np.int64)}, "column_length", "timestamps"),
        (
            b'{"ids":["a"],"vectors":[[1]],"arrays":[]}',
            {"vectors": np.ones((1, 2), np.float32)},
            "malformed_message",
            "vectors",
        ),
    ],
)
def test_arrays_that_fit_nothing_are_refused(text: bytes, arrays: Any, code: str, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        RequestReader(table.OBSERVE).read(text, "notes", arrays)
    assert (caught.value.code, caught.value.field) == (code, field)


def test_an_operation_without_columns_takes_no_arrays() -> None:
    with pytest.raises(InvalidInput) as caught:
        RequestReader(table.GET).read(b'{"ids":["a"]}', "notes", {"ids": np.ones(1, np.float32)})
    assert (caught.value.code, caught.value.field) == ("unknown_field", "arrays.ids")


def test_what_has_no_columns_may_come_as_a_frame() -> None:
    ids = ["x" * 500] * 9_000
    text = json.dumps({"ids": ids, "arrays": []}).encode()
    assert len(text) > JSON_BYTES_MAX
    reader = RequestReader(table.GET)
    request = reader.read(text, "notes", {})
    assert isinstance(request, Get)
    assert list(request.ids) == ids
    with pytest.raises(InvalidInput) as caught:
        reader.read(b'{"ids":["a"],"arrays":[]}', "notes")
    assert (caught.value.code, caught.value.field) == ("unknown_field", "arrays")


def test_all_arguments_of_a_recall_reach_the_query() -> None:
    made = query(
        {
            "vector": [1, 2],
            "text": "pumps",
            "by": "both",
            "filter": {
                "since": "2026-01-01",
                "until": 1_800_000_000,
                "tags": ["a"],
                "without_tags": ["b"],
                "metadata": {"site": 4, "kind": "x", "ok": True, "gone": None, "n": {"between": [1, None]}},
                "confidence_min": 0.5,
            },
            "k": 3,
            "snapshot_time": "2026-11-28T12:00:00Z",
            "ef": 64,
            "strength": {"half_life_s": 60, "forgetting": "power", "reinforce": False},
            "include_vectors": True,
            "skip_damaged": True,
            "timeout_ms": 50,
        }
    )
    cue, strength = made.cue, made.strength
    assert np.array_equal(np.asarray(cue.vector), [1, 2])
    assert (cue.text, cue.by, made.k, made.ef, made.timeout_ms) == ("pumps", "both", 3, 64, 50)
    assert (made.include_vectors, made.skip_damaged) == (True, True)
    assert made.snapshot_us == 1_795_867_200_000_000
    assert isinstance(cue.filter, Filter)
    assert (cue.filter.since_us, cue.filter.until_us) == (1_767_225_600_000_000, 1_800_000_000_000_000)
    assert (cue.filter.tags, cue.filter.without_tags) == ({"a"}, {"b"})
    assert cue.filter.metadata == {"site": 4, "kind": "x", "ok": True, "gone": None, "n": Between(1, None)}
    assert cue.filter.confidence_min == 0.5
    assert strength is not None
    assert (strength.half_life_s, strength.forgetting, strength.reinforce) == (60, "power", False)


def test_only_a_streamed_recall_has_batches() -> None:
    made = query(
        {"text": "x", "batch_size": 5, "include_recent": True, "follow": True, "score_min": 0.5}, table.RECALL_STREAM
    )
    assert (made.batch_size, made.include_recent, made.follow) == (5, True, True)
    with pytest.raises(InvalidInput) as caught:
        query({"text": "x", "follow": True})
    assert caught.value.code == "unknown_field"


@pytest.mark.parametrize(
    ("value", "code", "field"),
    [
        ({}, "cue_missing", "cue"),
        ({"text": ""}, "cue_missing", "cue"),
        ({"text": "x", "filter": {"tag": ["a"]}}, "unknown_field", "filter.tag"),
        ({"text": "x", "filter": {"metadata": {"n": {"between": [1]}}}}, "wrong_type", "filter.metadata[...].between"),
        ({"text": "x", "filter": {"metadata": {"n": [1]}}}, "wrong_type", "filter.metadata[...]"),
        ({"text": "x", "strength": {"half_life": 1}}, "unknown_field", "strength.half_life"),
        ({"text": "x", "strength": {"forgetting": "never"}}, "invalid_strength", "forgetting"),
        ({"text": "x", "by": "magic"}, "invalid_cue", "by"),
        ({"text": "x", "k": 0}, "invalid_k", "k"),
        ({"text": "x", "k": 1.5}, "wrong_type", "k"),
        ({"text": "x", "k": True}, "wrong_type", "k"),
        ({"vector": []}, "dimension_mismatch", "vector"),
        ({"vector": [[1]]}, "wrong_type", "vector[0]"),
        ({"text": "x", "max_generation": -1}, "invalid_max_generation", "max_generation"),
        ({"text": "x", "max_generation": 1, "snapshot_time": 1}, "invalid_recall", "snapshot_time"),
        ({"text": "x", "timeout_ms": 0}, "invalid_recall", "timeout_ms"),
    ],
)
def test_recalls_that_cannot_be_are_refused(value: Any, code: str, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        query(value)
    assert (caught.value.code, caught.value.field) == (code, field)


def test_a_filter_alone_recalls_the_newest() -> None:
    assert not query({"filter": {}}).cue.ranks


def test_two_keys_in_a_filter_are_refused() -> None:
    text = b'{"text":"x","filter":{"metadata":{"a":1,"a":2}}}'
    with pytest.raises(InvalidInput, match="'a' occurs twice"):
        RequestReader(table.RECALL).read(text, "notes")


def test_keys_that_occur_twice_are_found_whatever_the_columns_hold() -> None:
    columns = {
        "ids": ["a:b", "c"],
        "contents": [":::", ""],
        "tags": [["x:y"], None],
        "metadata": [{"u": "http://x"}, None],
        "timestamps": ["2026-11-28T12:00:00Z", 3.5],
        "confidences": [1, 0.5],
    }
    text = json.dumps(columns).encode()
    assert text.count(b":") == _colons(msgspec.json.decode(text, type=RequestReader(table.OBSERVE).form))
    for name in columns:
        twice = text[:-1] + b',"' + name.encode() + b'":null}'
        with pytest.raises(InvalidInput, match="occurs twice"):
            RequestReader(table.OBSERVE).read(twice, "notes")


@pytest.mark.parametrize("operation", table.OPERATIONS.values(), ids=lambda each: each.name)
def test_any_request_may_come_as_a_frame_and_nothing_else_has_arrays(operation: Operation[Any]) -> None:
    minimal = MINIMAL.get(operation.name, {})
    assert type(read(operation, {**minimal, "arrays": []}, arrays={})) is operation.request
    described = [["colours", "f4", [1]]]
    for arrays in (None, {"colours": np.ones(1)}):
        with pytest.raises(InvalidInput) as caught:
            read(operation, {**minimal, "arrays": described}, arrays=arrays)
        assert (caught.value.code, caught.value.field) == ("unknown_field", "arrays.colours" if arrays else "arrays")


def test_a_space_is_created_with_defaults() -> None:
    request = read(table.CREATE_SPACE, {"dimension": 8, "metric": "l2", "embedder": "lexical"})
    assert isinstance(request, CreateSpace)
    assert (request.config.name, request.config.dim, request.config.metric) == ("notes", 8, "l2")
    assert read(table.CREATE_SPACE, {}).config.dim == 768
    with pytest.raises(InvalidInput) as caught:
        read(table.CREATE_SPACE, {"dimension": 4097})
    assert caught.value.code == "invalid_dimension"


def test_no_space_is_the_default_space() -> None:
    assert read(table.SPACE, {}, "").space == "default"


def test_arguments_may_stand_in_an_address() -> None:
    snapshot = RequestReader(table.SNAPSHOT).read_texts({"snapshot_time": "2026-11-28T12:00:00Z"}, "notes")
    assert isinstance(snapshot, TakeSnapshot)
    assert snapshot.snapshot_us == 1_795_867_200_000_000
    assert RequestReader(table.SNAPSHOT).read_texts({"max_generation": "7"}).max_generation == 7  # type: ignore[attr-defined]
    for texts, code in (({"max_generation": "x"}, "wrong_type"), ({"generation": "1"}, "unknown_field")):
        with pytest.raises(InvalidInput) as caught:
            RequestReader(table.SNAPSHOT).read_texts(texts)
        assert caught.value.code == code


def test_ids_are_texts() -> None:
    request = read(table.GET, {"ids": ["a"], "max_generation": 3, "include_vectors": True})
    assert isinstance(request, Get)
    assert (list(request.ids), request.max_generation, request.include_vectors) == (["a"], 3, True)
    for value, code in (({}, "missing_field"), ({"ids": ["a"] * 10_001}, "batch_count"), ({"ids": [1]}, "wrong_type")):
        with pytest.raises(InvalidInput) as caught:
            read(table.GET, value)
        assert caught.value.code == code


def test_json_that_comes_by_itself_has_a_limit_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engram.wire.forms.strict_json.JSON_BYTES_MAX", 100)
    reader = RequestReader(table.OBSERVE)
    header = {"ids": ["a"], "contents": ["b" * 500], "confidences": [0.5]}
    text = json.dumps({**header, "vectors": [[1.0] * 50]}).encode()
    with pytest.raises(InvalidInput) as caught:
        reader.read(text)
    assert (caught.value.code, caught.value.limit) == ("json_bytes", "100")
    assert 100 < int(caught.value.value) <= len(text) - 500
    text = json.dumps(header).encode()
    assert "frame" in caught.value.message
    assert len(cast(Any, reader.read(text, "", {"vectors": np.ones((1, 8), np.float32)})).batch) == 1


@pytest.mark.parametrize("levels", [40, 400, 900, 1500, 100_000])
def test_a_filter_of_any_depth_is_refused_by_name(levels: int) -> None:
    text = b'{"text":"x","filter":' + b'{"not":' * levels + b"{}" + b"}" * levels + b"}"
    with pytest.raises(InvalidInput) as caught:
        RequestReader(table.RECALL).read(text, "notes")
    assert caught.value.code in ("filter_size", "malformed_message")
