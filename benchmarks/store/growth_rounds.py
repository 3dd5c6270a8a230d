"""Disk and memory after each of many rounds in which the same ids are observed again, and what is left at rest."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from benchmarks.store.growing import SPACE, Load
from benchmarks.support.chart import Panel
from benchmarks.support.disk import disk_bytes
from benchmarks.support.indexed import IndexedWatch
from benchmarks.support.steps import in_fresh_process, progress, resident
from engram import MemoryStore, RetentionPolicy, Space
from engram.log.segments.segment import LOG_DIRECTORY
from engram.store.compaction.pace import Pace
from engram.store.directory import SPACES
from engram.store.indexing.checkpoints import DIRECTORY as CHECKPOINTS

RETENTIONS: Final[Mapping[str, RetentionPolicy]] = {
    "nothing": RetentionPolicy(0.0, 0),
    # As many dead versions as live ones.
    "one round": RetentionPolicy(None, 0),
    "default": RetentionPolicy(),
}
COLUMNS: Final = (
    "retained",
    "rounds",
    "disk MB",
    "disk growth %",
    "disk peak growth %",
    "own MB",
    "own growth %",
    "own peak growth %",
    "live MB",
    "log / live",
    "all / live",
    "all / retained",
)
_DISK: Final = "disk MB by round"
_OWN: Final = "own MB by round"
_MAPPED: Final = "mapped MB by round"
# Rounds that are averaged at each end, as compactions make a line go up and down.
_ENDS: Final = 5


def grow(load: Load, rounds: int, retained: Sequence[str], folder: Path | None) -> list[dict[str, Any]]:
    """Return a row for each of these retentions; each is measured in a process of its own."""
    rows = []
    for name in retained:
        with tempfile.TemporaryDirectory(prefix="engram-bench-", dir=folder) as scratch:
            rows.append(in_fresh_process(_grow, name, Path(scratch) / "data", load, rounds))
    return rows


def panels(rows: Sequence[Mapping[str, Any]]) -> list[Panel]:
    """Return charts of what `grow` returned."""
    return [
        Panel(title, "rounds", {row["retained"]: row[column] for row in rows})
        for title, column in (("on the disk, MB", _DISK), ("own memory, MB", _OWN))
    ]


def growth_percent(values: Sequence[float], settled: int) -> float | str:
    """Return by how much the last values are larger than the first ones behind the first `settled`.

    It is empty if there are too few to say so.
    """
    behind = values[settled:]
    if len(behind) < 2 * _ENDS:
        return ""
    return 100 * (fmean(behind[-_ENDS:]) / fmean(behind[:_ENDS]) - 1)


def peak_growth_percent(values: Sequence[float], settled: int) -> float | str:
    """Return by how much the largest value of the last half is larger than that of the first, behind `settled`.

    What is compacted goes up and down: a mean of a few rounds tells where these are between two compactions, and peaks
    tell whether it has a bound. It is empty if there are too few to say so.
    """
    behind = values[settled:]
    half = len(behind) // 2
    return 100 * (max(behind[half:]) / max(behind[:half]) - 1) if half >= _ENDS else ""


def _grow(name: str, data: Path, load: Load, rounds: int) -> dict[str, Any]:
    policy = RETENTIONS[name]
    lines: dict[str, list[float]] = {_DISK: [], _OWN: [], _MAPPED: []}
    with MemoryStore(data) as store:
        space = store.space(SPACE, dim=load.dim)
        space.set_retention(policy)
        indexed = IndexedWatch(space)
        for number in range(rounds):
            load.write(space, number)
            indexed.wait()
            held = resident()
            for line, nbytes in ((_DISK, disk_bytes(data)), (_OWN, held.own_bytes), (_MAPPED, held.mapped_bytes)):
                lines[line].append(nbytes / 1e6)
        progress(f"{name}: {rounds} rounds of {load.ids} ids")
        sizes = _come_to_rest(store, space, load, rounds - 1)
    settled = _rounds_kept(policy, load.ids) + 2
    return {
        "retained": name,
        "rounds": rounds,
        "settled after": settled,
        "disk MB": lines[_DISK][-1],
        "disk growth %": growth_percent(lines[_DISK], settled),
        "disk peak growth %": peak_growth_percent(lines[_DISK], settled),
        "own MB": lines[_OWN][-1],
        "own growth %": growth_percent(lines[_OWN], settled),
        "own peak growth %": peak_growth_percent(lines[_OWN], settled),
        **sizes,
        **_at_rest(data / SPACES / SPACE, sizes),
        **lines,
    }


def _come_to_rest(store: MemoryStore, space: Space, load: Load, last: int) -> dict[str, float]:
    """Drop all that can be dropped; return the sizes of what is left, as it is encoded."""
    engine = space._engine
    engine.retention.advance()
    # As the housekeeping does, if a third of the graph can be dropped for half a minute.
    engine.indexing.compact(engine.retention.horizon, lambda: True)
    # As the compaction thread does, once the horizon has not moved for a minute.
    engine.log_compaction.run(Pace(0, lambda: True), thorough=True)
    store.checkpoint()
    live = sum(batch.encoded_bytes for batch in load.batches(last)) / 1e6
    # Each generation behind the oldest one that is retained has ended a version.
    dead_share = (space.generation - engine.retention.oldest) / load.ids
    return {"live MB": live, "retained MB": live * (1 + dead_share), "records MB": engine.log_bytes / 1e6}


def _at_rest(directory: Path, sizes: Mapping[str, float]) -> dict[str, float]:
    """Return what the files of a closed space take, and how much that is of what is in them."""
    log, checkpoints = (disk_bytes(directory / name) / 1e6 for name in (LOG_DIRECTORY, CHECKPOINTS))
    return {
        "log MB": log,
        "checkpoints MB": checkpoints,
        "log / live": log / sizes["live MB"],
        "all / live": (log + checkpoints) / sizes["live MB"],
        "all / retained": (log + checkpoints) / sizes["retained MB"],
    }


def _rounds_kept(policy: RetentionPolicy, ids: int) -> int:
    """Return how many rounds of dead versions are retained at most."""
    if policy.history_s == 0:
        return 0
    return 1 + -(-(policy.dead_count or 0) // ids)
