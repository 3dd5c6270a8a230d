"""`MemoryStore`: a directory of memory spaces, as its users see it; `engram.store.store_engine` is its inside."""

from __future__ import annotations

import os
import threading
import weakref
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from engram.errors import EngramError, FailedPrecondition, NotFound, StoreLocked
from engram.lifecycle.forking import check_process
from engram.lifecycle.opened_directories import Holding, OpenedDirectories
from engram.metrics.health import Problem, health_of
from engram.metrics.samples import MetricSamples
from engram.model.damage import Damage
from engram.model.operations.naming_errors import UNKNOWN_SPACE
from engram.model.spaces import DEFAULT_SPACE, Metric, SpaceConfig, Vectors
from engram.model.values.expiry import Ttl
from engram.model.values.scalars import as_flag
from engram.showing import in_short
from engram.store.directory import check_path
from engram.store.indexing.workers import WorkerStatistics
from engram.store.naming.space_names import SpaceNames
from engram.store.naming.space_naming import SpaceNaming
from engram.store.options import StoreOptions, check_options
from engram.store.resting.space_access import SpaceAccess
from engram.store.space import Space
from engram.store.space_engine import SpaceEngine
from engram.store.store_engine import StoreEngine

_DEFAULT_OPTIONS: Final = StoreOptions()
_PATH_CHARACTERS_MAX: Final = 150
_opened: Final[OpenedDirectories[StoreEngine]] = OpenedDirectories()


