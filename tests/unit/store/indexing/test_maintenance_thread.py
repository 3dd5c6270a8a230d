"""The thread that compacts: whoever links is told to look once it is done."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from engram.errors import Unavailable
from engram.store.indexing.maintenance_thread import MaintenanceThread


@pytest.mark.parametrize("failure", [None, Unavailable("no room"), RuntimeError("a fault")])
def test_a_compaction_is_told_of_however_it_ended(failure: Exception | None) -> None:
    done: list[Any] = []

    def compact(horizon: int, go_on: Any) -> None:
        assert (horizon, go_on()) == (7, True)
        done.append("compacted")
        if failure is not None:
            raise failure

    attempt = SimpleNamespace(is_resting=True, failure=failure)
    indexing = SimpleNamespace(
        compaction_is_due=lambda horizon: horizon() == 7,
        compact=compact,
        compaction_attempt=attempt,
        checkpoint_attempt=attempt,
        checkpoint_is_due=lambda: False,
    )

    class Space:
        config = SimpleNamespace(name="notes")
        health = SimpleNamespace(look=lambda: None)
        retention = SimpleNamespace(horizon=7)

    space: Any = Space()
    space.indexing = indexing
    thread = MaintenanceThread(done.append)
    thread.request_due(space)
    thread.start()
    thread._queue.put(None)
    thread._thread.join()
    assert done == ["compacted", space]
