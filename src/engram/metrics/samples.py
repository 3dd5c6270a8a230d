"""The values of many metrics, and how to find one among them."""

from __future__ import annotations

from typing import Final

from engram.metrics.family import MetricFamily
from engram.metrics.sample import MetricSample


class MetricSamples(tuple[MetricSample, ...]):
    """The values of many metrics. Each value is current, but they are not all of the same instant."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"MetricSamples({len(self)} samples)"

    def select(self, metric: MetricFamily | str, **labels: str) -> MetricSamples:
        """Return the samples of `metric`, a family or its name, that have these labels, and perhaps others."""
        name = metric if isinstance(metric, str) else metric.name
        return MetricSamples(
            sample for sample in self if sample.name == name and labels.items() <= sample.labels.items()
        )

    def value(self, metric: MetricFamily | str, **labels: str) -> float:
        """Return the sum of the samples that `select` finds.

        Raises
        ------
        KeyError
            If it finds none.
        """
        found = self.select(metric, **labels)
        if not found:
            raise KeyError(f"no value of {metric} with the labels {labels}")
        return sum(sample.value for sample in found)

    def split(self, label: str) -> dict[str, MetricSamples]:
        """Return the samples that have `label`, by its value."""
        parts: dict[str, list[MetricSample]] = {}
        for sample in self:
            if label in sample.labels:
                parts.setdefault(sample.labels[label], []).append(sample)
        return {value: MetricSamples(part) for value, part in parts.items()}


NO_METRICS: Final = MetricSamples()
