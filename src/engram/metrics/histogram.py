"""Histograms: values counted by their size."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import Final

from engram.metrics.family import MetricFamily
from engram.metrics.sample import MetricSample


class Histogram:
    """The values of one histogram, for one set of label values. One thread adds to it; any thread may read it.

    Parameters
    ----------
    family
        The description, which has the bounds.
    label_values
        Values of the labels, in the order of ``family.labels``.
    """

    __slots__ = ("_bounds", "_buckets", "_counts", "_labels", "_names", "_sum")

    def __init__(self, family: MetricFamily, *label_values: str) -> None:
        self._bounds: Final = family.bounds
        self._names: Final = family.sample_names
        self._labels: Final = family.labelled(*label_values)
        # A reader of OpenMetrics takes a bound for another one if it is not written as a float.
        bounds = [*(repr(float(bound)) for bound in family.bounds), "+Inf"]
        self._buckets: Final = [{**self._labels, "le": bound} for bound in bounds]
        self._counts: Final = [0] * len(bounds)
        self._sum = 0.0

    def add(self, value: float, count: int = 1) -> None:
        """Count `value`, as often as `count` says."""
        self._counts[bisect_left(self._bounds, value)] += count
        self._sum += value * count

    def samples(self) -> Iterator[MetricSample]:
        """Yield the count of values up to each bound, the count of all, and their sum."""
        bucket, count, total = self._names
        # Copied first, so that the count of all is that of the buckets whatever is added meanwhile.
        counts = list(accumulate(self._counts.copy()))
        for labels, value in zip(self._buckets, counts, strict=True):
            yield MetricSample(bucket, value, labels)
        yield MetricSample(count, counts[-1], self._labels)
        yield MetricSample(total, self._sum, self._labels)
