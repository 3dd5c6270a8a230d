"""The same data with generations from 1 on, and from a thousand million on, as after years: memory, start, recalls."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.store.growing import ROOMS, SHELVES, SPACE, Load
from benchmarks.store.growth_rounds import RETENTIONS
from benchmarks.support.indexed import IndexedWatch
from benchmarks.support.paired import ratio_of
from benchmarks.support.steps import in_fresh_process, progress, resident
from engram import Cue, F, MemoryStore, Space, StoreOptions
from engram.log.files.file_storage import FileStorage
from engram.log.log import Log
from engram.log.manifest import Manifest
from engram.log.records.entry import LogEntry
from engram.log.records.header import RecordKind
from engram.log.records.progress import Horizon, SessionProgress
from engram.log.segments.segment import LOG_DIRECTORY
from engram.store.compaction.pace import Pace
from engram.store.directory import SPACES

HIGH: Final = 10**9
_ROUNDS: Final = 5
_QUERIES: Final = 300
# Each directory is opened so many times, in turns.
_TURNS: Final = 3
_K: Final = 10
# A kill leaves a checkpoint of so many; what came later is linked anew at the next start.
_ROUNDS_SAVED: Final = 3
# Compactions are made between the rounds, and the checkpoint behind one, so that they are the same in each run. That of
# the graph would end in a checkpoint, at some moment while the directory is copied.
_OPTIONS: Final = StoreOptions(
    mark_interval_s=3600.0,
    checkpoint_count_min=10**9,
    compaction_count_min=10**9,
    log_compaction_bytes_per_s=0,
    scrub_bytes_per_s=0,
)


def counter(load: Load, pairs: int, folder: Path | None) -> list[dict[str, Any]]:
    """Return a row for each measure, with the ratio of the high counter to the low one."""
    found: dict[int, list[Mapping[str, float]]] = {0: [], HIGH: []}
    for pair in range(pairs):
        with tempfile.TemporaryDirectory(prefix="engram-bench-", dir=folder) as scratch:
            for behind, measured in _pair(Path(scratch), load, pair).items():
                found[behind].append(measured)
        progress(f"pair {pair + 1} of {pairs}")
    rows = []
    for measure in found[0][0]:
        low, high = ([one[measure] for one in found[behind]] for behind in (0, HIGH))
        ratio = ratio_of(high, low)._asdict()
        rows.append({"measure": measure, "from 1": median(low), f"from {HIGH:.0e}": median(high), **ratio})
    return rows


def _pair(scratch: Path, load: Load, pair: int) -> dict[int, Mapping[str, float]]:
    """Return what is measured of the same data behind each of both counters, which take turns in everything."""
    closed, killed = ({behind: scratch / f"{end}-{behind}" for behind in (0, HIGH)} for end in ("closed", "killed"))
    opened: dict[int, list[Mapping[str, float]]] = {0: [], HIGH: []}
    for behind in _order(pair):
        in_fresh_process(_fill, closed[behind], killed[behind], load, behind)
    for turn in range(_TURNS):
        for behind in _order(pair + turn):
            # Who opens it completes it, so each opens a copy of what the kill has left.
            left = shutil.copytree(killed[behind], scratch / "left")
            after_kill = in_fresh_process(_open, left, load.dim)
            shutil.rmtree(left)
            starts = {f"after a kill: {name}": value for name, value in after_kill.items() if name.endswith(" ms")}
            opened[behind].append({**in_fresh_process(_open, closed[behind], load.dim), **starts})
    recalled = in_fresh_process(_recall_in_turn, closed, load.dim)
    return {
        behind: {name: median(one[name] for one in turns) for name in turns[0]} | recalled[behind]
        for behind, turns in opened.items()
    }


def _order(turn: int) -> tuple[int, int]:
    return (0, HIGH) if turn % 2 == 0 else (HIGH, 0)


def begin_behind(space: Path, dim: int, generation: int) -> None:
    """Let the first observation of an empty space, which is not open, get the generation behind `generation`.

    Its log begins with a record that covers everything up to there, as a compacted segment ends with.

    Parameters
    ----------
    space
        Directory of the space.
    """
    storage = FileStorage(space)
    try:
        log = Log.open(storage.directory(LOG_DIRECTORY), Manifest.read(storage), dim)
        nothing = SessionProgress([], np.zeros((0, 4), dtype=np.uint64), Horizon())
        log.append([LogEntry(RecordKind.PROGRESS, generation, progress=nothing)], gaps=True)
        log.sync()
        log.close()
    finally:
        storage.close()


def _fill(closed: Path, killed: Path, load: Load, behind: int) -> None:
    """Write the rounds to a directory, and leave it as it is after a clean stop, and as it is after a kill."""
    with MemoryStore(closed, options=_OPTIONS) as store:
        store.space(SPACE, dim=load.dim).set_retention(RETENTIONS["one round"])
    if behind:
        begin_behind(closed / SPACES / SPACE, load.dim, behind)
    with MemoryStore(closed, options=_OPTIONS) as store:
        space = store.space(SPACE)
        indexed = IndexedWatch(space)
        for number in range(_ROUNDS):
            load.write(space, number)
            indexed.wait()
            space._engine.retention.advance()
            space._engine.log_compaction.run(Pace(0, lambda: True))
            if number + 1 == _ROUNDS_SAVED:
                store.checkpoint()
        assert space.generation == behind + _ROUNDS * load.ids
        shutil.copytree(closed, killed, ignore=shutil.ignore_patterns("LOCK"))


def _open(data: Path, dim: int) -> dict[str, float]:
    """Open a directory; return when it answers, when all is linked, and what it holds."""
    query = np.random.default_rng(3).standard_normal(dim, dtype=np.float32)
    before, begin_s = resident(), time.perf_counter()
    with MemoryStore(data, options=_OPTIONS) as store:
        space = store.space(SPACE)
        space.recall(query, k=_K)
        answered_s = time.perf_counter() - begin_s
        IndexedWatch(space).wait()
        linked_s = time.perf_counter() - begin_s
        return {
            "answers after ms": answered_s * 1e3,
            "all linked after ms": linked_s * 1e3,
            "own MB": (resident().own_bytes - before.own_bytes) / 1e6,
        }


def _recall_in_turn(data: Mapping[int, Path], dim: int) -> dict[int, dict[str, float]]:
    """Open both directories in one process, and return how long recalls take in each."""
    queries = np.random.default_rng(3).standard_normal((_QUERIES, dim), dtype=np.float32)
    with MemoryStore(data[0], options=_OPTIONS) as low, MemoryStore(data[HIGH], options=_OPTIONS) as high:
        spaces = {0: low.space(SPACE), HIGH: high.space(SPACE)}
        for space in spaces.values():
            IndexedWatch(space).wait()
        sevenths, hundredths = (
            _recall(spaces, queries, key, count) for key, count in (("room", ROOMS), ("shelf", SHELVES))
        )
    return {
        behind: {
            "recalls of a seventh us": sevenths[behind],
            "recalls of a hundredth us": hundredths[behind],
        }
        for behind in spaces
    }


def _recall(spaces: Mapping[int, Space], queries: NDArray[np.float32], key: str, count: int) -> dict[int, float]:
    """Return the median time of recalls with a filter that one of `count` observations passes, in microseconds."""
    times_s: dict[int, list[float]] = {behind: [] for behind in spaces}
    for number, query in enumerate(queries):
        cue = Cue(query, filter=F[key] == number % count)
        for behind in _order(number):
            begin_s = time.perf_counter()
            hits = spaces[behind].recall(cue, k=_K)
            times_s[behind].append(time.perf_counter() - begin_s)
            assert len(hits) == _K
    return {behind: median(times) * 1e6 for behind, times in times_s.items()}
