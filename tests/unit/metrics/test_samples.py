"""Values of metrics: how they are made, found, added up and divided."""

from __future__ import annotations

import pytest

from engram.metrics import table
from engram.metrics.sample import MetricSample
from engram.metrics.samples import NO_METRICS, MetricSamples

SAMPLES = MetricSamples(
    [
        table.GENERATION.sample(9, "notes", "durable"),
        table.GENERATION.sample(7, "notes", "indexed"),
        table.GENERATION.sample(4, "other", "durable"),
        table.RECALLS.sample(3),
    ]
)


def test_a_sample_has_the_labels_of_its_family() -> None:
    expected = MetricSample("engram_streaming_generation", 9, {"memory_space": "notes", "watermark": "durable"})
    assert table.GENERATION.sample(9, "notes", "durable") == expected


@pytest.mark.parametrize("values", [(), ("notes",), ("notes", "durable", "more")])
def test_a_sample_needs_a_value_for_each_label(values: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="zip"):
        table.GENERATION.sample(9, *values)


def test_samples_are_selected_by_family_or_name_and_labels() -> None:
    assert SAMPLES.select(table.GENERATION, watermark="durable") == (SAMPLES[0], SAMPLES[2])
    assert SAMPLES.select("engram_streaming_generation", memory_space="notes") == SAMPLES[:2]
    assert SAMPLES.select(table.RECALLS, memory_space="notes") == ()


def test_a_value_is_the_sum_over_the_labels_that_are_left_open() -> None:
    assert SAMPLES.value(table.GENERATION, memory_space="notes", watermark="indexed") == 7
    assert SAMPLES.value("engram_streaming_generation", watermark="durable") == 13
    assert SAMPLES.value(table.RECALLS) == 3


def test_a_metric_without_a_value_is_an_error_and_not_zero() -> None:
    with pytest.raises(KeyError, match=r"engram_streaming_commits_total.*notes"):
        SAMPLES.value(table.COMMITS, memory_space="notes")
    with pytest.raises(KeyError):
        NO_METRICS.value(table.RECALLS)


def test_samples_are_divided_by_a_label() -> None:
    assert SAMPLES.split("memory_space") == {"notes": SAMPLES[:2], "other": (SAMPLES[2],)}
