"""Index workers killed again and again while observations stream in: nothing is lost, and the graph catches up.

The long campaign (`make campaigns`) kills one each second for a minute.
"""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from engram.store import MemoryStore, Space, StoreOptions, store_engine
from engram.store.indexing.workers import FaultPoint, Workers
from tests.doubles.waiting import TIMEOUT_S, wait_until_indexed

DIM = 64
BATCH = 256
SPACES = 3
TAIL_MAX = 4_000


class Killed(BaseException):
    """Not an `Exception`: a worker is replaced whatever it dies of."""


class Killer:
    """A fault hook that kills whichever worker comes by first, at a random point, once in every interval."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._random = random.Random(1)
        self._next = threading.Lock()
        self._due_s = time.monotonic() + interval_s
        self._point: FaultPoint = "after link"
        self._died_s: dict[str, float] = {}
        self.kills: list[FaultPoint] = []
        self.away_s: list[float] = []

    def __call__(self, point: FaultPoint) -> None:
        name, now_s = threading.current_thread().name, time.monotonic()
        with self._next:
            if name in self._died_s:
                self.away_s.append(now_s - self._died_s.pop(name))
            if now_s < self._due_s or point != self._point:
                return
            self._due_s = now_s + self._interval_s
            self._point = self._random.choice(("before link", "after link", "between tasks"))
            self._died_s[name] = now_s
            self.kills.append(point)
        raise Killed


def stream(space: Space, seconds: float, seed: int) -> None:
    """Observe as fast as it goes, but not further ahead of the workers than they can make good in a moment."""
    moved = threading.Condition()

    def look(_: int) -> None:
        with moved:
            moved.notify()

    space._engine.add_indexed_listener(look)
    rng = np.random.default_rng(seed)
    deadline_s = time.monotonic() + seconds
    batch = 0
    while time.monotonic() < deadline_s:
        space.observe([f"{batch}-{row}" for row in range(BATCH)], rng.standard_normal((BATCH, DIM), dtype=np.float32))
        batch += 1
        with moved:
            while space.generation - space.indexed_generation >= TAIL_MAX:
                assert moved.wait(TIMEOUT_S), "nothing is indexed any more"


@pytest.mark.parametrize(
    ("seconds", "interval_s"), [(2, 0.05), pytest.param(60, 1, marks=[pytest.mark.campaign, pytest.mark.timeout(600)])]
)
def test_killed_workers_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, interval_s: float
) -> None:
    killer = Killer(interval_s)
    monkeypatch.setattr(store_engine, "Workers", partial(Workers, fault=killer))
    with MemoryStore(tmp_path, options=StoreOptions(workers=3)) as store:
        spaces = [store.space(f"space-{number}", dim=DIM) for number in range(SPACES)]
        with ThreadPoolExecutor(SPACES) as streams:
            for streamed in [streams.submit(stream, space, seconds, i) for i, space in enumerate(spaces)]:
                streamed.result()
        for space in spaces:
            wait_until_indexed(space)
        for space in spaces:
            assert space.indexed_generation == space.generation == space.stats().live_count
            graph = space._engine._state.index.statistics()
            assert graph.linked == graph.slots == space.generation
            assert graph.unreachable == graph.invalid_links == 0
            newest = f"{space.generation // BATCH - 1}-{BATCH - 1}"
            hit = space.get(newest)
            assert hit is not None
            assert hit.vector is not None
            assert newest in {found.id for found in space.recall(hit.vector, k=10)}
    # Only now, when all threads have ended, is everything counted: what one worker has linked another may announce
    # before the first gets to count it, and a worker that dies is counted after its death, when its trace is logged.
    statistics = store.worker_statistics()
    print(report(killer, spaces, store))
    # Every observation was linked exactly once, whoever died meanwhile.
    assert sum(worker.observations for worker in statistics) == sum(space.generation for space in spaces)
    assert sum(worker.restarts for worker in statistics) == len(killer.kills) > 0


def report(killer: Killer, spaces: list[Space], store: MemoryStore) -> str:
    """What happened, for whoever runs the campaign."""
    points = {point: killer.kills.count(point) for point in sorted(set(killer.kills))}
    lines = [
        f"kills {len(killer.kills)}: {points}; back at work after at most {max(killer.away_s, default=0):.3f} s",
        f"observations {sum(space.generation for space in spaces):,}, all indexed",
        *map(str, store.worker_statistics()),
    ]
    return "\n".join(lines)
