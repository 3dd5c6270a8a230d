"""Descriptions of metrics. A metric with all its label values is a family, as in Prometheus."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from engram.metrics.sample import MetricSample


class MetricKind(Enum):
    """How the values of a metric move.

    A counter only goes up while the process runs, a gauge moves both ways. A histogram counts values by their size,
    as counters: those up to each bound, all of them, and their sum.
    """

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class MetricGroup(Enum):
    """What a metric is about. The metrics of one group have the same first label, but for the distributions."""

    TRAFFIC = "Traffic"
    SERVER = "Server"
    PRESSURE = "Pressure"
    QUEUE = "Queue"
    WORKERS = "Index workers"
    SPACES = "Spaces"
    HEALTH = "Health"
    DISTRIBUTIONS = "Distributions"
    BUILD = "Build"


# Families are compared by identity, so that a family is a quick key of a dictionary.
@dataclass(frozen=True, slots=True, eq=False)
class MetricFamily:
    """The description of one metric.

    Parameters
    ----------
    name
        Name after the conventions of Prometheus: a base unit comes last, and behind it ``_total`` for a counter.
    kind
        Counter, gauge or histogram.
    group
        What the metric is about.
    unit
        What the values count, such as ``"observations"``; or ``"bytes"``, ``"seconds"`` or ``"ratio"``.
    title
        Short name in the tables of ``engram status``; empty for a metric that they leave out.
    meaning
        What the values say, in one or two sentences.
    labels
        Names of the labels, without the ``le`` of a histogram.
    bounds
        Upper bounds of a histogram's buckets, rising and inclusive. One more bucket takes what is above the last.
    """

    name: str
    kind: MetricKind
    group: MetricGroup
    unit: str
    title: str
    meaning: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()

    @property
    def sample_names(self) -> tuple[str, ...]:
        """The names that the samples of the metric have."""
        if self.kind is not MetricKind.HISTOGRAM:
            return (self.name,)
        return (f"{self.name}_bucket", f"{self.name}_count", f"{self.name}_sum")

    def sample(self, value: float, *label_values: str) -> MetricSample:
        """Return `value` for these values of the labels, given in the order of `labels`.

        Raises
        ------
        ValueError
            If there are more or fewer of them than labels.
        """
        return MetricSample(self.name, value, self.labelled(*label_values))

    def labelled(self, *label_values: str) -> dict[str, str]:
        """Return these values of the labels by name.

        Raises
        ------
        ValueError
            If there are more or fewer of them than labels.
        """
        return dict(zip(self.labels, label_values, strict=True))
