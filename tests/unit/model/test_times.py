"""One bound, one check and one conversion for all forms of times."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.errors import InvalidInput
from engram.model.times import TIME_MAX_US, TIME_MIN_US, as_time_us, as_times_us, check_times_us

NOON = datetime(2025, 1, 31, 12, tzinfo=UTC)
NOON_US = int(NOON.timestamp()) * 1_000_000

SAME = [
    NOON,
    datetime(2025, 1, 31, 12),
    NOON.astimezone(timezone(timedelta(hours=-7))),
    NOON.timestamp(),
    int(NOON.timestamp()),
    np.int64(NOON.timestamp()),
    np.float64(NOON.timestamp()),
    "2025-01-31T12:00:00Z",
    "2025-01-31T12:00:00",
    "2025-01-31 13:00+01:00",
    np.datetime64("2025-01-31T12", "h"),
    np.datetime64("2025-01-31T12:00:00", "ns"),
]
REFUSED = [
    float("nan"),
    float("inf"),
    1e300,
    10**400,
    True,
    None,
    "soon",
    "",
    b"2025",
    np.datetime64("NaT"),
    np.datetime64("NaT", "ns"),
    np.datetime64(2**62, "Y"),
    np.timedelta64(1, "s"),
    1j,
    [1.0],
    -62_135_596_801,
    253_402_300_800,
]


@pytest.mark.parametrize("moment", SAME, ids=repr)
def test_every_form_of_one_time_is_the_same(moment: Any) -> None:
    assert as_time_us(moment, "when") == NOON_US
    assert as_times_us([moment, moment], 2, "whens").tolist() == [NOON_US] * 2


def test_forms_may_be_mixed_and_a_date_is_its_midnight() -> None:
    assert as_time_us(date(2025, 1, 31), "when") == NOON_US - 12 * 3600 * 1_000_000
    moments: Any = [NOON, NOON.timestamp(), "2025-01-31T12:00:00Z"]
    assert as_times_us(moments, 3, "whens").tolist() == [NOON_US] * 3


def test_a_number_beside_a_text_is_a_number() -> None:
    moments: Any = [1, "1970-01-01T00:00:02", 0.5]
    assert as_times_us(moments, 3, "t").tolist() == [1_000_000, 2_000_000, 500_000]
    moments = [0, "y"]
    with pytest.raises(InvalidInput) as refused:
        as_times_us(moments, 2, "t")
    assert refused.value.field == "t[1]"


@pytest.mark.parametrize("moment", REFUSED, ids=repr)
def test_what_is_no_time_is_refused_as_one_and_as_one_of_many(moment: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        as_time_us(moment, "when")
    assert (caught.value.code, caught.value.field) == ("invalid_time", "when")
    with pytest.raises(InvalidInput):
        as_times_us([moment, moment], 2, "whens")


@pytest.mark.parametrize(("factor", "unit"), [(10**3, "milli"), (10**6, "micro"), (10**9, "nano")])
@pytest.mark.parametrize("kind", [int, float])
def test_another_unit_gets_a_hint(factor: int, unit: str, kind: type) -> None:
    now = kind(1_764_000_000 * factor)
    with pytest.raises(InvalidInput, match=f"pass seconds since 1970.*looks like {unit}seconds"):
        as_time_us(now, "when")
    with pytest.raises(InvalidInput, match=rf"whens\[1\].*looks like {unit}seconds"):
        as_times_us([0, now], 2, "whens")


def test_stored_microseconds_are_checked_with_a_hint_of_their_own() -> None:
    check_times_us(np.array([TIME_MIN_US, TIME_MAX_US]), "times_us")
    for wrong in (TIME_MIN_US - 1, TIME_MAX_US + 1, 2**63 - 1, -(2**63)):
        with pytest.raises(InvalidInput, match=r"times_us\[1\]"):
            check_times_us(np.array([0, wrong]), "times_us")
    with pytest.raises(InvalidInput, match=r"pass microseconds.*looks like nanoseconds"):
        check_times_us(np.array([1_764_000_000 * 10**9]), "times_us")


@pytest.mark.parametrize(
    ("moments", "code"),
    [
        (np.zeros((2, 1)), "invalid_column"),
        (np.zeros((3, 4)), "invalid_column"),
        (np.zeros(3), "column_length"),
        (1.5, "not_a_list"),
        ("2025-01-31", "not_a_list"),
        (np.ma.array([1.0, 2.0], mask=[False, True]), "invalid_column"),
        ([[1.0], [1.0, 2.0]], "invalid_column"),
        ([True, False], "invalid_column"),
        (np.zeros(2, "m8[s]"), "invalid_column"),
    ],
)
def test_a_column_of_times_has_one_for_each_row(moments: Any, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        as_times_us(moments, 2, "timestamps")
    assert (caught.value.code, caught.value.field) == (code, "timestamps")


@given(st.datetimes(timezones=st.just(UTC)))
def test_every_datetime_is_taken_to_the_microsecond(moment: datetime) -> None:
    time_us = as_time_us(moment, "when")
    assert TIME_MIN_US <= time_us <= TIME_MAX_US
    assert datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_us) == moment
    assert as_time_us(np.datetime64(moment.replace(tzinfo=None)), "when") == time_us
    assert as_time_us(moment.isoformat(), "when") == time_us


@given(st.floats() | st.integers(-(2**70), 2**70))
def test_a_number_is_taken_within_the_bound_or_refused(seconds: float) -> None:
    if not TIME_MIN_US <= seconds * 1e6 < TIME_MAX_US + 1:
        with pytest.raises(InvalidInput):
            as_time_us(seconds, "when")
        return
    time_us = as_time_us(seconds, "when")
    assert TIME_MIN_US <= time_us <= TIME_MAX_US
    assert as_times_us([seconds], 1, "whens").tolist() == [time_us]
