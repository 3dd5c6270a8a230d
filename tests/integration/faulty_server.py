"""A server with one fault, to see what it tells: ``python -m tests.integration.faulty_server FAULT serve ...``.

A fault with a switch lasts as long as there is a file beside the data directory, with its name and the suffix of the
switch.
"""

from __future__ import annotations

import errno
import itertools
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from engram.cli.main import main
from engram.index import HnswIndex
from engram.log.files.file_storage import FileStorage
from engram.log.files.os_errors import typed_failures
from engram.model.priority import Priority
from engram.server import options
from engram.store import store_engine
from engram.store.indexing import index_maintenance
from engram.store.indexing.attempt import Attempt
from engram.store.indexing.checkpoints import Checkpoints
from engram.store.indexing.index_maintenance import IndexMaintenance
from engram.store.indexing.workers import FaultPoint, Workers
from engram.store.recall.ranked import Ranked
from engram.store.recall.search import Search
from engram.streaming.lanes.lane import LaneLimits

# A worker dies with every so many batches: often enough to be seen, and seldom enough that it links something.
BATCHES_PER_DEATH = 3
# Much more than a commit may take before somebody is told.
SYNC_S = 0.2
# Longer than any alert of the fast variant waits.
LINK_S = 90.0
LANE_COUNT_MAX = 100
HELD_DISK = ".held-disk"
HELD_INDEX = ".held-index"
REFUSED_SYNCS = ".refused-syncs"
REFUSED_CHECKPOINTS = ".refused-checkpoints"
FULL_DISK = ".full-disk"
_LOOK_S = 0.01


class Killed(BaseException):
    """Not an `Exception`: a worker is replaced whatever it dies of."""


def dying_workers() -> None:
    """Kill an index worker again and again."""
    counts = itertools.count(1)

    def fault(point: FaultPoint) -> None:
        if point == "after link" and next(counts) % BATCHES_PER_DEATH == 0:
            raise Killed

    _replace_workers(fault)


def slow_disk() -> None:
    """Make every sync take long."""
    sync = os.fdatasync

    def slow(descriptor: int) -> None:
        time.sleep(SYNC_S)
        sync(descriptor)

    os.fdatasync = slow  # type: ignore[assignment]  # It takes what the log passes.


def lagging_index() -> None:
    """Make every batch of an index worker take very long. Where there is nothing to link, the worker stays free."""
    link = IndexMaintenance.link

    def slow(indexing: IndexMaintenance, limit: int) -> int:
        if indexing.pending:
            time.sleep(LINK_S)
        return link(indexing, limit)

    setattr(IndexMaintenance, "link", slow)  # noqa: B010 - a type checker objects to the other way.


def held() -> None:
    """Let syncs and index workers wait while their switches are there. The lanes are small, so that they fill."""
    data = Path(sys.argv[sys.argv.index("--data") + 1])
    sync = os.fdatasync

    def wait(switch: str) -> None:
        while data.with_suffix(switch).exists():
            time.sleep(_LOOK_S)

    def held_sync(descriptor: int) -> None:
        wait(HELD_DISK)
        sync(descriptor)

    os.fdatasync = held_sync  # type: ignore[assignment]  # It takes what the log passes.
    _replace_workers(lambda point: wait(HELD_INDEX) if point == "before link" else None)
    small = dict.fromkeys(Priority, LaneLimits(LANE_COUNT_MAX, 1 << 20))
    setattr(options, "DEFAULT_LIMITS", small)  # noqa: B010 - a type checker objects to the other way.


def refusing() -> None:
    """Refuse syncs of logs, checkpoints, or files that need more room, while their switches are there.

    Checkpoints are due as soon as something was indexed.
    """
    data = Path(sys.argv[sys.argv.index("--data") + 1])
    sync, write, allocate, free = os.fdatasync, Checkpoints.write, os.posix_fallocate, FileStorage.free_bytes

    def refuse(switch: str, number: int) -> None:
        if data.with_suffix(switch).exists():
            raise OSError(number, os.strerror(number))

    def refused_sync(descriptor: int) -> None:
        refuse(REFUSED_SYNCS, errno.EIO)
        sync(descriptor)

    def refused_write(checkpoints: Checkpoints, index: HnswIndex) -> int:
        with typed_failures("writing a checkpoint"):
            refuse(REFUSED_CHECKPOINTS, errno.ENOSPC)
        return write(checkpoints, index)

    def refused_room(descriptor: int, offset: int, nbytes: int) -> None:
        refuse(FULL_DISK, errno.ENOSPC)
        allocate(descriptor, offset, nbytes)

    def free_bytes(storage: FileStorage) -> int | None:
        return 0 if data.with_suffix(FULL_DISK).exists() else free(storage)

    os.fdatasync, os.posix_fallocate = refused_sync, refused_room  # type: ignore[assignment]  # What the log passes.
    setattr(Checkpoints, "write", refused_write)  # noqa: B010 - a type checker objects to the other way.
    setattr(FileStorage, "free_bytes", free_bytes)  # noqa: B010
    due = IndexMaintenance.checkpoint_is_due

    def soon_due(indexing: IndexMaintenance) -> bool:
        state = indexing._state
        is_new = state.index.indexed_generation > state.checkpoint_generation
        return due(indexing) or (is_new and indexing.checkpoint_attempt.failure is None)

    setattr(IndexMaintenance, "checkpoint_is_due", soon_due)  # noqa: B010
    # What failed is tried again soon.
    setattr(index_maintenance, "Attempt", partial(Attempt, 0.1))  # noqa: B010


def forgetful_search() -> None:
    """Let searches miss every second observation."""
    best = Search.best

    def worse(*arguments: Any) -> Ranked:
        found = best(*arguments)
        return found.where(found.generations % 2 == 1)

    setattr(Search, "best", worse)  # noqa: B010 - a type checker objects to the other way.


def none() -> None:
    """Change nothing: the fault is elsewhere."""


def _replace_workers(fault: Callable[[FaultPoint], None]) -> None:
    setattr(store_engine, "Workers", partial(Workers, fault=fault))  # noqa: B010 - a type checker objects to the other way.


FAULTS = {
    "dying-workers": dying_workers,
    "slow-disk": slow_disk,
    "lagging-index": lagging_index,
    "held": held,
    "refusing": refusing,
    "forgetful-search": forgetful_search,
    "none": none,
}

if __name__ == "__main__":
    FAULTS[sys.argv.pop(1)]()
    main()
