"""What metadata are compared with: values are taken for what they are stored as, and times for moments."""

from __future__ import annotations

import enum
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from engram import F, Filter, Own
from engram.errors import InvalidInput
from engram.model.filters.operands import Instant
from engram.model.times import as_time_us

ID = UUID("12345678-1234-5678-1234-567812345678")
NOON = datetime(2025, 1, 31, 12)


class Room(enum.Enum):
    MESS = "mess"
    NUMBER = np.int64(3)
    OWNER = ID
    OPENED = NOON


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 2


TAKEN: dict[str, tuple[Any, Any]] = {
    "UUID": (ID, str(ID)),
    "Decimal": (Decimal("1.10"), 1.1),
    "whole Decimal": (Decimal("9007199254740993.0"), 9007199254740993),
    "Enum of a text": (Room.MESS, "mess"),
    "Enum of a number of NumPy": (Room.NUMBER, 3),
    "Enum of a UUID": (Room.OWNER, str(ID)),
    "StrEnum": (Colour.RED, "red"),
    "IntEnum": (Level.HIGH, 2),
    "float32": (np.float32(0.5), 0.5),
    "longdouble": (np.longdouble(2), 2.0),
    "truth value": (np.bool_(True), True),
    "text of NumPy": (np.str_("a"), "a"),
}
TIMES: dict[str, tuple[Any, str]] = {
    "datetime": (NOON, "2025-01-31T12:00:00Z"),
    "date": (date(2025, 1, 2), "2025-01-02"),
    "datetime64": (np.datetime64("2025-01-02T03:04"), "2025-01-02T03:04:00Z"),
    "Enum of a datetime": (Room.OPENED, "2025-01-31T12:00:00Z"),
}


@pytest.mark.parametrize(("value", "plain"), TAKEN.values(), ids=TAKEN)
def test_values_are_taken_for_what_they_are_stored_as(value: Any, plain: Any) -> None:
    for operand in (*(F.key == value).values, *F.key.is_in([value]).values, *F.key.contains(value).values):
        assert (operand, type(operand)) == (plain, type(plain))
    kept = Filter(metadata={"key": value}).metadata["key"]
    assert (kept, type(kept)) == (plain, type(plain))


@pytest.mark.parametrize(("moment", "text"), TIMES.values(), ids=TIMES)
def test_times_are_moments_and_in_a_plain_filter_texts(moment: Any, text: str) -> None:
    instant = Instant(as_time_us(text, "time"))
    assert (F.key > moment).values == (F.key == moment).values == (instant,)
    assert (Own.observed_at <= moment).values == (Own.expires_at > moment).values == (instant,)
    assert Filter(metadata={"key": moment}).metadata == {"key": text}


@pytest.mark.parametrize("seconds", [Decimal("1.000001"), np.float64(1.000001)])
def test_seconds_are_a_time_where_a_time_is_meant(seconds: Any) -> None:
    assert (Own.observed_at == seconds).values == (Instant(1_000_001),)


def test_an_own_number_or_id_is_compared_with_what_stands_for_a_value() -> None:
    assert (Own.confidence >= Decimal("0.5")).values == (0.5,)
    assert (Own.id == ID).values == (str(ID),)


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity"), np.timedelta64(3, "s"), {1}, b"x"], ids=str)
def test_what_nothing_of_json_stands_for_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInput) as refusal:
        _ = F.key == value
    assert refusal.value.code == "invalid_filter"
    with pytest.raises(InvalidInput) as refusal:
        Filter(metadata={"key": value})
    assert refusal.value.code == "invalid_cue"


@pytest.mark.parametrize("value", [date(2025, 1, 2), Room.OPENED])
def test_a_time_is_no_text_and_no_number_of_its_own(value: Any) -> None:
    compares: list[Any] = [lambda: Own.id == value, lambda: Own.confidence > value, lambda: F.key.starts_with(value)]
    for compare in compares:
        with pytest.raises(InvalidInput) as refusal:
            compare()
        assert refusal.value.code == "invalid_filter"
