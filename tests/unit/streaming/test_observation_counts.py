"""Counts of observations: by space and priority, by space and reason, and bounded whatever callers do."""

from __future__ import annotations

from engram.metrics import table
from engram.metrics.samples import MetricSamples
from engram.model.priority import Priority
from engram.streaming.observation_counts import NO_SPACE, REASONS_MAX, ObservationCounts


def test_a_space_has_its_values_before_anything_is_counted() -> None:
    samples = MetricSamples(ObservationCounts().samples("notes"))
    assert {sample.value for sample in samples} == {0}
    accepted = samples.select(table.OBSERVATIONS, memory_space="notes")
    assert {sample.labels["priority"] for sample in accepted} == {"high", "normal", "low"}
    assert samples.select(table.OBSERVATIONS_REJECTED, memory_space="notes", reason="overloaded")


def test_batches_are_counted_in_their_space_under_their_priority_or_reason() -> None:
    counts = ObservationCounts()
    counts.accept("notes", Priority.HIGH, 10)
    counts.accept("notes", Priority.HIGH, 1)
    counts.accept("notes", Priority.LOW, 5)
    counts.accept("other", Priority.HIGH, 100)
    counts.reject("notes", "not_finite", 3)
    counts.reject("notes", "lane_full", 4)
    samples = MetricSamples(counts.samples("notes"))
    assert samples.value(table.OBSERVATIONS, priority="high") == 11
    assert samples.value(table.OBSERVATIONS, priority="normal") == 0
    assert samples.value(table.OBSERVATIONS) == 16
    assert samples.value(table.OBSERVATIONS_REJECTED, reason="not_finite") == 3
    assert samples.value(table.OBSERVATIONS_REJECTED) == 7


def test_reasons_beyond_the_limit_count_as_other() -> None:
    counts = ObservationCounts()
    for number in range(3 * REASONS_MAX):
        counts.reject("notes", f"reason_{number}", 2)
    samples = MetricSamples(counts.samples("notes"))
    rejected = samples.select(table.OBSERVATIONS_REJECTED)
    assert len(rejected) == REASONS_MAX + 1
    assert samples.value(table.OBSERVATIONS_REJECTED) == 6 * REASONS_MAX
    assert samples.value(table.OBSERVATIONS_REJECTED, reason="other") > 0


def test_the_spaces_of_which_something_was_counted_are_known() -> None:
    counts = ObservationCounts()
    # Whoever looks at a space counts nothing.
    assert MetricSamples(counts.samples("quiet"))
    counts.accept("notes", Priority.HIGH, 10)
    counts.reject("other", "lane_full", 1)
    counts.reject(NO_SPACE, "not_found", 2)
    assert counts.names() == [NO_SPACE, "notes", "other"]


def test_what_is_of_no_space_can_only_be_refused() -> None:
    counts = ObservationCounts()
    counts.reject(NO_SPACE, "not_found", 2)
    assert {sample.name for sample in counts.samples(NO_SPACE)} == {table.OBSERVATIONS_REJECTED.name}
