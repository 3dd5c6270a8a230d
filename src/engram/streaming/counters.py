"""Counters of the traffic of a server since its start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engram.metrics.family import MetricFamily, MetricGroup
from engram.metrics.sample import MetricSample
from engram.metrics.table import TABLE
from engram.streaming.observation_counts import ObservationCounts


class Counters:
    """The values of all metrics of the group `MetricGroup.TRAFFIC`, and the counts of observations, from zero.

    Only the event loop's thread changes them; any thread may read `value`.
    """

    def __init__(self) -> None:
        self.observations: Final = ObservationCounts()
        self._values = {family: 0 for family in TABLE if family.group is MetricGroup.TRAFFIC}

    def add(self, family: MetricFamily, amount: int = 1) -> None:
        """Add `amount` to the value of `family`.

        Raises
        ------
        KeyError
            If the family is of another group.
        """
        self._values[family] += amount

    def value(self, family: MetricFamily) -> int:
        """Return the value of `family`."""
        return self._values[family]

    def samples(self) -> Iterator[MetricSample]:
        """Yield every value of the traffic; those about the observations of a space are in `observations`."""
        for family, value in self._values.items():
            yield family.sample(value)
