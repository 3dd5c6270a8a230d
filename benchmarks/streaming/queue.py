"""What the queue before the committer costs per batch and per observation, beside simpler queues.

    python -m benchmarks queue

"alone" is one thread that puts and then takes everything: the bare price of the operations. "threads" is eight
producers and one consumer at once, with how long single puts took, which shows who waits for whom. A plain deque has no
limits, priorities, fairness or wake-up; `queue.Queue` bounds the number of batches and nothing else. The requests know
their size: adding up the texts of a batch takes the same time whatever queue it enters.
"""

from __future__ import annotations

import argparse
import gc
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benchmarks.support.report import publish
from engram.model.observations import make_batch
from engram.model.priority import Priority
from engram.model.spaces import SpaceConfig
from engram.store.commit.queue import CommitRequest, FifoCommitQueue
from engram.streaming.lanes.lane import LaneLimits
from engram.streaming.lanes.lanes import Lanes

NO_LIMIT = 10**12
TAKE_BATCHES = 32
BATCH = 256
BATCH_BYTES = 800_000
DIM = 8


class Space:
    """All that a queue looks at of a space."""

    config = SpaceConfig("bench", DIM)


class SizedRequest(CommitRequest):
    """A request that need not count."""

    __slots__ = ()

    @property
    def count(self) -> int:
        return BATCH

    @property
    def nbytes(self) -> int:
        return BATCH_BYTES


class Queue(Protocol):
    """What is compared."""

    def put(self, request: CommitRequest) -> None: ...

    def take(self, timeout_s: float | None) -> list[CommitRequest]: ...


class PlainDeque:
    """The least that Python can do."""

    def __init__(self) -> None:
        self._waiting: deque[CommitRequest] = deque()
        self.put = self._waiting.append

    def take(self, timeout_s: float | None) -> list[CommitRequest]:
        return [self._waiting.popleft() for _ in range(min(TAKE_BATCHES, len(self._waiting)))]


class LibraryQueue:
    """`queue.Queue`."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[CommitRequest] = queue.Queue(NO_LIMIT)
        self.put = self._waiting.put

    def take(self, timeout_s: float | None) -> list[CommitRequest]:
        taken = []
        try:
            taken.append(self._waiting.get(timeout=timeout_s))
            while len(taken) < TAKE_BATCHES:
                taken.append(self._waiting.get_nowait())
        except queue.Empty:
            pass
        return taken


def kinds() -> dict[str, Callable[[], Queue]]:
    """How to make each queue."""
    take = TAKE_BATCHES * BATCH
    limits = dict.fromkeys(Priority, LaneLimits(NO_LIMIT, NO_LIMIT))
    return {
        "deque": PlainDeque,
        "queue.Queue": LibraryQueue,
        "FifoCommitQueue": lambda: FifoCommitQueue(NO_LIMIT, NO_LIMIT, take, NO_LIMIT),
        "Lanes": lambda: Lanes(limits, take_count_max=take, take_bytes_max=NO_LIMIT),
    }


def make_request(producer: int) -> CommitRequest:
    """A request of one producer, which has a session of its own."""
    space: Any = Space()
    rows = make_batch(ids=[str(row) for row in range(BATCH)], vectors=np.ones((BATCH, DIM), np.float32))
    return SizedRequest(space=space, batch=rows, session=f"s{producer}", first_sequence=1, done=lambda _: None)


def alone(make: Callable[[], Queue], count: int) -> float:
    """Seconds for `count` batches put and taken by one thread, as many at a time as one take returns."""
    request, waiting = make_request(0), make()
    begin = time.perf_counter()
    for _ in range(count // TAKE_BATCHES):
        for _ in range(TAKE_BATCHES):
            waiting.put(request)
        waiting.take(0)
    return time.perf_counter() - begin


def with_threads(make: Callable[[], Queue], producers: int, count: int) -> tuple[float, list[float]]:
    """Seconds for `count` batches put by many threads while one takes them, and seconds of each put."""
    waiting, took = make(), [[0.0] * (count // producers) for _ in range(producers)]
    start = threading.Barrier(producers + 1)

    def produce(number: int) -> None:
        request, mine = make_request(number), took[number]
        start.wait()
        for turn in range(len(mine)):
            begin = time.perf_counter()
            waiting.put(request)
            mine[turn] = time.perf_counter() - begin

    threads = [threading.Thread(target=produce, args=(number,)) for number in range(producers)]
    for thread in threads:
        thread.start()
    start.wait()
    begin, left = time.perf_counter(), sum(map(len, took))
    while left:
        left -= len(waiting.take(1.0))
    seconds = time.perf_counter() - begin
    for thread in threads:
        thread.join()
    return seconds, [seconds for mine in took for seconds in mine]


def row(name: str, make: Callable[[], Queue], arguments: argparse.Namespace) -> dict[str, Any]:
    """The figures of one queue: of several runs the fastest, and the puts of all."""
    count = arguments.count
    gc.collect()
    bare_s = min(alone(make, count) for _ in range(arguments.repeat))
    runs = [with_threads(make, arguments.producers, count) for _ in range(arguments.repeat)]
    puts_us = np.array([seconds for _, puts in runs for seconds in puts]) * 1e6
    threaded_s = min(seconds for seconds, _ in runs)
    return {
        "queue": name,
        "alone us/batch": bare_s / count * 1e6,
        "alone ns/obs": bare_s / count / BATCH * 1e9,
        "threads us/batch": threaded_s / count * 1e6,
        "threads ns/obs": threaded_s / count / BATCH * 1e9,
        "put P50 us": float(np.percentile(puts_us, 50)),
        "put P99 us": float(np.percentile(puts_us, 99)),
        "puts over 1 ms": int((puts_us > 1000).sum()),
    }


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks queue", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=80_000, help="batches per run")
    parser.add_argument("--producers", type=int, default=8)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = [row(name, make, arguments) for name, make in kinds().items()]
    settings = {name: getattr(arguments, name) for name in ("count", "producers", "repeat")} | {"batch": BATCH}
    publish("queue", settings, rows, arguments.json)


if __name__ == "__main__":
    main()
