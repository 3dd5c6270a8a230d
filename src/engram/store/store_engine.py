"""The inside of a store: a directory of memory spaces, and the threads that work on them."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from concurrent.futures import Future
from itertools import chain
from pathlib import Path
from typing import Final

from engram.errors import EngramError, FailedPrecondition
from engram.lifecycle import interpreter_exit
from engram.lifecycle.forking import check_process
from engram.log.files.file_storage import FileStorage
from engram.log.files.storage import Storage
from engram.metrics.health import Problem
from engram.metrics.samples import MetricSamples
from engram.model.damage import Damage
from engram.model.spaces import DEFAULT_SPACE, Metric, Vectors
from engram.model.values.expiry import Ttl
from engram.model.values.scalars import as_flag
from engram.store.age_clock import AgeClock
from engram.store.commit.answer_thread import AnswerThread
from engram.store.commit.committer import Committer
from engram.store.commit.queue import CommitQueue, CommitRequest, FifoCommitQueue
from engram.store.compaction.compaction_thread import CompactionThread
from engram.store.directory import open_directory
from engram.store.health.problem_kinds import DAMAGED, ProblemKind
from engram.store.health.problems import Problems
from engram.store.housekeeping import Housekeeping
from engram.store.indexing.maintenance_thread import MaintenanceThread
from engram.store.indexing.workers import Workers, WorkerStatistics
from engram.store.meter.recall_meter import RecallMeter
from engram.store.naming.space_naming import SpaceNaming
from engram.store.options import StoreOptions, check_options
from engram.store.recovery import recover_space
from engram.store.resting.open_limit import open_spaces_max
from engram.store.resting.scrub_spaces import scrub_spaces
from engram.store.resting.space_summaries import SpaceSummaries
from engram.store.resting.weak_spaces import RestingSpaces, open_spaces, opened_again, weakly
from engram.store.space_catalog import SpaceCatalog, StoredSpace
from engram.store.space_engine import SpaceEngine
from engram.store.space_table import SpaceTable
from engram.store.subscriptions.matcher import Matcher

_DEFAULT_OPTIONS: Final = StoreOptions()
_LEFT_OPEN: Final = "what was acknowledged is in its log, but without a checkpoint the next opening may take longer"
logger: logging.Logger = logging.getLogger(__name__)


class StoreEngine:
    """The inside of a `MemoryStore`: its spaces, the threads that work on them, and the queue before the committer.

    A server uses it directly, with a queue of its own.

    Parameters
    ----------
    path, options, read_only
        As for `MemoryStore`, which also says what is raised.
    intake
        The queue before the committer; None: first in, first out.
    storage
        Storage to use instead of `path`; its creator ensures that nobody else uses it.
    creates
        Whether a directory that is none becomes a data directory.

    Attributes
    ----------
    table
        The spaces, those that rest included.
    naming
        Drops and renames them, and changes their aliases.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        *,
        options: StoreOptions = _DEFAULT_OPTIONS,
        intake: CommitQueue | None = None,
        storage: Storage | None = None,
        read_only: bool = False,
        creates: bool = True,
    ) -> None:
        self._options = check_options(options)
        read_only = as_flag("read_only", read_only)
        self._process = os.getpid()
        self._storage, self._lock = (storage, None) if storage else open_directory(path, read_only, creates=creates)
        self._intake = intake or FifoCommitQueue(
            options.intake_count_max, options.intake_bytes_max, options.commit_count_max, options.commit_bytes_max
        )
        self._committer = Committer(self._intake)
        self._answers = AnswerThread()
        self._clock = AgeClock()
        self._matcher = Matcher()
        self._meter = RecallMeter(options.recall_meter_share)
        self._workers = Workers(options.worker_count, options.steal_threshold, weakly(self._linked))
        self._checkpointer = MaintenanceThread(self._workers.notify)
        self._guard = threading.Lock()
        self._closing: Future[None] | None = None
        self._ending = 0
        try:
            self._catalogue = SpaceCatalog(self._storage)
            summaries = SpaceSummaries(self._storage, self._catalogue)
            open_max = open_spaces_max(self._storage, options)
            self.table: SpaceTable = SpaceTable(self._catalogue, summaries, self._open_space, open_max)
            self.naming: SpaceNaming = SpaceNaming(self.table, self._catalogue, summaries, self._meter.forget)
            self.table.load(options.spaces_at_start_max)
        except BaseException:
            self._release()
            raise
        self._problems = Problems()
        self._compaction = CompactionThread(options.log_compaction_bytes_per_s, opened_again(self.table))
        spaces, maintain = open_spaces(self.table), weakly(self._maintain)
        resting = RestingSpaces(self.table, self._compaction.request_named)
        self._housekeeping = Housekeeping(
            spaces, self._catalogue, options, self._problems, maintain, self._compaction.request, resting
        )
        for part in (self._checkpointer, self._compaction, self._workers, self._matcher, self._meter, self._committer):
            part.start()
        if not self._storage.read_only:
            self._housekeeping.start()
        self._name = "a store in memory" if self.path is None else f"the store in {self.path}"
        self._ending = interpreter_exit.opened(self, self._name, left=_LEFT_OPEN if self.path else "")

    def __del__(self) -> None:
        # The store's threads run on, and the directory stays locked, until another thread closes the store.
        if getattr(self, "_ending", 0) and self._closing is None and os.getpid() == self._process:
            interpreter_exit.abandon(self, self._name)

    @property
    def path(self) -> Path | None:
        """Data directory; None for a store without one."""
        return self._storage.path

    @property
    def options(self) -> StoreOptions:
        """The options it was opened with."""
        return self._options

    @property
    def read_only(self) -> bool:
        """Whether it changes nothing in the directory."""
        return self._storage.read_only

    @property
    def commits(self) -> int:
        """Number of group commits since the store was opened."""
        return self.table.commits()

    def metrics(self) -> MetricSamples:
        """Return the metrics of the store and of its spaces; of those that rest, the counters. See `MemoryStore`."""
        spaces = self.spaces()
        of_table = self.table.samples({space.config.name for space in spaces})
        of_workers = (worker.samples() for worker in self.worker_statistics())
        of_store = chain(of_table, self._committer.samples(), self._own_problems().samples())
        return MetricSamples(chain(of_store, *of_workers, *(space.stats().metrics for space in spaces)))

    def worker_statistics(self) -> tuple[WorkerStatistics, ...]:
        """Return what each index worker did since the store was opened."""
        return self._workers.statistics()

    def space(
        self,
        name: str = DEFAULT_SPACE,
        dim: int | None = None,
        metric: Metric | None = None,
        embedder: str | None = None,
        create: bool | None = None,
        wait: bool = True,
        vectors: Vectors | None = None,
        ttl: Ttl | None = None,
    ) -> SpaceEngine:
        """Return the space called `name`; see `MemoryStore.space`, and for `wait` `SpaceTable.get`."""
        check_process(self._process, "store")
        return self.table.get(name, dim, metric, embedder, vectors, ttl, create=create, wait=wait)

    def reopened(self, name: str) -> SpaceEngine:
        """Return the engine of a space that exists, opened if it rests; raises as `space`."""
        check_process(self._process, "store")
        return self.table.reopened(name)

    def spaces(self) -> list[SpaceEngine]:
        """Return all open spaces in the order of their names."""
        check_process(self._process, "store")
        return self.table.all()

    @property
    def unsound(self) -> dict[str, EngramError]:
        """Errors of the spaces that could not be opened, by name. Other spaces are not affected."""
        return dict(self.table.refused.errors)

    def damages(self) -> tuple[Damage, ...]:
        """Return the damage found since the store was opened, in the list of spaces and in each open space."""
        return tuple(damage for damages in self.table.damages() for damage in damages.all())

    @property
    def damaged_count(self) -> int:
        """Number of damaged places found since the store was opened, including those that `damages` does not name."""
        return sum(damages.count for damages in self.table.damages())

    def note_problem(self, kind: ProblemKind, message: str | None) -> None:
        """Note that the store as a whole has a problem of `kind`; None: that it has none any more."""
        self._problems.set(kind, message)

    def problems(self) -> tuple[Problem, ...]:
        """Return what is wrong with the store as a whole, and with the spaces that are not open."""
        return (*self._own_problems().all(), *self.table.problems())

    def scrub(self) -> tuple[Damage, ...]:
        """Read and check everything stored; see `MemoryStore.scrub`."""
        self._check_open()
        self._catalogue.check()
        scrub_spaces(self.table, self._check_open)
        return self.damages()

    def submit(self, request: CommitRequest) -> None:
        """Queue a request for the committer. Its `done` is called with the outcome, unless this method raises.

        Raises
        ------
        InvalidInput, OverCapacity
            If the arrays of a batch are not what the log writes; if too much is queued, or not linked yet.
        Unavailable
            If the space cannot take writes any more, or the store is closing.
        FailedPrecondition
            In a forked child; if the store is closed; if the space has been dropped or renamed.
        """
        check_process(self._process, "store")
        self.table.admit(request)
        request.queued_s = time.perf_counter()
        try:
            self._intake.put(request)
        except BaseException:
            request.space.withdraw(request)
            raise

    def checkpoint(self) -> None:
        """Save the linked part of every graph; see `MemoryStore.checkpoint`."""
        for written in [self._checkpointer.request(space) for space in self.spaces()]:
            written.result()

    def close(self) -> None:
        """Commit what is queued, link for up to `drain_s`, write checkpoints, end the threads, release the directory.

        Recalls and snapshots stay usable; writes are refused. A second call does nothing, or waits for the first one.
        """
        if os.getpid() != self._process:
            return
        with self._guard:
            closing, is_mine = self._closing, self._closing is None
            if closing is None:
                closing = self._closing = Future()
        if is_mine:
            try:
                self._shut_down()
            except BaseException as error:
                # An interruption such as Ctrl-C. The next call continues where this one stopped.
                self._closing = None
                closing.set_exception(error)
                raise
            interpreter_exit.closed(self._ending)
            closing.set_result(None)
        if not self._answers.is_current:
            # A callback of an answer does not wait for the end of the thread that it runs on.
            closing.result()

    def end(self, timeout_s: float) -> None:
        """Close the store when the interpreter ends; see `engram.lifecycle.interpreter_exit`."""
        self.close()

    def __enter__(self) -> StoreEngine:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.close()

    def _own_problems(self) -> Problems:
        first = self._catalogue.damages.all()[:1]
        self._problems.set(DAMAGED, first[0].message if first else None)
        return self._problems

    def _check_open(self) -> None:
        if self._closing is not None:
            raise FailedPrecondition("the store is closed", code="closed")

    def _open_space(self, stored: StoredSpace) -> SpaceEngine:
        left = self.table.left
        state = recover_space(stored, self._catalogue.store_id, self._options, left.damages_of(stored.config.name))
        state.life = self.table.life(stored.config.name)
        parts = self._committer.encoder, self._answers, self._meter
        space = SpaceEngine(stored.config, state, self._options, self.submit, self._committed, *parts)
        space.join(self.reopened, self._workers.forget)
        left.hand_to(space, self._clock)
        self._workers.notify(space)
        return space

    def _committed(self, space: SpaceEngine) -> None:
        self._workers.notify(space)
        self._matcher.notify(space.subscriptions)

    def _linked(self, space: SpaceEngine) -> None:
        self.table.look_for_room()
        self._maintain(space)

    def _maintain(self, space: SpaceEngine) -> None:
        if space.indexing.is_due(lambda: space.retention.horizon):
            self._checkpointer.request_due(space)

    def _shut_down(self) -> None:
        for space in self.spaces():
            space.tail.close()
        self._housekeeping.stop()
        self._compaction.stop()
        for space in self.spaces():
            space.log_compaction.end()
        self._committer.stop()
        self._answers.stop()
        self._workers.stop(self._options.drain_s)
        self._matcher.stop()
        self._meter.stop()
        self.table.close()
        with contextlib.suppress(FailedPrecondition):
            # Refused only if an earlier call was interrupted after it had requested the checkpoints.
            for space in (each for each in self.spaces() if each.indexing.checkpoint_pays()):
                self._checkpointer.request(space)
        self._checkpointer.stop()
        self._close_files()

    def _close_files(self) -> None:
        for space in self.spaces():
            space.indexing.drop_older_checkpoints()
            space.close()
        self.table.save_summaries()
        try:
            self._housekeeping.note()
        except EngramError as error:
            logger.warning("%s", error)
        self._release()

    def _release(self) -> None:
        """Release the directory, so that others can open it."""
        if self._lock is not None:
            self._lock.release()
        if isinstance(self._storage, FileStorage):
            self._storage.close()
