"""The differences between two readings of the metrics of a server."""

from __future__ import annotations

import math
from dataclasses import dataclass

from engram.metrics.family import MetricFamily
from engram.metrics.samples import MetricSamples


@dataclass(frozen=True, slots=True)
class MetricChanges:
    """Two readings of metrics, and the time between them.

    Parameters
    ----------
    before, after
        The readings.
    seconds
        Time between them, above 0.
    """

    before: MetricSamples
    after: MetricSamples
    seconds: float

    def now(self, metric: MetricFamily | str, **labels: str) -> float:
        """Return the newer value of a gauge, summed over its labels; 0 if it has none."""
        return _total(self.after, metric, labels)

    def rate(self, metric: MetricFamily | str, **labels: str) -> float:
        """Return the increase of a counter per second, summed over its labels."""
        return _increase(_total(self.before, metric, labels), _total(self.after, metric, labels)) / self.seconds

    def quantile(self, share: float, histogram: MetricFamily, **labels: str) -> float | None:
        """Return a quantile of what a histogram counted between the readings, interpolated as Prometheus does.

        None if nothing was counted, or if the server has no such histogram.

        Parameters
        ----------
        share
            Which quantile, from 0 to 1.
        histogram
            The description of the histogram.
        labels
            Labels to select by.
        """
        counts: dict[float, float] = {}
        for sample in self.after.select(f"{histogram.name}_bucket", **labels):
            bound = sample.labels.get("le", "")
            before = _total(self.before, sample.name, {**labels, "le": bound})
            after = _total(self.after, sample.name, {**labels, "le": bound})
            counts[float(bound)] = _increase(before, after)
        return _interpolated(share, sorted(counts.items()))


def _interpolated(share: float, buckets: list[tuple[float, float]]) -> float | None:
    """Return a quantile of cumulative buckets, given as upper bounds and counts; the last bound is infinite."""
    if not buckets or not buckets[-1][1]:
        return None
    rank = share * buckets[-1][1]
    low, below = 0.0, 0.0
    for bound, count in buckets:
        if count >= rank:
            # What is above the last finite bound has no upper one to interpolate to.
            return low if math.isinf(bound) else low + (bound - low) * (rank - below) / max(count - below, 1e-9)
        low, below = bound, count
    return low


def _total(metrics: MetricSamples, metric: MetricFamily | str, labels: dict[str, str]) -> float:
    return sum(sample.value for sample in metrics.select(metric, **labels))


def _increase(before: float, after: float) -> float:
    # A server that was restarted counts from 0 again.
    return after - before if after >= before else after
