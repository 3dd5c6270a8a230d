"""One value of a metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class MetricSample:
    """The value of a metric for one set of label values.

    Parameters
    ----------
    name
        Name of the metric, as in `engram.metrics.table`. A newer server may send names that this version does not know.
    value
        The value, in the unit of the metric.
    labels
        Values of the labels, by name.
    """

    name: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
