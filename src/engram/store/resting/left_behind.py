"""What spaces leave behind when they come to rest, and find again when they are opened."""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple
from weakref import WeakValueDictionary

from engram.log.damage import Damages
from engram.metrics import table
from engram.metrics.health import Problem, health_of, severity
from engram.metrics.sample import MetricSample
from engram.store.health.problem_kinds import DAMAGED, ERASURE_FAILED, LOG_COMPACTION_FAILED, OF_LOG, SCRUB_FAILED
from engram.store.indexing.attempt import Attempt
from engram.store.resting.counters_at_rest import CountersAtRest
from engram.store.resting.seen_erasures import SpaceErasures
from engram.store.scans.leases import Leases

if TYPE_CHECKING:
    from engram.store.age_clock import AgeClock
    from engram.store.space_engine import SpaceEngine

# The others end with the open files: what failed is done, or tried again, by the next opening. What a compaction could
# not drop takes its room on the disk, whether the space is open or not. Why a log takes no writes is told until it has
# been read again.
_LASTING: Final = (DAMAGED.name, SCRUB_FAILED.name, LOG_COMPACTION_FAILED.name, ERASURE_FAILED.name, *OF_LOG)


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
    unfinished
        The last attempt to compact the log or to erase something, if that is to go on while the space rests; else None.
    """

    damages: Damages
    problems: tuple[Problem, ...]
    leases: Leases
    unfinished: Attempt | None

    @property
    def is_due(self) -> bool:
        """Whether what is not finished is to go on now: at once, or a while after it failed."""
        attempt = self.unfinished
        return attempt is not None and (attempt.failure is None or attempt.is_due_again)

    def renamed(self, name: str) -> Left:
        """Return the same of the space under its new name."""
        problems = tuple(problem._replace(space=name) for problem in self.problems)
        return self._replace(damages=self.damages.renamed(name), problems=problems)


class LeftBehind:
    """What the spaces that rest have left, by name. Any thread may use it.

    Besides its counters, nothing is kept of a space that is sound and not being scanned.

    Attributes
    ----------
    counters
        The counters of the spaces.
    """

    def __init__(self) -> None:
        self.counters: Final = CountersAtRest()
        self._left: dict[str, Left] = {}
        # Kept by the engines, those that rest and are still being read among them.
        self._erasures: WeakValueDictionary[str, SpaceErasures] = WeakValueDictionary()

    def note(self, space: SpaceEngine) -> None:
        """Keep what a space leaves that has come to rest. Of its problems, those are kept that it has also at rest."""
        problems = tuple(problem for problem in space.health.problems.all() if problem.name in _LASTING)
        self.counters.note(space.config.name, space.counters())
        left = Left(space.damages, problems, space.retention.leases, space.unfinished)
        if left.damages.count or left.problems or left.unfinished is not None or left.leases.generations():
            self._left[space.config.name] = left

    def hand_to(self, space: SpaceEngine, clock: AgeClock) -> None:
        """Hand to a space that was opened what it left, besides its damage, before anybody uses it.

        Parameters
        ----------
        clock
            Judges ages; it knows what the time of day did while the space rested.
        """
        name = space.config.name
        left, counted, erasures = self._left.get(name), self.counters.of(name), self._erasures.get(name)
        if erasures is None:
            erasures = self._erasures[name] = SpaceErasures()
        if left is None:
            space.retention.go_on(clock, None)
            space.go_on(erasures, counted)
        else:
            space.retention.go_on(clock, left.leases)
            space.go_on(erasures, counted, left.problems, left.unfinished)

    def due_names(self) -> list[str]:
        """Return the names of the spaces in which a compaction or an erasure is to go on now."""
        return [name for name, left in list(self._left.items()) if left.is_due]

    def damages_of(self, name: str) -> Damages | None:
        """Return the damage that was found in a space before it came to rest; None for none."""
        left = self._left.get(name)
        return None if left is None else left.damages

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

    def leave(self, name: str, space: SpaceEngine | None) -> None:
        """Forget all that a space left that has been dropped; `space` is its engine, closed by now, if it was open."""
        if space is not None:
            self.counters.note(name, space.counters())
        self.counters.leave(name)
        self._left.pop(name, None)
        self._erasures.pop(name, None)

    def rename(self, old: str, new: str, space: SpaceEngine | None) -> None:
        """Keep under its new name what a space left that has been renamed, but for its counters, which begin anew.

        Parameters
        ----------
        space
            Its engine under the old name, closed by now, if it was open.
        """
        if space is not None:
            self.note(space)
        left, erasures = self._left.get(old), self._erasures.get(old)
        self.leave(old, None)
        if left is not None:
            self._left[new] = left.renamed(new)
        if erasures is not None:
            self._erasures[new] = erasures

    def damages(self) -> list[Damages]:
        """Return the damage of each space that rests."""
        return [left.damages for left in list(self._left.values())]

    def problems(self) -> tuple[Problem, ...]:
        """Return the problems of all spaces that rest, in the order of their names."""
        return tuple(problem for _, left in sorted(self._left.items()) for problem in left.problems)

    def samples(self, open_names: Container[str], refused: Container[str]) -> Iterator[MetricSample]:
        """Yield the counters of the spaces that rest, and the health of those that have problems.

        Parameters
        ----------
        open_names
            Names of the spaces that tell all of this themselves.
        refused
            Names of the spaces that cannot be opened, which is their level of health.
        """
        yield from self.counters.samples(open_names)
        for name, left in list(self._left.items()):
            if name in open_names:
                continue
            if left.damages.count:
                yield table.DAMAGED_PLACES.sample(left.damages.count, name)
            if left.problems and name not in refused:
                yield table.HEALTH.sample(severity(health_of(left.problems)), name)
            for problem in left.problems:
                yield table.PROBLEM.sample(severity(problem.level), name, problem.name)
