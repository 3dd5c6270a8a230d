"""The thread that compacts logs: what it takes on, and what it survives."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from engram.model.values.retention_policy import RetentionPolicy
from engram.store import MemoryStore, StoreOptions
from engram.store.compaction.compaction_thread import CompactionThread
from engram.store.space_engine import SpaceEngine
from tests.doubles.batches import DIM
from tests.doubles.stored_ids import observe
from tests.doubles.waiting import TIMEOUT_S

# Nothing happens by itself.
QUIET = StoreOptions(segment_bytes=16 << 10, workers=1, mark_interval_s=3600.0, log_compaction_bytes_per_s=0)
IDS = [f"id-{number}" for number in range(40)]


def test_where_nothing_is_compacted_what_was_begun_to_be_erased_is_finished(tmp_path: Path) -> None:
    with MemoryStore(tmp_path, options=QUIET) as store:
        space = store.space("notes", dim=DIM)
        space.set_retention(RetentionPolicy(None, 0))
        for version in range(40):
            observe(space, *IDS, version=version)
        engine = space._engine
        engine.retention.advance()
        assert engine.log_compaction.is_due()
        thread = store._engine._compaction
        unstarted = CompactionThread(0, lambda name: engine)
        unstarted.request(engine)
        assert unstarted._queue.empty(), "there is nothing to finish"
        space.delete([IDS[0]])
        engine._erasure.note([IDS[0]], space.generation)
        unstarted.request(engine)
        assert unstarted._queue.get_nowait() == "notes"
        thread._compact_held("notes")
        assert not engine.log_compaction.is_erasing
        assert engine.log_compaction.compactions == 0
        assert len(space) == len(IDS) - 1


def test_whatever_happens_to_one_space_the_others_are_compacted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    done = threading.Event()

    def opened(name: str) -> SpaceEngine | None:
        if name == "mail":
            raise MemoryError
        done.set()
        return None

    with MemoryStore(tmp_path, options=QUIET) as store:
        engines = [store.space(name, dim=DIM)._engine for name in ("mail", "notes")]
        thread = CompactionThread(1, opened)
        thread.start()
        for engine in engines:
            thread.request(engine)
        assert done.wait(TIMEOUT_S)
        thread.stop()
    assert "compacting the log of space mail failed" in caplog.text
