"""Messages that are read as filters: the limits hold while they are read."""

from __future__ import annotations

from typing import Any

import pytest

from engram.errors import InvalidInput
from engram.model.limits import FILTER_NODES_MAX, FILTER_TERMS_MAX, FILTER_VALUES_MAX
from engram.wire import conditions
from engram.wire import engram_pb2 as pb
from engram.wire.conditions import decode_condition
from engram.wire.cues import decode_filter
from tests.doubles.counted_calls import count_calls


def node(**fields: Any) -> pb.FilterNode:
    return pb.FilterNode(condition=pb.FilterCondition(**fields))


def any_of(part: pb.FilterNode, count: int) -> pb.FilterNode:
    return pb.FilterNode(any_of=pb.FilterGroup(parts=[part] * count))


EXISTS = node(path=["a"], operator="exists")
NUMBERS = [pb.FilterValue(whole=number) for number in range(FILTER_VALUES_MAX)]


def test_a_filter_of_the_largest_size_is_read() -> None:
    assert decode_condition(any_of(EXISTS, FILTER_NODES_MAX - 1)).size.nodes == FILTER_NODES_MAX
    assert decode_condition(node(path=["a"], operator="in", values=NUMBERS)).size.values == FILTER_VALUES_MAX


TOO_LARGE = {
    "many": any_of(EXISTS, FILTER_NODES_MAX),
    "groups": any_of(any_of(EXISTS, 300), 10),
    "values": node(path=["a"], operator="in", values=[*NUMBERS, NUMBERS[0]]),
    "values of several": any_of(node(path=["a"], operator="in", values=NUMBERS), 3),
    "values of one": node(path=["a"], operator="eq", values=[*NUMBERS, NUMBERS[0]]),
}


@pytest.mark.parametrize("message", TOO_LARGE.values(), ids=TOO_LARGE)
def test_a_filter_that_is_too_large_is_not_read_to_its_end(
    message: pb.FilterNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = count_calls(monkeypatch, conditions, "compared", "_decode_value")
    with pytest.raises(InvalidInput) as caught:
        decode_condition(message)
    assert caught.value.code == "filter_size"
    assert read["compared"] < FILTER_NODES_MAX
    assert read["_decode_value"] <= FILTER_VALUES_MAX


def test_a_path_of_very_many_keys_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        decode_condition(node(path=["a"] * 100_000, operator="exists"))
    assert (caught.value.code, caught.value.value) == ("invalid_filter", "100000")
    with pytest.raises(InvalidInput) as caught:
        decode_condition(node(operator="exists"))
    assert caught.value.code == "invalid_filter"


def test_very_many_conditions_of_before_are_refused_though_they_are_one() -> None:
    conditions = [pb.MetadataCondition(key="a", equals_json="1")]
    assert decode_filter(pb.CueFilter(metadata=conditions * (FILTER_TERMS_MAX + 1)))
    with pytest.raises(InvalidInput) as caught:
        decode_filter(pb.CueFilter(metadata=conditions * 100_000))
    assert (caught.value.code, caught.value.field) == ("invalid_cue", "filter")
