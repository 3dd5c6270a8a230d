"""``engram compact``: drop from the logs of a data directory what their spaces no longer retain."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from engram.errors import EngramError, NotFound
from engram.maintenance.progress import Counter, OnProgress, unseen
from engram.model.values.retention_policy import RetentionPolicy
from engram.model.values.sequences import as_texts
from engram.store.directory import check_path
from engram.store.options import StoreOptions
from engram.store.space_engine import SpaceEngine
from engram.store.store_engine import StoreEngine


@dataclass(frozen=True, slots=True)
class CompactedSpace:
    """The result for one space.

    Parameters
    ----------
    name
        Name of the space.
    retention
        How much of its history it retains.
    oldest_generation
        Oldest generation that can be recalled.
    log_bytes
        Size of the records that are left; in a dry run, of those that there are.
    freed_bytes
        Bytes that became free on the disk; in a dry run, about how many would.
    """

    name: str
    retention: RetentionPolicy
    oldest_generation: int
    log_bytes: int
    freed_bytes: int


@dataclass(slots=True)
class CompactReport:
    """The result of a compaction.

    Parameters
    ----------
    path
        Path of the data directory.
    is_dry
        Whether nothing was changed.
    spaces
        The spaces that were compacted.
    failed
        The spaces that could not be, by name, each with the reason.
    """

    path: str
    is_dry: bool
    spaces: list[CompactedSpace] = field(default_factory=list)
    failed: dict[str, EngramError] = field(default_factory=dict)

    def values(self) -> dict[str, Any]:
        """Return the report as values for JSON."""
        return {
            "path": self.path,
            "dry_run": self.is_dry,
            "spaces": [asdict(space) for space in self.spaces],
            "failed": [
                {"space": name, "code": error.code, "message": error.message} for name, error in self.failed.items()
            ],
        }


def compact(
    path: str | os.PathLike[str],
    *,
    spaces: Sequence[str] = (),
    is_dry: bool = False,
    on_progress: OnProgress = unseen,
) -> CompactReport:
    """Compact the logs of a data directory that no process has open for writing. A server does so by itself.

    Parameters
    ----------
    path
        The data directory.
    spaces
        Names of the spaces; empty for all.
    is_dry
        Whether to change nothing, and only say about how much would become free.
    on_progress
        Function that receives the progress.

    Raises
    ------
    InvalidInput
        If `path` is no path, or `spaces` is not a list of names.
    NotFound
        If there is no such data directory or space.
    StoreLocked
        If a process has the directory open for writing.
    Unavailable
        If the directory cannot be read.
    """
    check_path(path)
    spaces = as_texts("spaces", spaces, '["notes"]')
    if not Path(path).is_dir():
        raise NotFound(f"there is no data directory {path}", code="no_data", field="path", value=os.fspath(path))
    report = CompactReport(os.fspath(path), is_dry)
    # Nothing is done by the store itself meanwhile, and each space is opened when its turn comes.
    options = StoreOptions(log_compaction_bytes_per_s=0, scrub_bytes_per_s=0, spaces_at_start_max=0)
    with StoreEngine(path, options=options, read_only=is_dry, creates=False) as store:
        there = store.table.names()
        for name in spaces:
            if name not in there:
                raise NotFound(f"there is no space {name!r}", code="unknown_space", field="space", value=name)
        for name in there:
            if name in spaces or not spaces:
                _compact_opened(store, name, report, on_progress)
    return report


def _compact_opened(store: StoreEngine, name: str, report: CompactReport, on_progress: OnProgress) -> None:
    try:
        opened = store.reopened(name)
    except EngramError as error:
        report.failed[name] = error
        return
    with opened.kept_open() as space:
        _compact_space(space, report, on_progress)


def _compact_space(space: SpaceEngine, report: CompactReport, on_progress: OnProgress) -> None:
    name, compaction = space.config.name, space.log_compaction
    space.retention.advance()
    counter = Counter(on_progress, "looking at" if report.is_dry else "compacting", name)
    freed = 0
    try:
        if report.is_dry:
            freed = compaction.freeable_bytes()
        else:
            compaction.run(counter.add, thorough=True)
            freed = compaction.freed_bytes
    except EngramError as error:
        report.failed[name] = error
        return
    report.spaces.append(CompactedSpace(name, space.retention.policy, space.retention.oldest, space.log_bytes, freed))
