"""Recalls for an event loop: run on threads, but for short ones, limited in number, and streamed in batches."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from concurrent.futures import Executor, Future
from contextlib import aclosing, contextmanager
from itertools import chain
from time import perf_counter
from typing import Any, Final, Protocol, TypeVar

from engram.errors import EngramError, OverCapacity
from engram.metrics import table
from engram.metrics.histogram import Histogram
from engram.metrics.sample import MetricSample
from engram.model.following.change import Changes
from engram.model.following.follow_changes import FollowChanges
from engram.model.query import Recalled, RecallQuery
from engram.store.space_engine import SpaceEngine
from engram.streaming.counters import Counters
from engram.streaming.loop.mailbox import Mailbox
from engram.streaming.recalls.batches import Encode, begin
from engram.streaming.recalls.change_batches import begin_changes
from engram.streaming.recalls.loop_priority import LoopPriority
from engram.streaming.recalls.short_recalls import ShortRecalls

T = TypeVar("T")
_RETRY_AFTER_MS: Final = 100
# Hits that are made per round trip to a thread, after the first batch. A round trip costs about as much as ten hits.
_AHEAD_HITS: Final = 100
IDLE_S: Final = 30.0
"""Seconds without a match after which a standing recall tells how far it has matched, if it got any further."""


class Followed(Protocol):
    """What a stream is told of as it comes: the subscription of a standing recall, or a change feed."""

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        ...

    @property
    def has_matches(self) -> bool:
        """Whether there may be something to poll."""
        ...

    @property
    def has_moved(self) -> bool:
        """Whether it got further, although there was nothing to tell."""
        ...

    def add_listener(self, listener: Callable[[], None]) -> None:
        """Have `listener` called, on any thread, whenever there may be something to poll."""
        ...


class Recalls:
    """The recalls of a server.

    Parameters
    ----------
    threads
        Runs the recalls that are not short, and look-ups by id.
    mailbox
        Delivers notifications to the event loop.
    counters
        Counts answered recalls.
    waiting_max
        Recalls and look-ups that may wait for a thread, or for their answer or first batch from one.
    streams_max
        Recall streams that may be open.
    idle_s
        See `IDLE_S`.

    Attributes
    ----------
    loop_priority
        Other work on the event loop calls its `yield_to_recalls` to let recalls pass.
    """

    def __init__(
        self,
        threads: Executor,
        mailbox: Mailbox,
        counters: Counters,
        waiting_max: int,
        streams_max: int,
        idle_s: float = IDLE_S,
    ) -> None:
        self.loop_priority: Final = LoopPriority()
        self._latency: Final = Histogram(table.RECALL_LATENCY)
        self._first_result: Final = Histogram(table.FIRST_RESULT)
        self._short = ShortRecalls()
        self._threads = threads
        self._mailbox = mailbox
        self._counters = counters
        self._waiting_max = waiting_max
        self._streams_max = streams_max
        self._idle_s = idle_s
        self._waiting = 0
        self._streams = 0
        # The events that wake standing recalls, and the error that ends these once `stop` was called.
        self._ready: set[asyncio.Event] = set()
        self._stopped: EngramError | None = None

    @property
    def streams(self) -> int:
        """The number of open recall streams."""
        return self._streams

    def samples(self) -> Iterator[MetricSample]:
        """Yield the metrics of the recalls that are under way, and the latencies of those that were answered."""
        yield table.RECALL_STREAMS.sample(self._streams)
        yield table.RECALLS_WAITING.sample(self._waiting)
        yield from chain(self._latency.samples(), self._first_result.samples())

    def stop(self, reason: EngramError) -> None:
        """End all standing recalls with `reason`. Other recalls end by themselves."""
        self._stopped = reason
        for ready in self._ready:
            ready.set()

    async def answer(self, space: SpaceEngine, query: RecallQuery, encode: Callable[[Recalled], T]) -> T:
        """Answer `query` as a whole and return the encoded answer.

        Raises
        ------
        OverCapacity
            If too many recalls wait already.
        EngramError
            If the query cannot be answered. The error gives the reason.
        """
        begin_s = perf_counter()
        with self.loop_priority.recall_in_progress(), self._one_more_waits():
            if self._short.takes(space, query) and await self._short.turn(space):
                answer = self._short.run(space, lambda: encode(space.answer(query)))
            else:
                answer = await self._in_thread(lambda: encode(space.answer(query)))
        self._counters.add(table.RECALLS)
        self._latency.add(perf_counter() - begin_s)
        return answer

    async def in_turns(self, work: Generator[None, None, T]) -> T:
        """Run `work`, which reads like a recall, and return its result; wherever it yields, others have their turn.

        Raises
        ------
        OverCapacity
            If too many recalls wait already.
        EngramError
            The error that `work` raises.
        """
        with self.loop_priority.recall_in_progress(), self._one_more_waits():
            results: list[T] = []
            while not results:
                results = await self._in_thread(lambda: _next_turn(work))
        return results[0]

    async def stream(self, space: SpaceEngine, query: RecallQuery, encode: Encode[T]) -> AsyncGenerator[T, None]:
        """Yield the encoded batches of `query`. While some are being sent, a thread makes the next few.

        There is at least one batch, and the last one says that there are no more. The batches of a standing recall come
        after it; one of these is empty if nothing matched for a while, and its generation says how far everything was
        matched. Closing the generator frees everything as soon as the batch that is being made is done.

        Raises
        ------
        OverCapacity
            If too many recalls wait, or too many streams are open already.
        EngramError
            If the query cannot be answered. The error gives the reason.
        """
        begin_s = perf_counter()
        with self._one_more_stream():
            with self.loop_priority.recall_in_progress(), self._one_more_waits():
                batches, made = await self._in_thread(lambda: begin(space, query, encode))
            self._counters.add(table.RECALLS)
            self._first_result.add(perf_counter() - begin_s)
            making: Future[Any] | None = None
            try:
                while batches.more:
                    making = self._threads.submit(batches.make, _AHEAD_HITS)
                    for batch in made:
                        yield batch
                    made = await asyncio.wrap_future(making)
                for batch in made:
                    yield batch
                if batches.subscription is not None:
                    async with aclosing(self._follow(batches.subscription)) as follow:
                        async for _ in follow:
                            making = self._threads.submit(batches.poll)
                            yield await asyncio.wrap_future(making)
                            while batches.more:
                                making = self._threads.submit(batches.poll)
                                yield await asyncio.wrap_future(making)
                    # It may have ended because the space has.
                    space.life.check()
            finally:
                batches.close_after(making)

    async def changes(
        self, space: SpaceEngine, request: FollowChanges, encode: Callable[[Changes], T]
    ) -> AsyncGenerator[T, None]:
        """Yield the encoded batches of a change feed, each as it comes.

        The first one says where the feed begins, and has no changes if there are none yet. So has one that says how far
        the feed got, if nothing passed its filter for a while. Closing the generator frees everything.

        Raises
        ------
        OverCapacity
            If too many recalls wait, or too many streams are open already.
        EngramError
            If the request cannot be answered. The error gives the reason.
        """
        with self._one_more_stream():
            with self.loop_priority.recall_in_progress(), self._one_more_waits():
                batches, made = await self._in_thread(lambda: begin_changes(space, request, encode, self._idle_s))
            making: Future[list[T]] | None = None
            try:
                for batch in made:
                    yield batch
                async with aclosing(self._follow(batches)) as follow:
                    async for _ in follow:
                        making = self._threads.submit(batches.poll)
                        for batch in await asyncio.wrap_future(making):
                            yield batch
                # It may have ended because the space has.
                space.life.check()
            finally:
                batches.close_after(making)

    async def _follow(self, subscription: Followed) -> AsyncGenerator[None, None]:
        """Yield whenever there may be something to poll, and at times when it has got further without."""
        ready = asyncio.Event()
        self._ready.add(ready)
        try:
            subscription.add_listener(lambda: self._mailbox.post(_set, ready))
            while not subscription.closed:
                if self._stopped is not None:
                    raise self._stopped
                while subscription.has_matches and self._stopped is None:
                    yield
                if await _is_set_within(ready, self._idle_s):
                    ready.clear()
                elif subscription.has_moved:
                    yield
        finally:
            self._ready.discard(ready)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    @contextmanager
    def _one_more_waits(self) -> Iterator[None]:
        if self._waiting >= self._waiting_max:
            raise _too_many("recalls_waiting", f"{self._waiting_max} recalls are waiting", self._waiting_max)
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    @contextmanager
    def _one_more_stream(self) -> Iterator[None]:
        if self._streams >= self._streams_max:
            raise _too_many("recall_streams", f"{self._streams_max} recall streams are open", self._streams_max)
        self._streams += 1
        try:
            yield
        finally:
            self._streams -= 1


def _next_turn(work: Generator[None, None, T]) -> list[T]:
    """Run `work` up to where it yields next; return its result if it has ended, and nothing otherwise."""
    try:
        next(work)
    except StopIteration as end:
        return [end.value]
    return []


async def _is_set_within(ready: asyncio.Event, seconds: float) -> bool:
    # In Python 3.11, `asyncio.wait_for` returns instead of being cancelled if the event is set at the same moment.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await ready.wait()
    return ready.is_set()


def _set(ready: asyncio.Event) -> None:
    ready.set()


def _too_many(code: str, message: str, limit: int) -> OverCapacity:
    return OverCapacity(
        message, code=code, field="recalls", limit=limit, value=limit + 1, retry_after_ms=_RETRY_AFTER_MS
    )
