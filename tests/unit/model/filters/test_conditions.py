"""Conditions that careless callers write are refused by name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from engram import Condition, F, parse_filter
from engram.errors import InvalidInput
from engram.model.filters.operands import instant
from engram.wire import engram_pb2 as pb
from engram.wire.conditions import decode_condition

NO_LISTS: dict[str, Any] = {
    "an array of no dimension": np.array(5),
    "a class": set,
    "a number": 5,
    "a text": "ab",
    "nothing": None,
}


@pytest.mark.parametrize("values", NO_LISTS.values(), ids=NO_LISTS)
def test_what_is_no_list_is_refused(values: Any) -> None:
    for ask in (F.deck.is_in, F.deck.not_in):
        with pytest.raises(InvalidInput) as caught:
            ask(values)
        assert (caught.value.code, caught.value.field) == ("invalid_filter", "value")


TIMES: dict[str, Callable[[], object]] = {
    "a datetime": lambda: F.when.contains(datetime(2025, 1, 31, tzinfo=UTC)),
    "a date of NumPy": lambda: F.when.contains(np.datetime64("2025-01-31")),
    "an instant": lambda: F.when.contains(instant(5)),
    "a text": lambda: parse_filter('when contains time("2025-01-31")'),
    "a message": lambda: decode_condition(
        pb.FilterNode(
            condition=pb.FilterCondition(path=["when"], operator="contains", values=[pb.FilterValue(time_us=5)])
        )
    ),
}


@pytest.mark.parametrize("make", TIMES.values(), ids=TIMES)
def test_no_list_has_a_time_as_an_element(make: Callable[[], object]) -> None:
    with pytest.raises(InvalidInput) as caught:
        make()
    assert (caught.value.code, caught.value.field) == ("invalid_filter", "value")


@pytest.mark.parametrize(
    "text", ["a = " + "time(" * 3000, "a = time()", "a = time(true)", 'a = time(time("2025-01-31"))', "a = time(1"]
)
def test_a_time_in_a_text_is_one_value(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_filter(text)
    assert (caught.value.code, caught.value.field) == ("invalid_filter", "filter")


def test_a_condition_is_of_a_kind() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Condition()  # type: ignore[abstract]


def test_conditions_are_equal_if_they_are_written_alike() -> None:
    assert len({F.a == 1, F.a == 1.0, F.a == True, F.a == 1, parse_filter("a = 1")}) == 3  # noqa: E712
    assert F.a.is_in([1, 2]) == F.a.is_in((1, 2))
    assert F.a.is_in([1]) != F.a.is_in([True])
