"""What JSON does not have, in metadata."""

from __future__ import annotations

import enum
import json
import uuid
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram import MemoryStore
from engram.errors import InvalidInput
from engram.model.times import as_time_us, as_times_us
from engram.model.values.metadata import encode_metadata

ID = uuid.UUID("12345678-1234-5678-1234-567812345678")


class Room(enum.Enum):
    NUMBER = 3
    TEXT = "mess"
    ID = ID
    DAY = date(2025, 1, 2)


class Level(enum.IntEnum):
    HIGH = 2


class Colour(enum.StrEnum):
    RED = "red"


PLAIN: dict[str, tuple[Any, Any]] = {
    "time without a zone": (datetime(2025, 1, 31, 12), "2025-01-31T12:00:00Z"),
    "time with a zone": (datetime(2025, 1, 31, 12, tzinfo=timezone(timedelta(hours=2))), "2025-01-31T10:00:00Z"),
    "microseconds": (datetime(2025, 1, 31, 12, 0, 0, 5, tzinfo=UTC), "2025-01-31T12:00:00.000005Z"),
    "date": (date(2025, 1, 2), "2025-01-02"),
    "datetime64 of days": (np.datetime64("2025-01-02"), "2025-01-02T00:00:00Z"),
    "datetime64 of nanoseconds": (np.datetime64("2025-01-02T03:04:05.123456789"), "2025-01-02T03:04:05.123456Z"),
    "UUID": (ID, str(ID)),
    "Decimal": (Decimal("1.10"), 1.1),
    "whole Decimal": (Decimal("9007199254740993.00"), 9007199254740993),
    "int8": (np.int8(-3), -3),
    "uint64": (np.uint64(2**64 - 1), 2**64 - 1),
    "float16": (np.float16(1.5), 1.5),
    "float32": (np.float32(0.5), 0.5),
    "float64": (np.float64(0.1), 0.1),
    "longdouble": (np.longdouble(2), 2.0),
    "truth value": (np.bool_(True), True),
    "text of NumPy": (np.str_("a"), "a"),
    "Enum of a number": (Room.NUMBER, 3),
    "Enum of a text": (Room.TEXT, "mess"),
    "Enum of a UUID": (Room.ID, str(ID)),
    "Enum of a date": (Room.DAY, "2025-01-02"),
    "IntEnum": (Level.HIGH, 2),
    "StrEnum": (Colour.RED, "red"),
}


@pytest.mark.parametrize(("value", "plain"), PLAIN.values(), ids=PLAIN)
def test_values_of_metadata(value: Any, plain: Any) -> None:
    found = json.loads(encode_metadata({"key": value, "nested": {"list": [value, (value,)]}}, "metadata"))
    assert found == {"key": plain, "nested": {"list": [plain, [plain]]}}
    assert type(found["key"]) is type(plain)


def test_they_come_back_as_they_are_stored() -> None:
    values = {name: value for name, (value, _) in PLAIN.items()}
    with MemoryStore(None) as store:
        space = store.space("notes", dim=1)
        space.observe("a", [1.0], metadata=values)
        space.observe(["b"], [[1.0]], metadata=[values])
        for id in ("a", "b"):
            hit = space.get(id)
            assert hit is not None
            assert hit.metadata == {name: plain for name, (_, plain) in PLAIN.items()}


REFUSED: dict[str, tuple[Any, str]] = {
    "NaT": (np.datetime64("NaT"), "pass None"),
    "a time before the year 1": (np.datetime64("-5000-01-01"), "years 1 to 9999"),
    "a time that a zone moves out of the years": (
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=2))),
        "years 1 to 9999",
    ),
    "a set": ({1, 2}, r"sorted\(value\)"),
    "an array": (np.ones(2), r"value\.tolist\(\)"),
    "bytes": (b"x", r"value\.decode\(\)"),
    "a duration": (timedelta(1), "pass a text"),
    "a duration of NumPy": (np.timedelta64(3, "s"), "pass a text"),
    "no number": (Decimal("NaN"), "pass None"),
    "a Decimal without end": (Decimal("-Infinity"), "pass None"),
    "a Decimal with a million digits": (Decimal("1E+1000000"), "pass None"),
    "a Decimal beyond 64 bits": (Decimal(10) ** 30, "64 bits"),
    "float NaN": (float("nan"), "JSON"),
    "float32 NaN": (np.float32("nan"), "JSON"),
    "a complex number": (1j, "pass a text"),
    "an object": (object(), "pass a text"),
}


@pytest.mark.parametrize(("value", "advice"), REFUSED.values(), ids=REFUSED)
def test_what_nothing_of_json_stands_for_is_refused(value: Any, advice: str) -> None:
    with MemoryStore(None) as store:
        space = store.space("notes", dim=1)
        with pytest.raises(InvalidInput, match=advice) as refusal:
            space.observe("a", [1.0], metadata={"key": [value]})
        assert refusal.value.code == "invalid_metadata"
        assert space.generation == 0


@given(st.datetimes())
def test_a_time_is_the_same_moment_in_metadata_and_as_a_time(moment: datetime) -> None:
    text = json.loads(encode_metadata({"at": moment}, "metadata"))["at"]
    assert as_time_us(text, "time") == as_time_us(moment, "time")


class Moments(enum.Enum):
    START = datetime(2025, 1, 31, 12)


def test_times_of_observations() -> None:
    noon = 1_738_324_800
    moments: list[Any] = [
        Moments.START,
        Decimal(noon),
        np.int64(noon),
        np.float64(noon),
        np.datetime64("2025-01-31T12:00"),
    ]
    assert {as_time_us(moment, "timestamp") for moment in moments} == {noon * 1_000_000}
    assert as_times_us(moments, 5, "timestamps").tolist() == [noon * 1_000_000] * 5
    assert as_time_us(Decimal("0.000001"), "timestamp") == 1


@pytest.mark.parametrize("moment", [Decimal("NaN"), Decimal("1E+1000000"), Decimal("Infinity"), Room.ID, ID], ids=str)
def test_what_is_no_time_is_refused(moment: Any) -> None:
    for convert in (lambda: as_time_us(moment, "timestamp"), lambda: as_times_us([moment], 1, "timestamp")):
        with pytest.raises(InvalidInput) as refusal:
            convert()
        assert refusal.value.code == "invalid_time"


def test_times_of_pandas() -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    stamp = pandas.Timestamp("2025-01-31T12:00:00.123456789", tz="Europe/Berlin")
    text = json.loads(encode_metadata({"at": stamp}, "metadata"))["at"]
    assert text == "2025-01-31T11:00:00.123456Z"
    assert as_time_us(stamp, "time") == as_time_us(text, "time")
    with pytest.raises(InvalidInput):
        encode_metadata({"at": pandas.NaT}, "metadata")
