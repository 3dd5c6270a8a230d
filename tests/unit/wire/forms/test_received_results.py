"""What a server answers is what a client reads: results in JSON, hits as columns of a frame, errors."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from engram.errors import NotFound, Unavailable
from engram.metrics.sample import MetricSample
from engram.metrics.samples import MetricSamples
from engram.model.following.change import Change, Changes
from engram.model.hit import Hits
from engram.model.many.many_recalled import ManyRecalled
from engram.model.operations.status import ServerStatus, SpaceStatus
from engram.model.operations.table import OPERATIONS
from engram.model.query import Recalled
from engram.model.spaces import SpaceConfig
from engram.wire.forms.failures import error_object
from engram.wire.forms.received_results import _READERS, decode_error, decode_result
from engram.wire.forms.results import encode_json, encode_result
from engram.wire.frames import decode_frame, encode_frame, read_arrays, split_frame
from tests.unit.wire.operations.test_table import RESULTS, plain
from tests.unit.wire.test_recalls import make_hit


def received(result: Any, **options: Any) -> Any:
    """The result as a client reads it."""
    message = encode_result(result, {"type": "a_result", "id": 7, "more": False}, binary=True, **options)
    if not isinstance(result, Hits | Recalled | ManyRecalled | Changes):
        return decode_result(type(result), message, None)
    text, start = split_frame(message)
    return decode_result(type(result), text, read_arrays(message, start, json.loads(bytes(text))["arrays"]))


def test_the_results_of_all_operations_can_be_read() -> None:
    assert {operation.result for operation in OPERATIONS.values()} == set(_READERS)


@pytest.mark.parametrize("result", [one for them in RESULTS.values() for one in them])
def test_a_result_arrives(result: Any) -> None:
    arrived = received(result)
    if isinstance(result, Recalled):
        # How long it took, and how many there were before the least score, is not said.
        assert (list(arrived.hits), arrived.generation, arrived.incomplete) == (
            list(result.hits),
            result.generation,
            result.incomplete,
        )
    else:
        assert plain(arrived) == plain(result)
        assert type(arrived) is type(result)


def test_hits_have_all_that_was_sent() -> None:
    full = make_hit(
        "a",
        metadata={"n": [1, {"ü": None}]},
        tags=["x", "y"],
        indexed=False,
        recent=True,
        strength=0.125,
        vector=np.arange(2, dtype="f4"),
    )
    bare = make_hit("b", content="", metadata={}, tags=[], strength=0.5, vector=np.ones(2, "f4"))
    hits = received(Recalled([full, bare], 9, 2, 1.0), vectors=True).hits
    assert hits == [full, bare]
    assert [hit.vector.tolist() for hit in hits] == [[0, 1], [1, 1]]
    assert [hit.age_s for hit in hits] == [full.age_s, bare.age_s]
    assert not hits[0].vector.flags.writeable


def test_hits_without_vectors_and_strength_have_none() -> None:
    (hit,) = received(Recalled([make_hit("a")], 9, 1, 1.0)).hits
    assert (hit.vector, hit.strength) == (None, None)


def test_hits_say_what_they_do_not_have() -> None:
    full = make_hit("a", content="", vector=np.arange(2, dtype="f4"))
    bare = make_hit("b", content="", has_content=False, expires_us=5_000_000)
    result = Recalled([bare, full], 9, 2, 1.0)
    first, second = received(result, vectors=True).hits
    assert (first.vector, first.has_content, first.expires_us) == (None, False, 5_000_000)
    assert (second.vector.tolist(), second.has_content, second.expires_us) == ([0, 1], True, None)
    # Where no hit has a vector, there is no column of them.
    (alone,) = received(Recalled([bare], 9, 1, 1.0), vectors=True).hits
    assert alone.vector is None
    objects = json.loads(encode_result(result, vectors=True))["hits"]
    assert [each.get("has_content") for each in objects] == [False, None]
    assert [each.get("expires_at") for each in objects] == ["1970-01-01T00:00:05.000000Z", None]
    assert [each.get("vector") for each in objects] == [None, [0, 1]]


def test_tags_of_a_hit_are_its_own() -> None:
    first, second = (received(Hits([make_hit("a", tags=["x"])]))[0] for _ in range(2))
    first.tags.append("mine")
    assert second.tags == ["x"]


def test_columns_of_another_length_are_no_answer() -> None:
    frame = decode_frame(encode_result(Hits([make_hit("a")]), binary=True))
    short = encode_frame({**frame.header, "ids": ["a", "b"]}, frame.arrays)
    text, start = split_frame(short)
    with pytest.raises(Unavailable) as failure:
        decode_result(Hits, text, read_arrays(short, start, json.loads(bytes(text))["arrays"]))
    assert failure.value.code == "unexpected_response"


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"name":3}', b"[" * 100_000])
def test_what_is_no_result_is_said_to_be_none(text: bytes) -> None:
    for kind in (SpaceStatus, Recalled, ManyRecalled):
        with pytest.raises(Unavailable) as failure:
            decode_result(kind, text, None)
        assert failure.value.code == "unexpected_response"


def test_a_change_of_a_kind_that_only_a_later_server_knows_is_passed_over() -> None:
    hit = make_hit("a")
    known = [Change("observed", "a", 7, None, hit), Change("left", "b", 9, 3)]
    unknown: Any = Change("moved", "c", 8)  # type: ignore[arg-type]  # That is the point.
    arrived = received(Changes([known[0], unknown, known[1]], 10))
    assert (list(arrived), arrived.generation, arrived.incomplete) == (known, 10, False)


def test_a_later_server_may_say_more() -> None:
    status = SpaceStatus(SpaceConfig("notes", 8), 1, 1, 1, 1, 1, 1)
    made = json.loads(encode_result(status)) | {"news": {"of": "tomorrow"}}
    assert decode_result(SpaceStatus, encode_json(made), None) == status
    assert decode_result(ServerStatus, b'{"version":"9","uptime_s":1}', None).lanes == ()


def test_a_number_that_is_none_stays_none() -> None:
    samples = MetricSamples([MetricSample("a", math.nan, {"x": "y"})])
    status = SpaceStatus(SpaceConfig("notes", 8), 1, 1, 1, 1, 1, 1, metrics=samples)
    (sample,) = received(status).metrics
    assert (sample.name, sample.labels) == ("a", {"x": "y"})
    assert math.isnan(sample.value)


def test_an_error_arrives() -> None:
    error = decode_error(encode_json(error_object(NotFound("gone", code="unknown_space", field="space", value="x"))))
    assert (type(error), error.message, error.code, error.field) == (NotFound, "gone", "unknown_space", "space")
    assert decode_error(b"[1]").code == "unexpected_response"
