"""What spaces leave behind when they come to rest, and find again when they are opened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from engram.log.damage import Damages
from engram.metrics import table
from engram.metrics.health import Problem, health_of, severity
from engram.metrics.sample import MetricSample
from engram.store.health.problem_kinds import DAMAGED, ERASURE_FAILED, LOG_COMPACTION_FAILED, SCRUB_FAILED
from engram.store.scans.leases import Leases

# The others end with the open files: what failed is done, or tried again, by the next opening. What a compaction could
# not drop takes its room on the disk, whether the space is open or not.
_LASTING = (DAMAGED.name, SCRUB_FAILED.name, LOG_COMPACTION_FAILED.name, ERASURE_FAILED.name)


class Left(NamedTuple):
    """What one space left.

    Parameters
    ----------
    damages
        The damage that was found in it.
    problems
        The problems that it has also at rest.
    leases
        The generations that scans hold between their pages.
    """

    damages: Damages
    problems: tuple[Problem, ...]
    leases: Leases


class LeftBehind:
    """What the spaces that rest have left, by name. Nothing is kept of a space that is sound and not being scanned.

    Any thread may use it.
    """

    def __init__(self) -> None:
        self._left: dict[str, Left] = {}

    def note(self, name: str, damages: Damages, problems: tuple[Problem, ...], leases: Leases) -> None:
        """Keep what a space leaves that has come to rest. Of its problems, those are kept that it has also at rest."""
        left = Left(damages, tuple(problem for problem in problems if problem.name in _LASTING), leases)
        if damages.count or left.problems or leases.generations():
            self._left[name] = left

    def of(self, name: str) -> Left | None:
        """Return what a space left; None for nothing."""
        return self._left.get(name)

    def problems_of(self, name: str) -> tuple[Problem, ...]:
        """Return the problems that a space has at rest."""
        left = self._left.get(name)
        return () if left is None else left.problems

    def damaged_count_of(self, name: str) -> int:
        """Return the number of damaged places that were found in a space before it came to rest."""
        left = self._left.get(name)
        return 0 if left is None else left.damages.count

    def forget(self, name: str) -> None:
        """Forget what a space left, which is open and says it itself."""
        self._left.pop(name, None)

    def damages(self) -> list[Damages]:
        """Return the damage of each space that rests."""
        return [left.damages for left in list(self._left.values())]

    def problems(self) -> tuple[Problem, ...]:
        """Return the problems of all spaces that rest, in the order of their names."""
        return tuple(problem for _, left in sorted(self._left.items()) for problem in left.problems)

    def samples(self) -> Iterator[MetricSample]:
        """Yield the metrics of the spaces that rest and have problems."""
        for name, left in list(self._left.items()):
            if left.damages.count:
                yield table.DAMAGED_PLACES.sample(left.damages.count, name)
            if left.problems:
                yield table.HEALTH.sample(severity(health_of(left.problems)), name)
            for problem in left.problems:
                yield table.PROBLEM.sample(severity(problem.level), name, problem.name)
