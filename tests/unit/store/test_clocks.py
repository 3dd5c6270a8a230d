"""A wall clock that runs ahead and comes back, or is behind: what is recalled by time, and what is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from engram.errors import FailedPrecondition
from engram.log import log as log_module
from engram.store import MemoryStore, Space, StoreOptions
from tests.doubles.batches import DIM, vector_of

START_S = 1_700_000_000
DAY_S = 86_400


class Clocks:
    """A wall clock that can be set, and the time that has really passed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.elapsed_s = 0
        self.ahead_s = 0
        monkeypatch.setattr(log_module, "now_us", self.wall_us)
        monkeypatch.setattr("engram.store.recall.retention.now_us", self.wall_us)
        monkeypatch.setattr("engram.store.age_clock.now_us", self.wall_us)
        monkeypatch.setattr("engram.store.age_clock.steady_us", lambda: self.elapsed_s * 1_000_000)

    def wall_us(self) -> int:
        """What the wall clock shows."""
        return (START_S + self.elapsed_s + self.ahead_s) * 1_000_000


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    return Clocks(monkeypatch)


def store_one(space: Space, id: str) -> None:
    space.observe(id, vector_of(id))


def found_at(space: Space, seconds: float) -> list[str]:
    """The ids that are recalled as of so many seconds after the start, by a clock that was never wrong."""
    return sorted(hit.id for hit in space.recall(vector_of("a"), snapshot_time=START_S + seconds))


@pytest.mark.parametrize("restarts", [False, True])
def test_a_clock_once_ahead_by_a_day_makes_recall_by_time_wrong_only_for_what_was_stored_then(
    tmp_path: Path, clocks: Clocks, restarts: bool
) -> None:
    def reopened(store: MemoryStore) -> MemoryStore:
        if not restarts:
            return store
        store.close()
        return MemoryStore(tmp_path)

    store = MemoryStore(tmp_path)
    store_one(store.space("notes", dim=DIM), "a")
    clocks.elapsed_s, clocks.ahead_s = 10, DAY_S
    store_one(store.space("notes"), "b")
    store = reopened(store)
    clocks.elapsed_s, clocks.ahead_s = 20, 0
    assert found_at(store.space("notes"), 19) == ["a"], "nothing has told yet that the clock was wrong"
    store_one(store.space("notes"), "c")
    store = reopened(store)
    clocks.elapsed_s = 30
    store_one(store.space("notes"), "d")
    with reopened(store) as store:
        space = store.space("notes")
        assert [found_at(space, at) for at in (0, 19, 20, 29, 30)] == [
            ["a"],
            ["a"],
            ["a", "b", "c"],
            ["a", "b", "c"],
            ["a", "b", "c", "d"],
        ]
        assert found_at(space, DAY_S + 5) == ["a", "b", "c", "d"]


def test_the_times_that_the_clock_gave_are_stored(tmp_path: Path, clocks: Clocks) -> None:
    with MemoryStore(tmp_path) as store:
        space = store.space("notes", dim=DIM)
        store_one(space, "a")
        clocks.ahead_s = DAY_S
        store_one(space, "b")
        clocks.ahead_s = -DAY_S
        store_one(space, "c")
    with MemoryStore(tmp_path) as store:
        records = store.space("notes")._engine._state.log.records()
        shown = [record.committed_us // 1_000_000 - START_S for record in records]
        assert shown == [0, DAY_S, -DAY_S]


def test_a_clock_that_jumps_ahead_lets_nothing_be_dropped_that_is_not_due(clocks: Clocks) -> None:
    with MemoryStore(None, options=StoreOptions(retained_s=100)) as store:
        space = store.space("notes", dim=DIM)
        store_one(space, "a")
        clocks.elapsed_s = 10
        store_one(space, "a")
        clocks.ahead_s = DAY_S
        assert space._engine.retention.oldest == 0
        assert space.recall(vector_of("a"), max_generation=1)
        clocks.elapsed_s = 105
        assert space._engine.retention.oldest == 1, "what became the past 95 seconds ago is kept"
        clocks.elapsed_s = 111
        assert space._engine.retention.oldest == 2
        with pytest.raises(FailedPrecondition) as refusal:
            space.recall(vector_of("a"), max_generation=1)
        assert refusal.value.code == "snapshot_expired"


def test_what_was_current_at_a_retained_time_is_recalled_though_a_record_after_it_was_erased(clocks: Clocks) -> None:
    with MemoryStore(None, options=StoreOptions(retained_s=100)) as store:
        space = store.space("notes", dim=DIM)
        for at, id in ((0, "a"), (10, "b"), (20, "c"), (60, "d")):
            clocks.elapsed_s = at
            store_one(space, id)
        clocks.elapsed_s = 61
        space.erase(["b", "c"])
        assert [found_at(space, at) for at in (0, 15, 30, 60)] == [["a"], ["a"], ["a"], ["a", "d"]]
        clocks.elapsed_s = 125
        assert space._engine.retention.oldest == 3, "the last generation before what was committed a minute ago"
        assert [found_at(space, at) for at in (30, 60, 100)] == [["a"], ["a", "d"], ["a", "d"]]


def test_a_clock_that_was_behind_makes_nothing_look_old(clocks: Clocks) -> None:
    with MemoryStore(None, options=StoreOptions(retained_s=100)) as store:
        space = store.space("notes", dim=DIM)
        store_one(space, "a")
        clocks.elapsed_s, clocks.ahead_s = 10, -DAY_S
        store_one(space, "a")
        clocks.elapsed_s, clocks.ahead_s = 20, 0
        assert space._engine.retention.oldest == 0
        clocks.elapsed_s = 350
        assert space._engine.retention.oldest == 2
