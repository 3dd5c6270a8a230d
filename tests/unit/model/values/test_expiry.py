"""When observations expire: what is taken, what is refused, and what the numbers of a column stand for."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from engram.errors import InvalidInput
from engram.model.arguments import OneObservation, arguments_of
from engram.model.batches.checks import check_batch
from engram.model.observations import concatenate, make_batch, with_expiry
from engram.model.operations.changes import take_changes
from engram.model.spaces import SpaceConfig
from engram.model.values.expiry import (
    NEVER_US,
    NOT_SAID_US,
    TTL_S_MAX,
    as_ttl_us,
    check_expiries,
    checked_ttl_s,
    expires,
    moment_column,
    taken_expiries,
    ttl_column,
)

CONFIG = SpaceConfig("notes", 8)
NOW = 1_700_000_000_000_000
S = 1_000_000


def taken(column: Any, default_us: int | None = None) -> list[int] | None:
    found = taken_expiries(np.array(column, np.int64), len(column), default_us, NOW)
    return None if found is None else found.tolist()


@pytest.mark.parametrize(
    ("ttl", "micros"),
    [
        (0, 0),
        (1, S),
        (0.5, S // 2),
        (np.float32(0.5), S // 2),
        (np.int16(3), 3 * S),
        (Decimal("0.25"), S // 4),
        (timedelta(minutes=1), 60 * S),
        (np.timedelta64(2, "s"), 2 * S),
        (TTL_S_MAX, TTL_S_MAX * S),
    ],
)
def test_a_time_to_live_counts_from_when_it_is_taken(ttl: Any, micros: int) -> None:
    assert taken([as_ttl_us(ttl)]) == [NOW + micros]


def test_infinity_is_never() -> None:
    assert as_ttl_us(math.inf) == as_ttl_us(Decimal("Infinity")) == NEVER_US
    assert taken([NEVER_US], default_us=S) is None


@pytest.mark.parametrize(
    "bad",
    [
        *(-1, -0.001, math.nan, -math.inf, TTL_S_MAX + 1, 10**400, True, "60", b"1", None, []),
        *(Decimal("NaN"), Decimal("sNaN"), timedelta(seconds=-1), np.timedelta64("NaT")),
        *(datetime(2030, 1, 1, tzinfo=UTC), object()),
    ],
)
def test_what_is_no_time_to_live_is_refused(bad: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        as_ttl_us(bad)
    error = refused.value
    assert (error.code, error.field, error.limit) == ("invalid_ttl", "ttl", f"0..{TTL_S_MAX} s")
    assert error.value


def test_one_counts_for_all_and_none_says_nothing() -> None:
    assert taken(ttl_column(5, 3)) == [NOW + 5 * S] * 3
    assert taken(ttl_column([1, None, math.inf], 3)) == [NOW + S, NEVER_US, NEVER_US]
    assert taken(ttl_column(np.array([1.0, 2.0]), 2)) == [NOW + S, NOW + 2 * S]
    assert taken(ttl_column([timedelta(seconds=1), None], 2), default_us=9 * S) == [NOW + S, NOW + 9 * S]
    assert moment_column("2030-01-01", 2, "expires_at").tolist() == [1_893_456_000 * S] * 2
    assert moment_column([5, None], 2, "expires_at").tolist() == [5 * S, NOT_SAID_US]
    dates = np.array(["2030-01-01", "NaT"], "datetime64[D]")
    assert moment_column(dates, 2, "expires_at").tolist() == [1_893_456_000 * S, NOT_SAID_US]


@pytest.mark.parametrize(
    ("column", "values", "code", "field"),
    [
        (ttl_column, [1, -1], "invalid_ttl", "ttl[1]"),
        (ttl_column, [1], "column_length", "ttl"),
        (ttl_column, "5", "invalid_ttl", "ttl"),
        (ttl_column, {1, 2}, "not_a_list", "ttl"),
        (ttl_column, np.ma.masked_array([1.0, 2.0], [True, False]), "invalid_column", "ttl"),
    ],
)
def test_a_bad_column_is_refused(column: Any, values: Any, code: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        column(values, 2)
    assert (refused.value.code, refused.value.field) == (code, field)


@pytest.mark.parametrize("bad", [math.nan, "soon", "9999999999999", 1e18, True, object()])
def test_what_is_no_time_is_refused(bad: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        make_batch(["a"], np.ones((1, 8)), expires_at=[bad])
    assert (refused.value.code, refused.value.field) == ("invalid_time", "expires_at[0]")


def test_there_is_one_of_both() -> None:
    both: dict[str, Any] = {"expires_at": [5], "ttl": [5]}
    calls: list[Callable[[], object]] = [
        lambda: make_batch(["a"], np.ones((1, 8)), **both),
        lambda: OneObservation("a", np.ones(8), "", {"expires_at": 5, "ttl": 5}).row(CONFIG),
        lambda: take_changes((["a"],), both),
        lambda: take_changes(("a",), {"expires_at": 5, "ttl": 5}),
    ]
    for call in calls:
        with pytest.raises(InvalidInput) as refused:
            call()
        assert (refused.value.code, refused.value.field, refused.value.value) == ("invalid_ttl", "ttl", "both")


def test_nothing_said_costs_nothing() -> None:
    batch = make_batch(["a", "b"], np.ones((2, 8)))
    assert batch.expires_us is None
    assert with_expiry(batch, None, NOW) is batch
    assert with_expiry(batch, 7, NOW).expires_us.tolist() == [NOW + 7] * 2  # type: ignore[union-attr]


def test_what_is_taken_has_times_and_never() -> None:
    column = [NOT_SAID_US, NEVER_US, 5, as_ttl_us(1)]
    assert taken(column) == [NEVER_US, NEVER_US, 5, NOW + S]
    assert taken(column, default_us=9) == [NOW + 9, NEVER_US, 5, NOW + S]
    assert taken([NOT_SAID_US, NEVER_US]) is None
    assert expires(np.array([NOT_SAID_US, NEVER_US, 5, -5])).tolist() == [False, False, True, True]


def test_each_number_stands_for_something() -> None:
    check_expiries(np.array([NOT_SAID_US, NEVER_US, 0, as_ttl_us(TTL_S_MAX)]), "expires_us")
    for bad in (as_ttl_us(TTL_S_MAX) + 1, NEVER_US - 1):
        with pytest.raises(InvalidInput) as refused:
            check_expiries(np.array([0, bad]), "expires_us")
        assert (refused.value.code, refused.value.field) == ("invalid_time", "expires_us[1]")


def test_batches_with_and_without_are_joined() -> None:
    plain, timed = make_batch(["a"], np.ones((1, 8))), make_batch(["b"], np.ones((1, 8)), expires_at=[5])
    joined = concatenate([plain, timed])
    assert joined.expires_us is not None
    assert expires(joined.expires_us).tolist() == [False, True]
    assert concatenate([plain, plain]).expires_us is None
    assert check_batch(joined, CONFIG) is joined


@pytest.mark.parametrize(
    "columns", [{"expires_at": [5, None]}, {"ttl": [5, None]}, {"ttl": [math.inf, 2]}, {}], ids=str
)
def test_a_batch_as_arguments_is_the_same_batch(columns: Any) -> None:
    batch = make_batch(["a", "b"], np.ones((2, 8)), **columns)
    again = make_batch(**arguments_of(batch)).expires_us
    assert (again is None) == (batch.expires_us is None)
    if again is not None and batch.expires_us is not None:
        assert again.tolist() == batch.expires_us.tolist()


def test_in_an_update_none_is_never() -> None:
    for changes in (
        take_changes(("a",), {"expires_at": None}),
        take_changes((["a"],), {"expires_at": None}),
        take_changes((["a"],), {"expires_at": [None]}),
        take_changes((["a"],), {"ttl": math.inf}),
    ):
        assert changes.columns["expires_us"].tolist() == [NEVER_US]
    assert "expires_us" not in take_changes(("a",), {"content": "x"}).columns
    assert "expires_us" not in take_changes(("a",), {"content": "x", "ttl": None}).columns


def test_a_default_is_seconds() -> None:
    assert [checked_ttl_s(ttl) for ttl in (None, math.inf, 60, timedelta(hours=1), 0.5)] == [None, None, 60, 3600, 0.5]
