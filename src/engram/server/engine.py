"""The engine of a server: its store and everything between the store and the transports, without a socket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, ExitStack
from functools import partial
from typing import Final, TypeVar

from engram.errors import EngramError, Unavailable
from engram.model.limits import MESSAGE_BYTES_MAX
from engram.model.operations.action import Action
from engram.model.spaces import SpaceConfig
from engram.server.authorization import Caller, allow_everyone
from engram.server.gatekeeper import Gatekeeper
from engram.server.options import ServerOptions
from engram.store.health.problem_kinds import DISK_FULL
from engram.store.space_engine import SpaceEngine
from engram.store.store_engine import StoreEngine
from engram.streaming.counters import Counters
from engram.streaming.ingest import Ingest
from engram.streaming.lanes.lanes import Lanes
from engram.streaming.loop.mailbox import Mailbox
from engram.streaming.observation_counts import NO_SPACE
from engram.streaming.pressure.gauges import DiskGauge, Gauge, MemoryGauge, Reading, stored_bytes, under_way_bytes
from engram.streaming.pressure.levels import Hysteresis, Level
from engram.streaming.pressure.load_shedding import LoadShedder
from engram.streaming.pressure.receiving import ReceiveBudget
from engram.streaming.recalls.recalls import Recalls
from engram.streaming.sessions.connection import Connection, ConnectionLimits
from engram.streaming.sessions.registry import SETTLE_TIMEOUT_S, Sessions
from engram.streaming.space_holds import SpaceHolds

T = TypeVar("T")
# The part of the memory budget that messages and bodies may have before they are whole.
_RECEIVE_SHARE: Final = 8
# A look at the pressure waits for so long. At once, it would keep the interpreter lock from the committer that a
# request has just woken, and an ack from its client.
_LOOK_S: Final = 0.0005


class Engine:
    """A store, the path into it, the sessions and the recalls: all that calls share, put together without a socket.

    Every transport of a server serves the same engine, and tests put stores of their own behind it. An engine belongs
    to the event loop on which it is made.

    Parameters
    ----------
    options
        The settings of the server.
    store
        The store that is served.
    lanes
        The queue before the committer of `store`.
    threads
        Runs recalls and embedders, which would block the event loop for too long.
    settle_timeout_s, clock
        See `Sessions`.
    """

    def __init__(
        self,
        options: ServerOptions,
        store: StoreEngine,
        lanes: Lanes,
        threads: Executor,
        *,
        settle_timeout_s: float = SETTLE_TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.options: Final = options
        self.started_s: Final = time.monotonic()
        self.counters: Final = Counters()
        self.lanes: Final = lanes
        self.store: Final = store
        self.stopping: Final = asyncio.Event()
        self._threads = threads
        # It begins with the first work.
        self._slow = ThreadPoolExecutor(1, thread_name_prefix="engram-erasure")
        self._holds = SpaceHolds(store)
        self._disk = None if store.path is None else DiskGauge(store.path, options.disk_free_bytes_min)
        self._disk_level = Hysteresis(options.thresholds)
        self._gatekeeper = Gatekeeper(options.authorizer)
        mailbox = Mailbox(loop)
        self.recalls: Final = Recalls(
            threads, mailbox, self.counters, options.recalls_waiting_max, options.recall_streams_max
        )
        self.sessions: Final = Sessions(
            mailbox=mailbox,
            counters=self.counters,
            sessions_max=options.sessions_max,
            idle_s_max=options.session_idle_s_max,
            paused_bytes_max=options.paused_bytes_max,
            settle_timeout_s=settle_timeout_s,
            clock=clock,
        )
        # One message must fit, however small the budget is.
        self.receiving: Final = ReceiveBudget(max(MESSAGE_BYTES_MAX, options.memory_bytes_max // _RECEIVE_SHARE))
        self.admission: Final = LoadShedder(
            lanes=lanes,
            ticked=list(self._ticked_gauges()),
            thresholds=options.thresholds,
            mailbox=mailbox,
            soon=partial(loop.call_later, _LOOK_S),
            tell=self.sessions.tell_pressure,
        )
        self.ingest: Final = Ingest(store, mailbox, self.admission, threads)

    @classmethod
    def open(cls, options: ServerOptions) -> Engine:
        """Open the store of `options`, create its default space if there is none, and return the engine around it.

        Raises
        ------
        EngramError
            If the store cannot be opened.
        """
        lanes = Lanes(
            options.lanes,
            take_count_max=options.store.commit_count_max,
            take_bytes_max=options.store.commit_bytes_max,
        )
        with ExitStack() as undo:
            # What fails here must not leave the directory locked.
            store = StoreEngine(options.data, options=options.store, intake=lanes)
            undo.callback(store.close)
            threads = undo.enter_context(ThreadPoolExecutor(options.recall_threads, thread_name_prefix="engram-recall"))
            engine = cls(options, store, lanes, threads)
            _make_default_space(store, options.default_space)
            undo.pop_all()
        return engine

    def authorize(self, caller: Caller, space: str | None, action: Action, *or_actions: Action) -> None:
        """Check that `caller` may perform `action`, or one of `or_actions`, in `space`; see `Authorizer`.

        Raises
        ------
        EngramError
            If the caller may not.
        """
        self._gatekeeper.check(caller, (action, *or_actions), space)

    def meant(self, name: str) -> str:
        """Return the name of the space that `name` means: itself, unless it is an alias. Rights are in spaces."""
        return self.store.table.resolved(name)

    @property
    def tells_names(self) -> bool:
        """Whether a caller may be told names of spaces that it did not ask for: where everybody may do everything."""
        return self.options.authorizer is allow_everyone

    def space(self, name: str) -> SpaceEngine:
        """Return the space called `name`, which the caller has `held`. The event loop opens none.

        Raises
        ------
        InvalidInput
            If the name is not a valid name of a space.
        NotFound
            If there is no such space.
        Unavailable
            If the space is being created, which the event loop must not wait for.
        EngramError
            If the space cannot be served.
        SpaceRests
            If it is not open.
        """
        return self.store.space(name, create=False, wait=False)

    def held(self, name: str, new: SpaceConfig | None = None) -> AbstractAsyncContextManager[SpaceEngine]:
        """Return the space called `name`, which does not come to rest during the body; see `SpaceHolds.held`.

        Every call on a space is made within one. The caller is authorized, and has its share of what is limited.
        """
        return self._holds.held(name, new)

    def count_rejected(self, space: str, error: Exception, count: int) -> None:
        """Count observations for `space` that were refused outside of a session because of `error`."""
        if not self.store.table.has(space):
            space = NO_SPACE
        reason = error.code if isinstance(error, EngramError) else EngramError.default_code
        self.counters.observations.reject(space, reason, count)

    def connect(self, limits: ConnectionLimits | None = None) -> Connection:
        """Return the `Connection` of a new stream; its limits are those of the options if none are given."""
        return Connection(self.ingest, self.sessions, limits or self.options.connection)

    def check_running(self) -> None:
        """Check that the server is not stopping.

        Raises
        ------
        Unavailable
            If the server is stopping.
        """
        if self.stopping.is_set():
            raise stopping_error()

    def stop(self) -> None:
        """Refuse further calls, and end those that would never end by themselves, such as standing recalls."""
        self.stopping.set()
        self.recalls.stop(stopping_error())

    def disk_reading(self) -> Reading | None:
        """Return how much of the disk is free; None for a store in memory. Any thread may call it."""
        return None if self._disk is None else self._disk.read()

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run `work`, which would block the event loop for too long, on a recall thread, and return its result."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def alone(self, work: Callable[[], T]) -> T:
        """Run `work`, which may take minutes, after other such work, so that it takes no thread from anything else."""
        return await asyncio.get_running_loop().run_in_executor(self._slow, work)

    async def close(self) -> None:
        """Close the store, which writes checkpoints. The event loop runs meanwhile and delivers the last results."""
        try:
            await self.in_thread(self.store.close)
        finally:
            self._threads.shutdown()
            self._slow.shutdown()
            self._holds.close()
            if self._disk is not None:
                self._disk.close()

    @property
    def held_bytes(self) -> int:
        """Memory of requests and messages that are under way, in bytes."""
        return under_way_bytes(self.lanes, self.sessions.backlogs, self.receiving)

    @property
    def stored_bytes(self) -> int:
        """Memory of what the open spaces hold, in bytes, as the memory gauge counts it."""
        return stored_bytes(self.store.spaces(), with_logs=self.store.path is None)

    def tick(self) -> None:
        """Expire sessions and read the gauges. To be called about once a second."""
        self.sessions.expire()
        self.admission.tick()
        self._look_at_disk()

    def _look_at_disk(self) -> None:
        disk = self.disk_reading()
        if disk is None:
            return
        self._disk_level.feed(disk.fill)
        message = None
        if self._disk_level.level is Level.OVERLOADED:
            message = (
                f"{disk.value} bytes are free on the disk of {self.store.path}, of which {disk.limit} are kept free: "
                "writes are refused until there are more"
            )
        self.store.note_problem(DISK_FULL, message)

    def _ticked_gauges(self) -> Iterator[Gauge]:
        yield MemoryGauge(
            self.lanes,
            self.store.spaces,
            self.sessions.backlogs,
            self.receiving,
            self.options.memory_bytes_max,
            with_logs=self.store.path is None,
        )
        if self._disk is not None:
            yield self._disk


def _make_default_space(store: StoreEngine, config: SpaceConfig) -> None:
    # If the default space exists but cannot be served, the store has reported it. Other spaces can be served.
    if not store.table.has(config.name):
        store.space(config.name, config.dim, config.metric, config.embedder, vectors=config.vectors, ttl=config.ttl_s)


def stopping_error() -> Unavailable:
    """Return the error with which calls end when the server stops."""
    return Unavailable("the server is shutting down", code="shutting_down", retry_after_ms=1000)
