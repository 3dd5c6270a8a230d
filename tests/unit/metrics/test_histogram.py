"""Histograms: each value is in the buckets that it should be in, and what is read fits together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engram.metrics import table
from engram.metrics.histogram import Histogram
from engram.metrics.samples import MetricSamples

BOUNDS = table.BATCH_SIZE.bounds
NAME = table.BATCH_SIZE.name


def of(histogram: Histogram) -> MetricSamples:
    return MetricSamples(histogram.samples())


def test_an_empty_histogram_has_all_its_values_as_zeros() -> None:
    samples = of(Histogram(table.OBSERVATION_LATENCY, "durable"))
    assert {sample.value for sample in samples} == {0}
    assert {sample.labels["stage"] for sample in samples} == {"durable"}
    buckets = samples.select(f"{table.OBSERVATION_LATENCY.name}_bucket")
    assert [sample.labels["le"] for sample in buckets][-3:] == ["10.0", "30.0", "+Inf"]
    assert len(buckets) == len(table.OBSERVATION_LATENCY.bounds) + 1


def test_a_bound_takes_what_is_equal_to_it() -> None:
    histogram = Histogram(table.BATCH_SIZE)
    histogram.add(4)
    assert of(histogram).value(f"{NAME}_bucket", le="4.0") == 1
    assert of(histogram).value(f"{NAME}_bucket", le="1.0") == 0


@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(1, 1000))))
def test_every_value_counts_up_to_each_bound_above_it(values: list[tuple[float, int]]) -> None:
    histogram = Histogram(table.BATCH_SIZE)
    for value, count in values:
        histogram.add(value, count)
    samples = of(histogram)
    for bound in BOUNDS:
        expected = sum(count for value, count in values if value <= bound)
        assert samples.value(f"{NAME}_bucket", le=repr(bound)) == expected
    total = sum(count for _, count in values)
    assert samples.value(f"{NAME}_count") == samples.value(f"{NAME}_bucket", le="+Inf") == total
    assert samples.value(f"{NAME}_sum") == pytest.approx(sum(value * count for value, count in values))


def test_a_histogram_needs_a_value_for_each_label() -> None:
    with pytest.raises(ValueError, match="zip"):
        Histogram(table.OBSERVATION_LATENCY)
