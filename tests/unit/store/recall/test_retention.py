"""How long a snapshot or a standing recall has kept old versions."""

from __future__ import annotations

import sys
import threading

import pytest

from engram.log import log as log_module
from engram.metrics import table
from engram.store import Cue, MemoryStore, Space
from tests.doubles.batches import DIM, vector_of


class Clock:
    """The time of commits and of retention, in microseconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_us = 1_000_000_000
        monkeypatch.setattr(log_module, "now_us", lambda: self.now_us)
        monkeypatch.setattr("engram.store.recall.retention.now_us", lambda: self.now_us)

    def pass_s(self, seconds: int) -> None:
        self.now_us += seconds * 1_000_000


def age_s(space: Space) -> float:
    return space.stats().metrics.value(table.SNAPSHOT_AGE)


def test_the_age_is_that_of_the_oldest_snapshot_since_it_was_overtaken(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    with MemoryStore(None) as store:
        space = store.space("notes", dim=DIM)
        assert age_s(space) == 0
        space.observe("a", vector_of("a"))
        older = space.snapshot()
        clock.pass_s(100)
        assert age_s(space) == 0, "nothing is newer"
        space.delete(["a"])
        newer = space.snapshot()
        clock.pass_s(20)
        assert age_s(space) == 20
        space.observe(["b", "c"], [vector_of("b"), vector_of("c")])
        clock.pass_s(5)
        assert age_s(space) == 25
        del older
        assert age_s(space) == 5
        del newer
        assert age_s(space) == 0


def test_a_standing_recall_that_has_seen_everything_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    with MemoryStore(None) as store:
        space = store.space("notes", dim=DIM)
        with space.recall_stream(Cue(vector_of("a"), score_min=0.5), follow=True):
            assert space.stats().metrics.value(table.STANDING_CUES) == 1
            space.observe("a", vector_of("a"))
            while space._engine.subscriptions.advance():
                pass
            clock.pass_s(100)
            assert age_s(space) == 0


def test_snapshots_can_be_made_while_others_are_listed() -> None:
    with MemoryStore(None) as store:
        space = store.space("notes", dim=DIM)
        space.observe("a", vector_of("a"))
        held: list[object] = []
        maker = threading.Thread(target=lambda: held.extend(space.snapshot() for _ in range(2000)))
        interval_s = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            maker.start()
            while maker.is_alive():
                assert space._engine.retention.horizon <= 1
        finally:
            sys.setswitchinterval(interval_s)
            maker.join()
        assert len(held) == 2000
