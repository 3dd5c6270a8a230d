"""Counts of the observations that a server accepted and refused, for each space."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engram.metrics import table
from engram.metrics.sample import MetricSample
from engram.model.priority import Priority

NO_SPACE: Final = ""
"""Stands for the spaces that do not exist: whoever calls can name any number of them."""

REASONS_MAX: Final = 64
"""Reasons that are told apart in a space; those beyond them count as ``other``."""

_OTHER: Final = "other"
# What overload answers. Whoever watches a counter sees its first step only if its series was there before.
_EXPECTED: Final = ("backpressure", "overloaded", "lane_full")


class ObservationCounts:
    """How many observations of each space were accepted, and refused, since the start of a server.

    Used on the event loop's thread only. A whole batch is counted at once.
    """

    def __init__(self) -> None:
        self._accepted: Final[dict[str, dict[Priority, int]]] = {}
        self._rejected: Final[dict[str, dict[str, int]]] = {}

    def accept(self, space: str, priority: Priority, count: int) -> None:
        """Count observations that were acknowledged as durable."""
        self._accepted_in(space)[priority] += count

    def reject(self, space: str, reason: str, count: int) -> None:
        """Count observations that were refused with an error whose code is `reason`."""
        rejected = self._rejected_in(space)
        if reason not in rejected and len(rejected) >= REASONS_MAX:
            reason = _OTHER
        rejected[reason] = rejected.get(reason, 0) + count

    def names(self) -> list[str]:
        """Return the names of the spaces of which something was counted, `NO_SPACE` among them; sorted."""
        accepted = {name for name, counts in self._accepted.items() if any(counts.values())}
        rejected = {name for name, counts in self._rejected.items() if any(counts.values())}
        return sorted(accepted | rejected)

    def forget(self, space: str) -> None:
        """Forget the counts of a space that has been dropped or renamed."""
        self._accepted.pop(space, None)
        self._rejected.pop(space, None)

    def samples(self, space: str) -> Iterator[MetricSample]:
        """Yield the counts of one space. There are some for a space of which nothing has been counted yet."""
        if space != NO_SPACE:
            for priority, count in self._accepted_in(space).items():
                yield table.OBSERVATIONS.sample(count, space, priority.name.lower())
        for reason, count in self._rejected_in(space).items():
            yield table.OBSERVATIONS_REJECTED.sample(count, space, reason)

    def _accepted_in(self, space: str) -> dict[Priority, int]:
        return self._accepted.get(space) or self._accepted.setdefault(space, dict.fromkeys(Priority, 0))

    def _rejected_in(self, space: str) -> dict[str, int]:
        return self._rejected.get(space) or self._rejected.setdefault(space, dict.fromkeys(_EXPECTED, 0))
