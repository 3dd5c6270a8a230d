"""The estimate of recall@k: between its ends, wide with few recalls, and of the latest ones only."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.store.meter.recall_counts import WINDOW, RecallCounts


def counted(*shares: tuple[int, int]) -> RecallCounts:
    counts = RecallCounts()
    for found, wanted in shares:
        counts.add(found, wanted)
    return counts


def test_nothing_is_said_before_a_recall_was_measured() -> None:
    assert RecallCounts().estimate() is None


def test_the_interval_is_wilsons() -> None:
    estimate = counted(*[(10, 10)] * 8, *[(0, 10)] * 2).estimate()
    assert estimate is not None
    assert tuple(estimate) == pytest.approx((0.49016, 0.8, 0.94331), abs=1e-4)


@given(st.lists(st.integers(0, 10), min_size=1, max_size=50))
def test_the_estimate_lies_within_the_interval(found: list[int]) -> None:
    estimate = counted(*((number, 10) for number in found)).estimate()
    assert estimate is not None
    assert 0 <= estimate.lower <= estimate.estimate + 1e-12
    assert estimate.estimate <= estimate.upper + 1e-12 <= 1 + 1e-12


def test_few_recalls_wake_nobody_and_many_say_what_is_wrong() -> None:
    few, many = counted(*[(8, 10)] * 3).estimate(), counted(*[(8, 10)] * WINDOW).estimate()
    assert few is not None
    assert many is not None
    assert few.upper > 0.9 > many.upper


def test_what_is_long_ago_is_forgotten_and_still_counted() -> None:
    counts = counted(*[(0, 10)] * WINDOW, *[(10, 10)] * WINDOW)
    estimate = counts.estimate()
    assert estimate is not None
    assert estimate.estimate == 1
    assert counts.measured == 2 * WINDOW
