"""A server with one fault, to see its alerts: ``python -m tests.integration.faulty_server FAULT serve ...``."""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections.abc import Callable
from functools import partial

from engram.cli.main import main
from engram.store import store_engine
from engram.store.indexing.workers import FaultPoint, Workers

# A worker dies with every so many batches: often enough to be seen, and seldom enough that it links something.
BATCHES_PER_DEATH = 3
# Much more than a commit may take before somebody is told.
SYNC_S = 0.2
# Longer than any alert of the fast variant waits.
LINK_S = 90.0


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
    """Make every batch of an index worker take very long."""
    _replace_workers(lambda point: time.sleep(LINK_S) if point == "before link" else None)


def _replace_workers(fault: Callable[[FaultPoint], None]) -> None:
    setattr(store_engine, "Workers", partial(Workers, fault=fault))  # noqa: B010 - a type checker objects to the other way.


FAULTS = {"dying-workers": dying_workers, "slow-disk": slow_disk, "lagging-index": lagging_index}

if __name__ == "__main__":
    FAULTS[sys.argv.pop(1)]()
    main()
