"""The spaces that could not be opened: the error and the problem of each."""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Iterator
from typing import Final

from engram.errors import EngramError, Unavailable
from engram.metrics import table
from engram.metrics.health import Problem, severity
from engram.metrics.sample import MetricSample
from engram.model.times import now_us
from engram.store.health.problem_kinds import NOT_OPENED

logger: logging.Logger = logging.getLogger(__name__)


class UnsoundSpaces:
    """The spaces that could not be opened when that was last tried. Any thread may use it.

    Attributes
    ----------
    errors
        Why each could not be opened, by name.
    """

    def __init__(self) -> None:
        self.errors: Final[dict[str, EngramError]] = {}
        self._problems: dict[str, Problem] = {}
        self._guard = threading.Lock()

    def __contains__(self, name: str) -> bool:
        return name in self.errors

    def names(self) -> list[str]:
        """Return the names of the spaces."""
        with self._guard:
            return list(self.errors)

    def refuse(self, name: str, error: EngramError) -> None:
        """Note that a space could not be opened; each kind of error of a space is logged once."""
        with self._guard:
            is_new = name not in self.errors or self.errors[name].code != error.code
            since_us = self._problems[name].since_us if name in self._problems else now_us()
            problem = Problem(NOT_OPENED.name, name, NOT_OPENED.level, since_us, error.message, NOT_OPENED.advice)
            self.errors[name], self._problems[name] = error, problem
        if is_new:
            logger.error("space %s is not served: %s", name, error, extra={"space": name})

    def forget(self, name: str) -> None:
        """Note that a space has been opened after all."""
        with self._guard:
            was_refused = self.errors.pop(name, None) is not None
            self._problems.pop(name, None)
        if was_refused:
            logger.warning("space %s is served again", name, extra={"space": name})

    def passing_names(self) -> list[str]:
        """Return the names of the spaces that may be opened by now, because nothing was found to be damaged."""
        with self._guard:
            return [name for name, error in self.errors.items() if isinstance(error, Unavailable)]

    def leave(self, name: str) -> None:
        """Forget a space that has been dropped."""
        with self._guard:
            self.errors.pop(name, None)
            self._problems.pop(name, None)

    def check(self, name: str) -> None:
        """Raise why a space could not be opened, unless that may have passed."""
        error = self.errors.get(name)
        if error is not None and not isinstance(error, Unavailable):
            # Each caller raises its own copy, because raising modifies the exception.
            raise copy.copy(error)

    def problems(self) -> tuple[Problem, ...]:
        """Return the problem of each space, in the order of their names."""
        with self._guard:
            present = list(self._problems.values())
        return tuple(sorted(present, key=lambda problem: problem.space))

    def samples(self) -> Iterator[MetricSample]:
        """Yield the metrics of the spaces."""
        yield table.UNSOUND_SPACES.sample(len(self.errors))
        for problem in self.problems():
            yield table.HEALTH.sample(severity(problem.level), problem.space)
            yield table.PROBLEM.sample(severity(problem.level), problem.space, problem.name)
