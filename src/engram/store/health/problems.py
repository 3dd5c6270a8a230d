"""The problems that a space or a store has now: each is logged once when it begins and once when it ends."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from engram.metrics import table
from engram.metrics.health import FAILED, Problem, health_of, severity
from engram.metrics.sample import MetricSample
from engram.model.times import now_us
from engram.store.health.problem_kinds import ProblemKind

logger: logging.Logger = logging.getLogger(__name__)


class Problems:
    """The present problems of one space, or of a store. Any thread may call the methods.

    There is at most one problem of each kind.

    Parameters
    ----------
    space
        Name of the space; empty for the store as a whole.
    clock
        Returns the time in microseconds since 1970 UTC.
    """

    def __init__(self, space: str = "", clock: Callable[[], int] = now_us) -> None:
        self.space: Final = space
        self._clock = clock
        self._guard = threading.Lock()
        self._present: dict[str, Problem] = {}

    def set(self, kind: ProblemKind, message: str | None) -> None:
        """Note that there is a problem of `kind`, described by `message`; None: that there is none any more."""
        if message is None and kind.name not in self._present:
            return
        with self._guard:
            before = self._present.get(kind.name)
            if message is None:
                self._present.pop(kind.name, None)
            else:
                since_us = self._clock() if before is None else before.since_us
                problem = Problem(kind.name, self.space, kind.level, since_us, message, kind.advice)
                self._present[kind.name] = problem
        if message is None and before is not None:
            _log_end(before, self._clock())
        elif message is not None and before is None:
            _log_begin(problem)

    def go_on(self, problems: Iterable[Problem]) -> None:
        """Have problems that began before, and were logged then."""
        with self._guard:
            self._present |= {problem.name: problem for problem in problems}

    @property
    def are_none(self) -> bool:
        """Whether there is no problem."""
        return not self._present

    def has(self, kind: ProblemKind) -> bool:
        """Return whether there is a problem of `kind`."""
        return kind.name in self._present

    def all(self) -> tuple[Problem, ...]:
        """Return the problems, the worst first, and those of one level in the order of their beginning."""
        with self._guard:
            present = list(self._present.values())
        return tuple(sorted(present, key=lambda problem: (-severity(problem.level), problem.since_us, problem.name)))

    def samples(self) -> Iterator[MetricSample]:
        """Yield the metrics of the problems."""
        present = self.all()
        yield table.HEALTH.sample(severity(health_of(present)), self.space)
        for problem in present:
            yield table.PROBLEM.sample(severity(problem.level), self.space, problem.name)


def _log_begin(problem: Problem) -> None:
    level = logging.ERROR if problem.level == FAILED else logging.WARNING
    where = f"space {problem.space}" if problem.space else "the store"
    logger.log(
        level,
        "%s is %s (%s): %s. %s",
        where,
        problem.level,
        problem.name,
        problem.message.rstrip("."),
        problem.advice,
        extra={"space": problem.space} if problem.space else None,
    )


def _log_end(problem: Problem, now: int) -> None:
    where = f"space {problem.space}" if problem.space else "the store"
    seconds = max(0, now - problem.since_us) / 1e6
    logger.warning(
        "%s is no longer %s (%s), after %.0f s",
        where,
        problem.level,
        problem.name,
        seconds,
        extra={"space": problem.space} if problem.space else None,
    )
