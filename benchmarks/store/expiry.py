"""Observations that expire over a minute beside a stream: what is recalled, what the stream loses, and what comes back.

    python -m benchmarks expiry                                 # a million, beside 20 000 observations a second
    python -m benchmarks expiry --count 100000 --rate 5000      # smaller

A pair is two runs of the same stream with the same recalls beside it, each in a process of its own: one into an empty
space, and one into a space whose observations expire meanwhile, in no order. A hit is late if it was due when its
recall began. Recalls that name the generation before, or hold its snapshot, must find the same all the time; so few
observations pass their filter that each is compared. Afterwards, the disk and the memory have come back once they are
at most a third more than without what expired. The space retains half a minute more than everything takes to expire.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.support.datasets import Synthetic
from benchmarks.support.filled import cues_of, vector_blocks
from benchmarks.support.indexed import IndexedWatch
from benchmarks.support.report import percentiles, publish
from benchmarks.support.steps import in_fresh_process, progress, resident
from engram import Cue, Filter, Hits, MemoryStore, RetentionPolicy, Snapshot, Space

K: Final = 10
_SPACE: Final = "expiring"
_PROBE: Final = "probe"
# So many observations are found by the recalls of the past.
_PROBES: Final = 500
_CUES: Final = 200
_NAMED: Final = 20
_BATCH: Final = 256
_FILL_BATCH: Final = 5_000
_IN_FLIGHT_MAX: Final = 32
# So far behind the rows of any space that the stream repeats none of them.
_STREAM_BLOCK: Final = 2_000_000
_RETAINED_LONGER_S: Final = 30.0
# Compactions let the log take a third more than what is retained.
_BACK: Final = 4 / 3
_COLUMNS: Final = (
    "pair",
    "observations/s",
    "loss %",
    "recalls",
    "hits that expire",
    "late",
    "named recalls",
    "moved",
    "recall P50 ms",
    "recall P99 ms",
    "on disk back after s",
    "of index back after s",
    "own back after s",
)

Found = list[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Setting:
    """What is measured.

    Parameters
    ----------
    count
        Observations that expire.
    dim
        Dimension.
    rate
        Observations a second of the stream.
    recalls
        Recalls a second beside it.
    spread_s
        Seconds in which everything expires, and in which is streamed.
    lead_s
        Seconds from the start to the moment in which the first one expires.
    back_s
        Seconds to wait at most until the disk and the memory have come back.
    """

    count: int
    dim: int
    rate: float
    recalls: float
    spread_s: float
    lead_s: float
    back_s: float


class Room(NamedTuple):
    """What a store takes: on the disk, for its indexes, and of the memory of the process, without mapped files."""

    on_disk: float
    of_index: float
    own: float


class Alone(NamedTuple):
    """What the stream reached without anything that expires, and what the store took then."""

    rate: float
    room: Room


class Recalls:
    """Recalls of now, and of the past, and how many of them were not as they should be.

    Parameters
    ----------
    space
        The space.
    dim
        Its dimension.
    past
        A snapshot; None: nothing is recalled from the past.
    """

    def __init__(self, space: Space, dim: int, past: Snapshot | None) -> None:
        self._space = space
        self._cues = cues_of(_CUES, dim)
        self._past = past
        self._before: list[Found] = []
        if past is not None:
            self._before = [_found(past.recall(self._named(number), K)) for number in range(_NAMED)]
        self.taken_ms: list[float] = []
        self.expiring = self.late = self.named = self.moved = 0

    def look(self) -> None:
        """Recall once, as of now."""
        cue = self._cues[len(self.taken_ms) % _CUES]
        begin_us, begin_s = time.time_ns() // 1000, time.perf_counter()
        hits = self._space.recall(cue, K)
        self.taken_ms.append((time.perf_counter() - begin_s) * 1e3)
        expiries_us = [hit.expires_us for hit in hits if hit.expires_us is not None]
        self.expiring += len(expiries_us)
        self.late += sum(expires_us <= begin_us for expires_us in expiries_us)

    def look_back(self) -> None:
        """Recall once from the past, by the number of its generation and by its snapshot in turn."""
        if self._past is None:
            return
        turn, number = divmod(self.named, _NAMED)
        cue = self._named(number)
        if turn % 2 == 0:
            hits = self._space.recall(cue, K, max_generation=self._past.generation)
        else:
            hits = self._past.recall(cue, K)
        self.named += 1
        self.moved += _found(hits) != self._before[number]

    def let_go(self) -> None:
        """Recall nothing from the past any more."""
        self._past = None

    def _named(self, number: int) -> Cue:
        return Cue(self._cues[number], filter=Filter(tags={_PROBE}))


def alone(setting: Setting) -> Alone:
    """Stream into an empty space."""
    with _opened(setting) as (path, store, space):
        rate = _streamed(space, setting, Recalls(space, setting.dim, None))
        IndexedWatch(space).wait()
        # What is left to be written is part of what a store takes.
        store.checkpoint()
        return Alone(rate, _room(path, space))


def beside(setting: Setting, without: Alone) -> dict[str, Any]:
    """Stream into a space whose observations expire meanwhile; a row of the table."""
    with _opened(setting) as (path, _, space):
        due_s = time.time() + setting.lead_s
        _fill(space, setting, due_s)
        if time.time() > due_s:
            raise SystemExit(f"to store {setting.count:,} observations took longer than --lead {setting.lead_s:g}")
        past = space.snapshot()
        recalls = Recalls(space, setting.dim, past)
        time.sleep(max(0.0, due_s - time.time()))
        rate = _streamed(space, setting, recalls)
        recalls.moved += past.count() != setting.count
        del past
        recalls.let_go()
        back = _back(path, space, recalls, without.room, setting.back_s)
        return {
            "observations/s": rate,
            "alone observations/s": without.rate,
            "loss %": 100 * (1 - rate / without.rate),
            "recalls": len(recalls.taken_ms),
            "hits that expire": recalls.expiring,
            "late": recalls.late,
            "named recalls": recalls.named,
            "moved": recalls.moved,
            **percentiles("recall", recalls.taken_ms),
            **back,
        }


def _streamed(space: Space, setting: Setting, recalls: Recalls) -> float:
    """Stream, and recall beside it; return the rate that was reached."""
    vectors = Synthetic(setting.dim).block(_STREAM_BLOCK)
    with ThreadPoolExecutor(1) as pool:
        streaming = pool.submit(_stream, space, vectors, setting)
        while not streaming.done():
            recalls.look()
            recalls.look_back()
            wait([streaming], 1 / setting.recalls)
    return streaming.result()


def _stream(space: Space, vectors: NDArray[np.float32], setting: Setting) -> float:
    """Observe at the asked rate; return the rate that was reached."""
    waiting: deque[Future[Any]] = deque()
    begin_s, sent = time.perf_counter(), 0
    while (elapsed_s := time.perf_counter() - begin_s) < setting.spread_s:
        time.sleep(max(0.0, sent / setting.rate - elapsed_s))
        row = sent % (len(vectors) - _BATCH)
        ids = [f"new-{number}" for number in range(sent, sent + _BATCH)]
        waiting.append(space.submit(ids, vectors[row : row + _BATCH]))
        sent += _BATCH
        if len(waiting) > _IN_FLIGHT_MAX:
            waiting.popleft().result()
    for future in waiting:
        future.result()
    return sent / (time.perf_counter() - begin_s)


@contextmanager
def _opened(setting: Setting) -> Iterator[tuple[Path, MemoryStore, Space]]:
    with tempfile.TemporaryDirectory(prefix="engram-bench-") as scratch:
        path = Path(scratch) / "store"
        with MemoryStore(path) as store:
            space = store.space(_SPACE, dim=setting.dim)
            space.set_retention(RetentionPolicy(setting.spread_s + _RETAINED_LONGER_S, None))
            yield path, store, space


def _fill(space: Space, setting: Setting, due_s: float) -> None:
    """Store what expires from `due_s` on, in seconds since 1970, and wait until it is linked."""
    rng = np.random.default_rng(11)
    step = max(1, setting.count // _PROBES)
    for begin, vectors in vector_blocks(setting.count, setting.dim):
        for first in range(0, len(vectors), _FILL_BATCH):
            batch = vectors[first : first + _FILL_BATCH]
            numbers = range(begin + first, begin + first + len(batch))
            space.observe(
                [f"old-{number}" for number in numbers],
                batch,
                tags=[[_PROBE] if number % step == 0 else [] for number in numbers],
                expires_at=due_s + setting.spread_s * rng.random(len(batch)),
            )
    IndexedWatch(space).wait()


def _room(path: Path, space: Space) -> Room:
    disk_bytes = 0
    for file in path.rglob("*"):
        # A compaction may remove it right now.
        with contextlib.suppress(FileNotFoundError):
            disk_bytes += 512 * file.stat().st_blocks
    return Room(disk_bytes / 1e6, space.stats().index_bytes / 1e6, resident().own_bytes / 1e6)


def _back(path: Path, space: Space, recalls: Recalls, without: Room, back_s: float) -> dict[str, float | None]:
    """What the store takes, in MB, and the seconds until this is little more than `without` what expired."""
    begin_s = time.perf_counter()
    after_s: dict[str, float | None] = dict.fromkeys(Room._fields)
    now = _room(path, space)
    while None in after_s.values() and time.perf_counter() - begin_s < back_s:
        time.sleep(1.0)
        recalls.look()
        now = _room(path, space)
        for name, taken in now._asdict().items():
            if after_s[name] is None and taken <= _BACK * getattr(without, name):
                after_s[name] = time.perf_counter() - begin_s
    columns: dict[str, float | None] = {}
    for name in Room._fields:
        columns |= {
            f"{name} MB": getattr(now, name),
            f"{name} MB alone": getattr(without, name),
            f"{name.replace('_', ' ')} back after s": after_s[name],
        }
    return columns


def _found(hits: Hits) -> Found:
    return [(hit.id, hit.score) for hit in hits]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks expiry", description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=1_000_000, help="observations that expire (default 1000000)")
    parser.add_argument("--dim", type=int, default=384, help="dimension (default 384)")
    parser.add_argument("--rate", type=float, default=20_000, help="observations a second beside (default 20000)")
    parser.add_argument("--recalls", type=float, default=20, help="recalls a second beside (default 20)")
    parser.add_argument("--spread", type=float, default=60.0, help="seconds in which all expire (default 60)")
    parser.add_argument("--lead", type=float, help="seconds until the first one expires; default: by the count")
    parser.add_argument("--back", type=float, default=300.0, help="seconds to wait for what comes back (default 300)")
    parser.add_argument("--pairs", type=int, default=3, help="pairs of runs (default 3)")
    parser.add_argument("--json", type=Path, help="save the result there")
    arguments = parser.parse_args()
    setting = Setting(
        count=arguments.count,
        dim=arguments.dim,
        rate=arguments.rate,
        recalls=arguments.recalls,
        spread_s=arguments.spread,
        lead_s=arguments.lead or 30 + arguments.count / 5_000,
        back_s=arguments.back,
    )
    rows: list[dict[str, Any]] = []
    for number in range(1, arguments.pairs + 1):
        without = in_fresh_process(alone, setting)
        rows.append({"pair": number, **in_fresh_process(beside, setting, without)})
        progress(f"pair {number} of {arguments.pairs}: {rows[-1]}")
    publish(f"{setting.count:,} observations expire beside a stream", asdict(setting), rows, arguments.json, _COLUMNS)
    if any(row["late"] or row["moved"] for row in rows):
        raise SystemExit("something was recalled after its time, or the past has moved")
    if not all(row["hits that expire"] for row in rows):
        raise SystemExit("no recall has found anything that expires, so nothing was shown")


if __name__ == "__main__":
    main()
