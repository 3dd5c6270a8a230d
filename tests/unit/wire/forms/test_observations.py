"""Observations in JSON become the batches that Python makes of the same values."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest

from engram.errors import InvalidInput
from engram.model.batches.checks import check_batch
from engram.model.observations import ObservationBatch, make_batch
from engram.model.priority import Priority
from engram.model.spaces import SpaceConfig
from engram.wire.forms.observations import read_observations
from tests.doubles.batches import batch_of


def read(value: Any) -> ObservationBatch:
    return read_observations(json.dumps(value).encode())[0]


def same(batch: ObservationBatch, wanted: ObservationBatch) -> bool:
    lists = ("ids", "contents")
    arrays = ("vectors", "times_us", "confidences", "importances")
    metadata = [[json.loads(text or "null") for text in each.metadata or [""] * len(each)] for each in (batch, wanted)]
    tags = [[list(row) for row in each.tags or [()] * len(each)] for each in (batch, wanted)]
    return (
        all(list(getattr(batch, name)) == list(getattr(wanted, name)) for name in lists)
        and all(np.array_equal(getattr(batch, name), getattr(wanted, name)) for name in arrays)
        and all(getattr(batch, name).dtype == getattr(wanted, name).dtype for name in arrays)
        and metadata[0] == metadata[1]
        and tags[0] == tags[1]
    )


COLUMNS: dict[str, Any] = {
    "ids": ["n1", "n2"],
    "vectors": [[0.5, 1, -2.25], [3, 4, 5]],
    "contents": ["the pump: leaks", "ä 水"],
    "timestamps": ["2026-11-28T12:00:00Z", "2026-11-28"],
    "confidences": [1, 0.25],
    "importances": [0, 0.75],
    "metadata": [{"site": 4, "deep": {"a": [1, None]}}, None],
    "tags": [["pump", "a:b"], []],
}


def test_columns_are_what_python_makes_of_them() -> None:
    assert same(read(COLUMNS), make_batch(**COLUMNS))


def test_one_observation_is_a_batch_of_one() -> None:
    one = {
        "id": "n1",
        "vector": [0.5, 1, -2.25],
        "content": "text: it",
        "timestamp": 1_764_331_200.25,
        "confidence": 0.5,
        "importance": 1,
        "metadata": {"a": 1},
        "tags": ["x"],
    }
    wanted = make_batch(
        ids=["n1"],
        vectors=[[0.5, 1, -2.25]],
        contents=["text: it"],
        timestamps=[1_764_331_200.25],
        confidences=[0.5],
        importances=[1],
        metadata=[{"a": 1}],
        tags=[["x"]],
    )
    assert same(read(one), wanted)


def test_vectors_may_be_base64() -> None:
    vectors = np.arange(6, dtype="<f4").reshape(2, 3)
    text = base64.b64encode(vectors.tobytes()).decode()
    assert np.array_equal(read({"ids": ["a", "b"], "vectors": text}).vectors, vectors)
    assert np.array_equal(read({"id": "a", "vector": text}).vectors, vectors.reshape(1, 6))


def test_what_is_missing_has_its_default_and_null_is_missing() -> None:
    fields = ("vector", "content", "timestamp", "confidence", "importance", "metadata", "tags", "priority")
    for value in ({"id": "a"}, {"id": "a"} | dict.fromkeys(fields)):
        batch, priority, *_ = read_observations(json.dumps(value).encode())
        assert batch.vectors.shape == (1, 0)
        assert (list(batch.contents), batch.metadata, batch.tags) == ([""], None, None)
        assert (batch.confidences.tolist(), batch.importances.tolist(), priority) == ([1.0], [0.5], Priority.NORMAL)


def test_times_of_both_kinds_may_stand_in_one_column() -> None:
    batch = read({"ids": ["a", "b"], "timestamps": [1.5, "1970-01-01T00:00:02Z"]})
    assert batch.times_us.tolist() == [1_500_000, 2_000_000]


def test_a_field_name_inside_of_texts_is_no_field() -> None:
    assert read({"id": "a", "content": '"ids":', "tags": ["ids"], "metadata": {"ids": 1}}).ids == ["a"]


@pytest.mark.parametrize("name", ["high", "normal", "low"])
def test_the_priority_is_named(name: str) -> None:
    assert read_observations(json.dumps({"id": "a", "priority": name}).encode())[1] is Priority[name.upper()]


@pytest.mark.parametrize(
    ("text", "code", "field"),
    [
        (b"", "malformed_message", "the observation"),
        (b"{", "malformed_message", "the observation"),
        (b"[]", "malformed_message", "the observation"),
        (b'"id"', "malformed_message", "the observation"),
        (b'{"id":"a"}{}', "malformed_message", "the observation"),
        (b'\xef\xbb\xbf{"id":"a"}', "malformed_message", "the observation"),
        (b'{"id":"\xff"}', "malformed_message", "the observation"),
        (b'{"id":"a","id":"b"}', "malformed_message", "the observation"),
        (b'{"id":"a:b","\\u0069d":"b"}', "malformed_message", "the observation"),
        (b'{"id":"\\u003a","id":"b"}', "malformed_message", "the observation"),
        (b'{"id":"\\ud800"}', "malformed_message", "the observation"),
        (b'{"id":"a","vector":[NaN]}', "malformed_message", "the observation"),
        (b'{"id":"a","vector":[1e999]}', "malformed_message", "the observation"),
        (b'{"id":"a","metadata":{"a":NaN}}', "malformed_message", "the observation"),
        (b'{"id":"a","metadata":' + b"[" * 50_000 + b"]" * 50_000 + b"}", "malformed_message", "the observation"),
        (b"{}", "missing_field", "id"),
        (b'{"vector":[1]}', "missing_field", "id"),
        (b'{"id":"a","vektor":[1]}', "unknown_field", "vektor"),
        (b'{"id":"a","arrays":[]}', "unknown_field", "arrays"),
        (b'{"id":1}', "wrong_type", "id"),
        (b'{"id":null}', "wrong_type", "id"),
        (b'{"id":"a","vector":[1,"2"]}', "wrong_type", "vector[1]"),
        (b'{"id":"a","vector":[true]}', "wrong_type", "vector[0]"),
        (b'{"id":"a","vector":{}}', "wrong_type", "vector"),
        (b'{"id":"a","content":["x"]}', "wrong_type", "content"),
        (b'{"id":"a","confidence":"1"}', "wrong_type", "confidence"),
        (b'{"id":"a","tags":"x"}', "wrong_type", "tags"),
        (b'{"id":"a","tags":[1]}', "wrong_type", "tags[0]"),
        (b'{"id":"a","timestamp":true}', "wrong_type", "timestamp"),
        (b'{"id":"a","timestamp":"noon"}', "invalid_time", "timestamp"),
        (b'{"id":"a","timestamp":1764331200000}', "invalid_time", "timestamp"),
        (b'{"id":"a","vector":"not base64"}', "invalid_vector", "vector"),
        (b'{"id":"a","vector":"AAAA"}', "invalid_vector", "vector"),
        (b'{"id":"a","priority":"urgent"}', "invalid_priority", "priority"),
        (b'{"ids":["a"],"id":"a"}', "unknown_field", "id"),
        (b'{"ids":"a"}', "wrong_type", "ids"),
        (b'{"ids":["a","b"],"vectors":[[1]]}', "column_length", "vectors"),
        (b'{"ids":["a","b"],"vectors":[[1],[1,2]]}', "invalid_vector", "vectors"),
        (b'{"ids":["a","b"],"vectors":"AACAPw=="}', "vectors_size", "vectors"),
        (b'{"ids":[],"vectors":"AACAPw=="}', "vectors_size", "vectors"),
        (b'{"ids":["a","b"],"contents":["x"]}', "column_length", "contents"),
        (b'{"ids":["a","b"],"metadata":[{}]}', "column_length", "metadata"),
        (b'{"ids":["a","b"],"timestamps":[1]}', "column_length", "timestamps"),
        (b'{"ids":["a"],"contents":[5]}', "wrong_type", "contents[0]"),
        (b'{"ids":["a","b"],"vectors":[null]}', "column_length", "vectors"),
        (b'{"id":"a","vector":[]}', "dimension_mismatch", "vector"),
        (b'{"id":"a","vector":""}', "dimension_mismatch", "vector"),
        (b'{"ids":["a"],"vectors":[[]]}', "dimension_mismatch", "vectors"),
        (b'{"ids":["a","b"],"vectors":[null,[]]}', "dimension_mismatch", "vectors"),
        (b'{"ids":["a"],"vectors":""}', "dimension_mismatch", "vectors"),
    ],
)
def test_what_is_refused_is_refused_with_its_field(text: bytes, code: str, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_observations(text)
    assert (caught.value.code, caught.value.field.replace("the observations", "the observation")) == (code, field)


def test_an_unknown_field_is_named_with_the_nearest() -> None:
    with pytest.raises(InvalidInput, match=r"'tag'.*'tags'"):
        read({"id": "a", "tag": ["x"]})


@pytest.mark.parametrize("metadata", ['{"a":1,"a":2}', "5", '"{}"', "[1]", '{"a":' + "1" * 30 + "}"])
def test_metadata_reach_the_one_check_of_all_doors_unchanged(metadata: str) -> None:
    batch, *_ = read_observations(b'{"id":"a","vector":[1,1,1,1,1,1,1,1],"metadata":' + metadata.encode() + b"}")
    assert list(batch.metadata or ()) == [metadata]
    with pytest.raises(InvalidInput) as caught:
        check_batch(batch, SpaceConfig("default", 8))
    assert caught.value.code == "invalid_metadata"


def test_a_large_batch_passes_the_check() -> None:
    wanted = batch_of([f"id-{number}" for number in range(300)])
    value = {
        "ids": list(wanted.ids),
        "vectors": wanted.vectors.tolist(),
        "contents": list(wanted.contents),
        "timestamps": (wanted.times_us / 1e6).tolist(),
        "confidences": wanted.confidences.tolist(),
        "importances": wanted.importances.tolist(),
        "metadata": [json.loads(text) for text in wanted.metadata or ()],
        "tags": [list(row) for row in wanted.tags or ()],
    }
    batch = read(value)
    assert same(batch, wanted)
    check_batch(batch, SpaceConfig("default", 8))


@pytest.mark.parametrize("count", [1, 4096, 4097])
def test_vectors_of_any_length_are_what_numpy_makes_of_them(count: int) -> None:
    numbers = (np.random.default_rng(count).standard_normal(count) * 1e3).tolist()
    assert np.array_equal(read({"id": "a", "vector": numbers}).vectors[0], np.array(numbers, np.float32))


def test_a_number_beyond_float32_is_refused_by_its_position() -> None:
    batch = read({"id": "a", "vector": [0, 1, -1e39, 0, 0, 0, 0, 0]})
    assert batch.vectors.dtype == np.float32
    with pytest.raises(InvalidInput) as caught:
        check_batch(batch, SpaceConfig("default", 8))
    assert (caught.value.code, caught.value.field) == ("not_finite", "embedding[0][2]")
