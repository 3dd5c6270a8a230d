"""The spaces of a store: those that are open, those that are being created, and those that cannot be opened."""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from typing import Final

from engram.errors import CorruptData, EngramError, FailedPrecondition, NotFound, Unavailable
from engram.metrics import table
from engram.metrics.health import Problem, severity
from engram.metrics.sample import MetricSample
from engram.model.limits import DIMENSION_DEFAULT
from engram.model.spaces import DEFAULT_SPACE, METRIC_DEFAULT, Metric, SpaceConfig, check_settings_of
from engram.model.times import now_us
from engram.store.health.problem_kinds import NOT_OPENED
from engram.store.space_catalog import SpaceCatalog, StoredSpace
from engram.store.space_engine import SpaceEngine
from engram.text import get_embedder

# A creation takes milliseconds, or as long as its embedder takes to load.
_RETRY_AFTER_MS: Final = 200
logger: logging.Logger = logging.getLogger(__name__)


class SpaceTable:
    """Finds spaces by name and creates new ones. Any thread may call any method.

    Parameters
    ----------
    catalogue
        The catalogue of the stored spaces.
    open_space
        Opens a stored space.

    Attributes
    ----------
    unsound
        Errors of the spaces that could not be opened, by name.
    """

    def __init__(self, catalogue: SpaceCatalog, open_space: Callable[[StoredSpace], SpaceEngine]) -> None:
        self.unsound: Final[dict[str, EngramError]] = {}
        self._not_opened: list[Problem] = []
        self._catalogue = catalogue
        self._open_space = open_space
        # By name. The future of a space that is being opened keeps other threads from opening it too.
        self._spaces: dict[str, Future[SpaceEngine]] = {}
        self._guard = threading.Lock()
        self._closed = False

    def load(self) -> None:
        """Open every stored space that can be opened; record the errors of the others in `unsound`."""
        stored, unsound = self._catalogue.load()
        self.unsound.update(unsound)
        for one in stored:
            opened: Future[SpaceEngine] = Future()
            try:
                opened.set_result(self._open_space(one))
            except EngramError as error:
                self.unsound[one.config.name] = error
            except Exception as error:
                logger.exception("space %s cannot be opened", one.config.name)
                self.unsound[one.config.name] = CorruptData(
                    f"space {one.config.name} cannot be opened: {error!r}", field="space", value=one.config.name
                )
            else:
                self._spaces[one.config.name] = opened
        since_us = now_us()
        for name, reason in self.unsound.items():
            self._not_opened.append(
                Problem(NOT_OPENED.name, name, NOT_OPENED.level, since_us, reason.message, NOT_OPENED.advice)
            )
            logger.error("space %s is not served: %s", name, reason, extra={"space": name})

    def all(self) -> list[SpaceEngine]:
        """Return the open spaces in the order of their names."""
        with self._guard:
            opened = sorted(self._spaces.items())
        return [future.result() for _, future in opened if future.done() and future.exception() is None]

    def samples(self) -> Iterator[MetricSample]:
        """Yield the metrics of the spaces that cannot be used, and of the list of spaces."""
        yield table.UNSOUND_SPACES.sample(len(self.unsound))
        for problem in self._not_opened:
            yield table.HEALTH.sample(severity(problem.level), problem.space)
            yield table.PROBLEM.sample(severity(problem.level), problem.space, problem.name)
        yield table.DAMAGED_PLACES.sample(self._catalogue.damages.count, self._catalogue.damages.space)

    def problems(self) -> tuple[Problem, ...]:
        """Return the problems of the spaces that could not be opened, in the order of their names."""
        return tuple(sorted(self._not_opened, key=lambda problem: problem.space))

    def get(
        self, name: str, dim: int | None, metric: Metric | None, embedder: str | None, *, create: bool, wait: bool
    ) -> SpaceEngine:
        """Return the space called `name`, created if that is allowed; see `MemoryStore.space`.

        A space that another thread is creating is waited for, with `wait`; otherwise it is `Unavailable` for now.
        """
        if not create and (dim, metric, embedder) == (None, None, None) and self._is_known(name):
            # What every call on a server asks for. Nothing is left to check.
            return _result(name, self._find(name, create=False)[0], wait)
        # All arguments are checked before anything is looked up or written, even those that an existing space would
        # ignore.
        config = _asked_for(name, dim, metric, embedder)
        opened, is_mine = self._find(name, create or name == DEFAULT_SPACE)
        if is_mine:
            try:
                opened.set_result(self._create(config))
            except BaseException as error:
                with self._guard:
                    del self._spaces[name]
                opened.set_exception(error)
        space = _result(name, opened, wait)
        check_settings_of(space.config, dim, metric, embedder)
        return space

    def close(self) -> None:
        """Refuse to open or create further spaces; return when no thread is doing so any more."""
        with self._guard:
            self._closed = True
        wait(list(self._spaces.values()))

    def _is_known(self, name: object) -> bool:
        return type(name) is str and name in self._spaces

    def _find(self, name: str, create: bool) -> tuple[Future[SpaceEngine], bool]:
        """Return the future of a space, and whether the caller must open it."""
        with self._guard:
            if self._closed:
                raise FailedPrecondition("the store is closed", code="closed")
            opened = self._spaces.get(name)
            if opened is not None:
                return opened, False
            if name in self.unsound:
                # Each caller raises its own copy, because raising modifies the exception.
                raise copy.copy(self.unsound[name])
            if not create:
                raise NotFound(f"there is no space {name!r}", code="unknown_space", field="space", value=name)
            self._spaces[name] = opened = Future()
            return opened, True

    def _create(self, config: SpaceConfig) -> SpaceEngine:
        if config.embedder:
            # An embedder that is unknown here, or does not fit the dimension, must not be recorded permanently.
            get_embedder(config.embedder, config.dim)
        return self._open_space(self._catalogue.add(config))


def _result(name: str, opened: Future[SpaceEngine], wait: bool) -> SpaceEngine:
    if not wait and not opened.done():
        raise Unavailable(
            f"space {name!r} is being created; try again in a moment",
            code="being_created",
            field="space",
            value=name,
            retry_after_ms=_RETRY_AFTER_MS,
        )
    return opened.result()


def _asked_for(name: str, dim: int | None, metric: Metric | None, embedder: str | None) -> SpaceConfig:
    return SpaceConfig(
        name,
        DIMENSION_DEFAULT if dim is None else dim,
        METRIC_DEFAULT if metric is None else metric,
        "" if embedder is None else embedder,
    )
