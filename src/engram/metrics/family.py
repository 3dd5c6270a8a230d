"""Descriptions of metrics. A metric with all its label values is a family, as in Prometheus."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from engram.metrics.sample import MetricSample


class MetricKind(Enum):
    """How the values of a metric move: a counter only goes up while the process runs, a gauge moves both ways."""

    COUNTER = "counter"
    GAUGE = "gauge"


class MetricGroup(Enum):
    """What a metric is about. The metrics of one group have the same first label."""

    TRAFFIC = "Traffic"
    SERVER = "Server"
    QUEUE = "Queue"
    WORKERS = "Index workers"
    SPACES = "Spaces"


# Families are compared by identity, so that a family is a quick key of a dictionary.
@dataclass(frozen=True, slots=True, eq=False)
class MetricFamily:
    """The description of one metric.

    Parameters
    ----------
    name
        Name after the conventions of Prometheus: a base unit comes last, and behind it ``_total`` for a counter.
    kind
        Counter or gauge.
    group
        What the metric is about.
    unit
        What the values count, such as ``"observations"``; or ``"bytes"``, ``"seconds"`` or ``"ratio"``.
    title
        Short name in the tables of ``engram status``; empty for a metric that they leave out.
    meaning
        What the values say, in one or two sentences.
    labels
        Names of the labels.
    """

    name: str
    kind: MetricKind
    group: MetricGroup
    unit: str
    title: str
    meaning: str
    labels: tuple[str, ...] = ()

    def sample(self, value: float, *label_values: str) -> MetricSample:
        """Return `value` for these values of the labels, given in the order of `labels`.

        Raises
        ------
        ValueError
            If there are more or fewer of them than labels.
        """
        return MetricSample(self.name, value, dict(zip(self.labels, label_values, strict=True)))