class MemoryStore(SpaceNames):
    """A store of memory spaces in one directory, which belongs to this process while the store is open.

    Opening a directory again in the same process gives the same store, whatever path leads to it, so that a cell of a
    notebook can be run again. Each `MemoryStore` is closed for itself; the last one closes the store and releases the
    directory. Until then, spaces of one that is closed stay usable.

    Any thread may call any method. One thread commits for all spaces, several index, one writes checkpoints, one
    matches standing recalls, one does housekeeping, and one settles the futures of `Space.submit`; `close` ends them
    all. A store that is not closed is closed when
    nothing references it any more, or when the interpreter ends. A forked child cannot use the store (code ``forked``),
    and closing it there does nothing.

    Parameters
    ----------
    path
        The data directory, created if it does not exist; None for a store in memory that ends with the process.
    options
        Settings of the store.
    read_only
        Whether to change nothing in the directory, which must exist. Several processes may read it at the same time,
        but not while another one writes.

    Raises
    ------
    InvalidInput, NotFound
        If the path is empty or is no path; if `read_only` is set and the path is not a data directory.
    StoreLocked
        If another process has the directory open, or a server or a command in this one; the message names the process
        id. If this process has it open with other options, or for reading only; `field` is the first that differs.
    NewerFormat
        If a newer version wrote the directory.
    Unavailable
        If the directory cannot be read or written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        *,
        options: StoreOptions = _DEFAULT_OPTIONS,
        read_only: bool = False,
    ) -> None:
        self._hold(_open(path, check_options(options), as_flag("read_only", read_only)))

    def _hold(self, holding: Holding[StoreEngine]) -> None:
        self._process = os.getpid()
        self._holding = holding
        self._engine = holding.what
        # One object for each space, so that the same name gives the same object. A space keeps its store open.
        self._spaces: weakref.WeakValueDictionary[str, Space] = weakref.WeakValueDictionary()
        self._guard = threading.Lock()

    def __repr__(self) -> str:
        return f"MemoryStore({None if self.path is None else in_short(str(self.path), _PATH_CHARACTERS_MAX)})"

    @property
    def path(self) -> Path | None:
        """Data directory; None for a store without one."""
        return self._engine.path

    @property
    def commits(self) -> int:
        """Number of group commits since the store was opened."""
        return self._engine.commits

    def metrics(self) -> MetricSamples:
        """Return the metrics of the store and of its spaces, which `engram.metrics.table` describes.

        Of spaces that rest, these are the counters, and the health of those that have problems.
        """
        return self._engine.metrics()

    def worker_statistics(self) -> tuple[WorkerStatistics, ...]:
        """Return what each index worker did since the store was opened."""
        return self._engine.worker_statistics()

    def space(
        self,
        name: str = DEFAULT_SPACE,
        dim: int | None = None,
        metric: Metric | None = None,
        embedder: str | None = None,
        create: bool | None = None,
        *,
        vectors: Vectors | None = None,
        ttl: Ttl | None = None,
    ) -> Space:
        """Return the space called `name`; with a setting, it is created if it does not exist.

        A name alone opens a space, and makes none, so that a misspelt one leaves nothing behind. ``default`` is created
        when it is opened so, unless `create` is False.

        Parameters
        ----------
        name
            ``[a-z0-9_-]{3,64}``, or an alias, which stands for its space.
        dim, metric, embedder
            Settings of a new space: by default 768, ``"cosine"`` and no embedder. An existing space must have them.
        create
            Whether to create the space if it does not exist; None: if a setting is passed, or it is ``default``.
        vectors
            A setting, too: whether observations have vectors, ``"required"`` by default, ``"optional"`` or ``"none"``.
            A space without vectors has no dimension.
        ttl
            A setting, too: after how many seconds, or which `timedelta`, an observation expires that does not say when
            it does; None: never, or whatever an existing space has. `Space.set_ttl` changes it.

        Raises
        ------
        InvalidInput
            If the name or a setting is not allowed.
        NotFound
            If the space does not exist and is not to be created; the message offers the name that is most like it. If
            the embedder is unknown.
        AlreadyExists
            If the space exists with other settings.
        FailedPrecondition, Unavailable
            If the store is closed; if the space cannot be written.
        EngramError
            The error in `unsound`, if the space could not be opened.
        """
        self._check_open()
        try:
            engine = self._engine.space(name, dim, metric, embedder, create, vectors=vectors, ttl=ttl)
        except NotFound as error:
            if error.code != UNKNOWN_SPACE:
                raise
            raise self._engine.naming.unknown(name, create) from None
        return self._face(engine.config, engine)

    def spaces(self) -> list[Space]:
        """Return all spaces that can be used, in the order of their names, without opening those that rest."""
        faces = {engine.config.name: self._face(engine.config, engine) for engine in self._engine.spaces()}
        for summary in self._engine.table.resting():
            faces.setdefault(summary.config.name, self._face(summary.config))
        return [faces[name] for name in sorted(faces)]

    @property
    def unsound(self) -> dict[str, EngramError]:
        """Errors of the spaces that could not be opened, by name. Other spaces are not affected."""
        return self._engine.unsound

    def damages(self) -> tuple[Damage, ...]:
        """Return the damage found since the store was opened, in the list of spaces and in each open space."""
        return self._engine.damages()

    @property
    def damaged_count(self) -> int:
        """Number of damaged places found since the store was opened, including those that `damages` does not name."""
        return self._engine.damaged_count

    def problems(self) -> tuple[Problem, ...]:
        """Return everything that is wrong now: with the store as a whole, with its spaces, and with those not opened.

        `Space.stats` tells those of one space.
        """
        of_spaces = (problem for engine in self._engine.spaces() for problem in engine.health.look())
        return (*self._engine.problems(), *of_spaces)

    @property
    def health(self) -> str:
        """``"ok"``, ``"degraded"`` or ``"failed"``: the level of the worst of `problems`."""
        return health_of(self.problems())

    def scrub(self) -> tuple[Damage, ...]:
        """Read and check everything stored, at full speed, and return all `damages`.

        Raises
        ------
        OverCapacity
            If some spaces could not be opened beside those that are in use. All others have been checked.
        FailedPrecondition
            If the store is closed, also if it is closed meanwhile: its files cannot be reached then.
        Unavailable
            If descriptors or memory are short, which says nothing about what is stored.
        """
        self._check_open()
        return self._engine.scrub()

    def checkpoint(self) -> None:
        """Save the linked part of every graph, so that the next start need not link it again.

        Raises
        ------
        FailedPrecondition, Unavailable
            If the store is closed; if a checkpoint cannot be written. The log has everything that is stored
            nevertheless.
        """
        self._check_open()
        self._engine.checkpoint()

    def close(self) -> None:
        """Commit what is queued, link for up to `drain_s`, write checkpoints, end the threads, release the directory.

        Recalls and snapshots stay usable; writes are refused. A second call does nothing, or waits for the first one.
        While other `MemoryStore` objects of this process have the directory open, only this one is closed.
        """
        self._holding.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _naming(self) -> SpaceNaming:
        self._check_open()
        return self._engine.naming

    def _face(self, config: SpaceConfig, engine: SpaceEngine | None = None) -> Space:
        life = self._engine.table.life(config.name) if engine is None else engine.life
        with self._guard:
            known = self._spaces.get(config.name)
            # A space that was dropped or renamed has left its name to another one.
            if known is None or known._is_over:
                known = Space(SpaceAccess(config, self._engine.reopened, life, engine), self)
                self._spaces[config.name] = known
            return known

    def _check_open(self) -> None:
        check_process(self._process, "store")
        if self._holding.is_released:
            raise FailedPrecondition("the store is closed", code="closed")


def _open(path: str | os.PathLike[str] | None, options: StoreOptions, read_only: bool) -> Holding[StoreEngine]:
    def make() -> StoreEngine:
        return StoreEngine(path, options=options, read_only=read_only)

    def check(opened: StoreEngine) -> None:
        theirs = {"read_only": opened.read_only} | {item.name: getattr(opened.options, item.name) for item in wanted}
        ours = {"read_only": read_only} | {item.name: getattr(options, item.name) for item in wanted}
        for name, value in theirs.items():
            if value != ours[name]:
                raise StoreLocked(
                    f"data directory {opened.path} is open in this process with {name} = {value!r}; pass the same "
                    f"instead of {ours[name]!r}, or close it first",
                    field=name,
                    limit=value,
                    value=ours[name],
                )

    wanted = fields(StoreOptions)
    if path is None:
        return Holding(make())
    check_path(path, or_none=True)
    return _opened.open(path, make, check)
