"""The worker threads that link the tail into the graph."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal

from engram.metrics import table
from engram.metrics.sample import MetricSample
from engram.store.indexing.busy_share import BusyShare
from engram.store.indexing.scheduler import IndexTask, WorkStealingScheduler

if TYPE_CHECKING:
    from engram.store.space_engine import SpaceEngine

# The pause doubles while a worker dies again and again. A dead worker is back within a second in any case.
_PAUSE_S_MIN: Final = 0.01
_PAUSE_S_MAX: Final = 0.5
logger: logging.Logger = logging.getLogger(__name__)

FaultPoint = Literal["before link", "after link", "between tasks"]


@dataclass(slots=True)
class WorkerStatistics:
    """The work of one worker since the store was opened, including that of threads that it replaced.

    Parameters
    ----------
    number
        Number of the worker, from 0.
    batches, observations
        Number of batches it linked, and of observations in them.
    stolen
        Number of these batches that were in another worker's space.
    restarts
        Number of times it died and was replaced.
    busy_s
        Seconds it spent on tasks, the present one included.
    utilization
        Share of the last seconds that it spent on tasks, from 0 to 1.
    """

    number: int
    batches: int = 0
    observations: int = 0
    stolen: int = 0
    restarts: int = 0
    busy_s: float = 0.0
    utilization: float = 0.0

    def count(self, linked: int, stolen: bool) -> None:
        """Add a batch of `linked` observations, unless it is empty."""
        if linked:
            self.batches += 1
            self.observations += linked
            self.stolen += stolen

    def samples(self) -> Iterator[MetricSample]:
        """Yield the metrics of the worker."""
        worker = str(self.number)
        yield table.OBSERVATIONS_INDEXED.sample(self.observations, worker)
        yield table.BATCHES_PROCESSED.sample(self.batches, worker)
        yield table.WORK_STOLEN.sample(self.stolen, worker)
        yield table.WORKER_RESTARTS.sample(self.restarts, worker)
        yield table.WORKER_BUSY.sample(self.busy_s, worker)
        yield table.WORKER_UTILIZATION.sample(self.utilization, worker)


@dataclass(slots=True, eq=False)
class _Worker:
    """A worker, which is run by one thread after another. Only its current thread changes it."""

    statistics: WorkerStatistics
    busy: BusyShare = field(default_factory=BusyShare)
    pause_s: float = 0.0


def _no_fault(_: FaultPoint) -> None:
    pass


def batch_size(pending: int) -> int:
    """Return how many observations a worker links per task in a space where `pending` observations wait.

    Small batches let several workers share the tail and move the watermark often. Large batches cost less per
    observation.
    """
    return 10 if pending < 100 else 100 if pending < 1000 else 500


class Workers:
    """The index threads, shared by all spaces of a store; `WorkStealingScheduler` assigns spaces to them.

    A thread that dies of any exception starts its successor and makes its space due again. The successor starts at once
    the first time, and after a growing pause while the exceptions continue. Linking is idempotent per generation, and
    an index takes back what a failed call has begun, so nothing is lost or done twice.

    Parameters
    ----------
    count
        Number of threads.
    steal_threshold
        A worker without work helps in spaces that have more observations pending than this.
    linked
        Called with the space after every task, on the worker's thread.
    fault
        Called at certain points of every task. Tests let it raise, which kills the worker there.
    """

    def __init__(
        self,
        count: int,
        steal_threshold: int,
        linked: Callable[[SpaceEngine], None],
        fault: Callable[[FaultPoint], None] = _no_fault,
    ) -> None:
        self._linked: Final = linked
        self._fault: Final = fault
        self._workers: Final = [_Worker(WorkerStatistics(number)) for number in range(count)]
        self._changed: Final = threading.Condition()
        # Guarded by `_changed`:
        self._scheduler: Final = WorkStealingScheduler(count, steal_threshold)
        self._threads: Final[dict[int, threading.Thread]] = {}
        self._busy = 0
        self._draining = False
        self._stopping = False

    @property
    def restarts(self) -> int:
        """Number of times a worker died and was replaced."""
        return sum(worker.statistics.restarts for worker in self._workers)

    def statistics(self) -> tuple[WorkerStatistics, ...]:
        """Return the statistics of each worker."""
        return tuple(
            replace(worker.statistics, busy_s=worker.busy.seconds(), utilization=worker.busy.look())
            for worker in self._workers
        )

    def start(self) -> None:
        """Start the worker threads."""
        with self._changed:
            for worker in self._workers:
                self._start_thread(worker)

    def notify(self, space: SpaceEngine) -> None:
        """Make `space` due, because there is something to link in it or to announce to its listeners."""
        pending = space.indexing.pending
        with self._changed:
            if self._scheduler.add(space, pending):
                self._changed.notify_all()

    def forget(self, space: SpaceEngine) -> None:
        """Begin no more tasks in `space`, which comes to rest: another object will take its place."""
        with self._changed:
            self._scheduler.remove(space)

    def stop(self, drain_s: float = 0.0) -> None:
        """Link the tails for at most `drain_s` seconds, then end all threads after their current tasks.

        What is not linked by then stays in the tail.
        """
        with self._changed:
            self._draining = True
            self._changed.wait_for(self._is_idle, drain_s if self._threads else 0)
            self._stopping = True
            self._changed.notify_all()
            # No thread is replaced from here on, so these are all.
            threads = list(self._threads.values())
        for thread in threads:
            thread.join()

    def _is_idle(self) -> bool:
        return not self._scheduler and not self._busy

    def _start_thread(self, worker: _Worker) -> None:
        number = worker.statistics.number
        thread = threading.Thread(target=self._live, args=(worker,), name=f"engram-worker-{number}", daemon=True)
        thread.start()
        self._threads[number] = thread

    def _live(self, worker: _Worker) -> None:
        while True:
            try:
                self._work(worker)
                return
            except BaseException:
                logger.exception("index worker %d died; it is replaced", worker.statistics.number)
            if self._has_successor(worker):
                return

    def _has_successor(self, worker: _Worker) -> bool:
        """Replace the dying thread of `worker`; return False if no thread can be started and this one must go on."""
        worker.statistics.restarts += 1
        with self._changed:
            if not self._stopping:
                try:
                    self._start_thread(worker)
                except RuntimeError:
                    logger.exception("no thread can be started; worker %d goes on", worker.statistics.number)
                    return False
        return True

    def _work(self, worker: _Worker) -> None:
        self._pause(worker.pause_s)
        # The first task that succeeds resets the pause.
        worker.pause_s = min(max(2 * worker.pause_s, _PAUSE_S_MIN), _PAUSE_S_MAX)
        while (task := self._next_task(worker)) is not None:
            worker.busy.begin()
            try:
                self._run_task(worker, task)
            except BaseException:
                # Another task must link what was not linked, and announce what was.
                self.notify(task.space)
                raise
            finally:
                worker.busy.end()
                self._end_task()
                # A space references its store. While this thread waits for a task, it must not keep a store alive that
                # is referenced nowhere else.
                del task
            worker.pause_s = 0.0

    def _pause(self, pause_s: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopping, pause_s)

    def _next_task(self, worker: _Worker) -> IndexTask | None:
        """Wait for the next task and return it; None when the workers are stopping."""
        with self._changed:
            while not self._stopping:
                task = self._scheduler.next_for(worker.statistics.number)
                if task is not None:
                    self._busy += 1
                    return task
                self._changed.wait()
        return None

    def _run_task(self, worker: _Worker, task: IndexTask) -> None:
        indexing = task.space.indexing
        self._fault("before link")
        linked = indexing.link(batch_size(task.pending))
        worker.statistics.count(linked, task.stolen)
        self._fault("after link")
        indexing.announce()
        pending = indexing.pending
        with self._changed:
            if self._scheduler.finish(task, linked, pending):
                self._changed.notify_all()
        self._linked(task.space)
        self._fault("between tasks")

    def _end_task(self) -> None:
        with self._changed:
            self._busy -= 1
            if self._draining and self._is_idle():
                self._changed.notify_all()
