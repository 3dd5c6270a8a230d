"""The counters of the spaces that have rested, which go on where they were when the spaces are opened again."""

from __future__ import annotations

import threading
from collections.abc import Container, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from engram.metrics import table
from engram.metrics.family import MetricGroup, MetricKind
from engram.metrics.sample import MetricSample

# Damage is kept with the space, and told of it, also while it rests.
_NAMES: Final = frozenset(
    family.name
    for family in table.TABLE
    if family.kind is MetricKind.COUNTER and family.group is MetricGroup.SPACES and family is not table.DAMAGED_PLACES
)
_NOTHING: Final[Mapping[str, float]] = MappingProxyType({})


class CountersAtRest:
    """The values of the counters of each space as of its last rest. Any thread may use it.

    They stay when the space is opened, so that a reader who lists the open spaces a moment earlier finds them, and no
    counter ever goes down.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._values: dict[str, Mapping[str, float]] = {}
        # The sums over the spaces that have left.
        self._of_gone: dict[str, float] = {}

    def note(self, name: str, samples: Iterable[MetricSample]) -> None:
        """Keep the counters among the metrics of a space that comes to rest, as far as they are not 0."""
        values = {sample.name: sample.value for sample in samples if sample.name in _NAMES and sample.value}
        if values:
            self._values[name] = values

    def leave(self, name: str) -> None:
        """Forget a space that is not called `name` any more; what it counted stays in the totals."""
        with self._guard:
            for metric, value in self._values.pop(name, _NOTHING).items():
                self._of_gone[metric] = self._of_gone.get(metric, 0) + value

    def of(self, name: str) -> Mapping[str, float]:
        """Return the values of a space, by the names of the metrics."""
        return self._values.get(name, _NOTHING)

    def total(self, metric: str, open_names: Container[str]) -> float:
        """Return the sum of a metric over all spaces but the open ones, which tell it themselves.

        Spaces that have been dropped are among them.
        """
        with self._guard:
            known, of_gone = list(self._values.items()), self._of_gone.get(metric, 0)
        return of_gone + sum(values.get(metric, 0) for name, values in known if name not in open_names)

    def samples(self, open_names: Container[str]) -> Iterator[MetricSample]:
        """Yield the counters of all spaces but the open ones, which yield them themselves."""
        for name, values in list(self._values.items()):
            if name not in open_names:
                for metric, value in values.items():
                    yield MetricSample(metric, value, table.COMMITS.labelled(name))
