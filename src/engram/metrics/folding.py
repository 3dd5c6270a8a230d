"""Folding: of very many spaces, only some have metrics of their own where each value costs somebody else memory."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Final

from engram.metrics.family import MetricFamily, MetricKind
from engram.metrics.sample import MetricSample
from engram.metrics.samples import MetricSamples
from engram.metrics.table import RECALL_AT_K, TABLE

OTHER: Final = "other"
"""The name under which the remaining spaces are folded, and with them a space that has this name itself."""

SPACES_MAX: Final = 100

_LABEL: Final = "memory_space"
# Of other gauges, the sum is what all of these spaces have.
_UNITS_OF_MAXIMA: Final = frozenset({"ratio", "level", "seconds"})
# Here the smallest is the worst.
_MINIMA: Final = frozenset({RECALL_AT_K.name})

_Combine = Callable[[float, float], float]


class Folding:
    """Folds the samples of all spaces but the first `spaces_max` ones that were seen.

    A space stays where it is as long as the object lives, so that no counter goes down. Counters and gauges of the
    other spaces are added up; of fills, levels and ages, the largest is taken, and of recall@k the smallest.

    Parameters
    ----------
    spaces_max
        Number of spaces that keep samples of their own.
    """

    def __init__(self, spaces_max: int = SPACES_MAX) -> None:
        self._spaces_max = spaces_max
        self._kept: Final[set[str]] = set()
        self._combine: Final = {family.name: _combination(family) for family in TABLE}

    def fold(self, samples: Iterable[MetricSample]) -> MetricSamples:
        """Return `samples`, with those of the other spaces folded."""
        own: list[MetricSample] = []
        folded: dict[tuple[str, ...], MetricSample] = {}
        for sample in samples:
            space = sample.labels.get(_LABEL, "")
            if not space or self._keeps(space):
                own.append(sample)
                continue
            labels = {**sample.labels, _LABEL: OTHER}
            key = (sample.name, *labels.values())
            before = folded.get(key)
            value = sample.value
            if before is not None:
                value = self._combine[sample.name](value, before.value)
            folded[key] = MetricSample(sample.name, value, labels)
        return MetricSamples([*own, *folded.values()])

    def _keeps(self, space: str) -> bool:
        if space in self._kept:
            return True
        if space == OTHER or len(self._kept) >= self._spaces_max:
            return False
        self._kept.add(space)
        return True


def _combination(family: MetricFamily) -> _Combine:
    if family.name in _MINIMA:
        return min
    is_maximum = family.kind is MetricKind.GAUGE and family.unit in _UNITS_OF_MAXIMA
    return max if is_maximum else operator.add
