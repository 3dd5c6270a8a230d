"""Rates and quantiles between two readings."""

from __future__ import annotations

import pytest

from engram.cli.live.changes import MetricChanges
from engram.metrics import table
from engram.metrics.sample import MetricSample
from engram.metrics.samples import NO_METRICS, MetricSamples
from tests.unit.cli.live.statuses import LATENCY, histogram

NAME = table.OBSERVATION_LATENCY


def changes(before: list[MetricSample], after: list[MetricSample], seconds: float = 2.0) -> MetricChanges:
    return MetricChanges(MetricSamples(before), MetricSamples(after), seconds)


def test_a_rate_is_the_increase_over_the_time() -> None:
    moved = changes([table.COMMITS.sample(4, "a")], [table.COMMITS.sample(10, "a"), table.COMMITS.sample(2, "b")])
    assert moved.rate(table.COMMITS) == 4
    assert moved.rate(table.COMMITS, memory_space="b") == 1
    assert moved.now(table.COMMITS) == 12


def test_a_counter_that_began_again_counts_from_zero() -> None:
    assert changes([table.RECALLS.sample(1000)], [table.RECALLS.sample(6)]).rate(table.RECALLS) == 3


def test_what_has_no_value_is_zero() -> None:
    moved = MetricChanges(NO_METRICS, NO_METRICS, 1.0)
    assert (moved.now(table.RECALLS), moved.rate(table.RECALLS), moved.quantile(0.5, NAME)) == (0, 0, None)


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.5, 0.1), (0.25, 0.05), (0.75, 0.15), (1.0, 0.2)],
)
def test_a_quantile_is_interpolated_within_its_bucket(share: float, expected: float) -> None:
    before = histogram(LATENCY, {"0.1": 50, "0.2": 50, "+Inf": 50})
    after = histogram(LATENCY, {"0.1": 60, "0.2": 70, "+Inf": 70})
    assert changes(before, after).quantile(share, NAME) == pytest.approx(expected)


def test_a_quantile_above_the_last_bound_is_that_bound() -> None:
    after = histogram(LATENCY, {"0.1": 1, "0.2": 1, "+Inf": 100})
    assert changes([], after).quantile(0.99, NAME) == 0.2


def test_a_quantile_of_nothing_new_is_none() -> None:
    same = histogram(LATENCY, {"0.1": 7, "+Inf": 9})
    assert changes(same, same).quantile(0.99, NAME) is None


def test_a_quantile_is_that_of_the_selected_labels() -> None:
    after = [
        *histogram(LATENCY, {"0.1": 10, "1.0": 10, "+Inf": 10}, stage="durable"),
        *histogram(LATENCY, {"0.1": 0, "1.0": 10, "+Inf": 10}, stage="indexed"),
    ]
    assert changes([], after).quantile(1.0, NAME, stage="durable") == pytest.approx(0.1)
    assert changes([], after).quantile(1.0, NAME, stage="indexed") == pytest.approx(1.0)
