"""What all calls of a server share: the store, the path into it, the sessions, and the recall threads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import grpc

from engram.errors import Unavailable
from engram.model.spaces import DEFAULT_SPACE
from engram.server.authorization import Action, AllowEveryone, Authorizer
from engram.server.options import ServerOptions
from engram.store.space_engine import SpaceEngine
from engram.store.store_engine import StoreEngine
from engram.streaming.counters import Counters
from engram.streaming.ingest import Ingest
from engram.streaming.lanes.lanes import Lanes
from engram.streaming.loop.mailbox import Mailbox
from engram.streaming.pressure.gauges import DiskGauge, Gauge, MemoryGauge
from engram.streaming.pressure.load_shedding import LoadShedder
from engram.streaming.recalls.recalls import Recalls
from engram.streaming.sessions.connection import Connection
from engram.streaming.sessions.registry import Sessions

T = TypeVar("T")
Context = grpc.aio.ServicerContext[object, object]


class Engine:
    """Opens the store and holds everything that calls share. Must be created on the event loop that it serves.

    Raises
    ------
    EngramError
        If the store cannot be opened.
    """

    def __init__(self, options: ServerOptions, authorizer: Authorizer | None = None) -> None:
        loop = asyncio.get_running_loop()
        self.options: Final = options
        self.started_s: Final = time.monotonic()
        self.counters: Final = Counters()
        self.lanes: Final = Lanes(
            options.lanes,
            take_count_max=options.store.commit_count_max,
            take_bytes_max=options.store.commit_bytes_max,
        )
        self.store: Final = StoreEngine(options.data, options=options.store, intake=self.lanes)
        self.stopping: Final = asyncio.Event()
        self._authorizer = authorizer or AllowEveryone()
        self._threads = ThreadPoolExecutor(options.recall_threads, thread_name_prefix="engram-recall")
        mailbox = Mailbox(loop)
        self.recalls: Final = Recalls(
            self._threads, mailbox, self.counters, options.recalls_waiting_max, options.recall_streams_max
        )
        self.sessions: Final = Sessions(
            mailbox=mailbox,
            counters=self.counters,
            sessions_max=options.sessions_max,
            idle_s_max=options.session_idle_s_max,
            paused_bytes_max=options.paused_bytes_max,
        )
        self.admission: Final = LoadShedder(
            lanes=self.lanes,
            ticked=list(self._ticked_gauges()),
            thresholds=options.thresholds,
            mailbox=mailbox,
            soon=loop.call_soon,
            tell=self.sessions.tell_pressure,
        )
        self.ingest: Final = Ingest(self.store, mailbox, self.admission, self._threads)
        self._make_default_space()

    def authorize(self, context: Context, action: Action, space: str = "") -> None:
        """Check that the call may perform `action` in `space`; see `Authorizer`.

        Raises
        ------
        EngramError
            If the call may not.
        """
        self._authorizer.authorize(context, action, space)

    def space(self, context: Context, action: Action, name: str) -> SpaceEngine:
        """Return the space called `name` (empty: ``default``) if the call may perform `action` in it.

        Raises
        ------
        InvalidInput
            If the name is not a valid name of a space.
        NotFound
            If there is no such space.
        EngramError
            If the call may not perform `action`, or the space cannot be served.
        """
        name = name or DEFAULT_SPACE
        self.authorize(context, action, name)
        return self.store.space(name, create=False)

    def connect(self) -> Connection:
        """Return the `Connection` of a new stream."""
        return Connection(self.ingest, self.sessions, self.options.connection)

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

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run `work`, which would block the event loop for too long, on a recall thread, and return its result."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def close(self) -> None:
        """Close the store, which writes checkpoints. The event loop runs meanwhile and delivers the last results."""
        await self.in_thread(self.store.close)
        self._threads.shutdown()

    def tick(self) -> None:
        """Expire sessions and read the gauges. To be called about once a second."""
        self.sessions.expire()
        self.admission.tick()

    def _ticked_gauges(self) -> Iterator[Gauge]:
        yield MemoryGauge(
            self.lanes,
            self.store.spaces,
            self.sessions.backlogs,
            self.options.memory_bytes_max,
            with_logs=self.store.path is None,
        )
        if self.store.path is not None:
            yield DiskGauge(self.store.path, self.options.disk_free_bytes_min)

    def _make_default_space(self) -> None:
        config = self.options.default_space
        if config.name in self.store.unsound:
            # The default space exists but cannot be served, which the store has reported. Other spaces can be served.
            return
        if all(space.config.name != config.name for space in self.store.spaces()):
            self.store.space(config.name, dim=config.dim, metric=config.metric, embedder=config.embedder)


def stopping_error() -> Unavailable:
    """Return the error with which calls end when the server stops."""
    return Unavailable("the server is shutting down", code="shutting_down", retry_after_ms=1000)
