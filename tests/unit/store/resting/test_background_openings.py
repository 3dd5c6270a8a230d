"""What the threads of a store open for their work takes nothing from those who use spaces, and waits for nobody."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engram.errors import OverCapacity
from engram.store import MemoryStore, StoreOptions
from engram.store.housekeeping import Housekeeping
from engram.store.resting import open_spaces as limits
from engram.store.resting.space_opening import SpaceOpening
from engram.store.resting.space_summaries import FILE
from engram.store.resting.weak_spaces import RestingSpaces, WokenSpace, open_spaces, opened_again
from engram.store.space_engine import SpaceEngine
from tests.doubles.waiting import TIMEOUT_S
from tests.unit.store.resting.test_resting_spaces import NAMES, OPEN_MAX, OPTIONS, contents, damage, filled, open_names

SCRUBBING = StoreOptions(scrub_interval_s=3600.0)
# Every piece takes a round of its own.
SLOW = StoreOptions(scrub_bytes_per_s=1, mark_interval_s=1.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MemoryStore]:
    with MemoryStore(tmp_path, options=OPTIONS) as opened:
        yield opened


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test that waits for room never end."""
    monkeypatch.setattr(limits, "_ROOM_TIMEOUT_S", 3600.0)


def housekeeping_of(store: MemoryStore, options: StoreOptions = SCRUBBING) -> Housekeeping:
    inside = store._engine
    return Housekeeping(
        open_spaces(inside.table), inside._catalogue, options, inside._problems, resting=RestingSpaces(inside.table)
    )


def scrub(housekeeping: Housekeeping) -> None:
    before = housekeeping.scrubs
    while housekeeping.scrubs == before:
        housekeeping._scrub()


def count_scrubs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the spaces that are scrubbed from now on."""
    scrubbed: list[str] = []
    really = SpaceEngine.scrub

    def counted(space: SpaceEngine) -> Iterator[int]:
        scrubbed.append(space.config.name)
        return really(space)

    monkeypatch.setattr(SpaceEngine, "scrub", counted)
    return scrubbed


def hold_all(store: MemoryStore) -> list[SpaceEngine]:
    """As many open spaces as there may be, all of them in use."""
    filled(store)
    return [engine.held() for engine in store._engine.spaces()]


@pytest.mark.parametrize("by", ["the thread", "the caller"])
def test_a_scrub_changes_nothing_about_which_spaces_are_open_and_used(
    store: MemoryStore, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(store)
    for number, engine in enumerate(store._engine.spaces()):
        engine.occupancy.touched = number == 0
    flags = {engine: engine.occupancy.touched for engine in store._engine.spaces()}
    order, scrubbed = list(store._engine.table._open.by_name), count_scrubs(monkeypatch)
    if by == "the thread":
        scrub(housekeeping_of(store))
    else:
        store.scrub()
    assert sorted(scrubbed) == NAMES
    assert {engine: engine.occupancy.touched for engine in store._engine.spaces()} == flags
    assert list(store._engine.table._open.by_name) == order


def test_a_scrub_waits_for_no_room_and_reads_what_rests_nevertheless(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = hold_all(store)
    scrubbed, housekeeping = count_scrubs(monkeypatch), housekeeping_of(store)
    scrub(housekeeping)
    assert (sorted(scrubbed), housekeeping._unread) == (NAMES, set())
    assert store.scrub() == ()
    assert open_names(store) == {engine.config.name for engine in held}
    for engine in held:
        engine.let_go()


def test_what_cannot_be_opened_is_passed_one_by_one_and_read_soon(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = hold_all(store)
    # As threads of the store that are at work.
    beside = [store._engine.table.opened_beside(name) for name in NAMES[:2]]
    for engine in beside:
        assert engine.occupancy.hold(visiting=True)
    missing = set(NAMES) - {engine.config.name for engine in (*held, *beside)}
    housekeeping, rounds = housekeeping_of(store, SLOW), 0
    while housekeeping.scrubs == 0:
        housekeeping._scrub()
        rounds += 1
    assert housekeeping._unread == missing
    assert housekeeping._scrub_due_s < time.monotonic() + 61
    assert rounds > len(missing)
    scrubbed = count_scrubs(monkeypatch)
    with pytest.raises(OverCapacity):
        store.scrub()
    assert set(scrubbed) == set(NAMES) - missing, "all others are checked"
    for engine in held:
        engine.let_go()
    for engine in beside:
        engine.occupancy.release(visiting=True)
    assert open_names(store) == {engine.config.name for engine in held}
    scrub(housekeeping_of(store))
    assert store.scrub() == ()


def test_housekeeping_that_is_told_to_stop_opens_no_further_space(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(store)
    housekeeping, asked = housekeeping_of(store), list[str]()

    def waking() -> Iterator[WokenSpace]:
        for name in NAMES:
            asked.append(name)
            housekeeping._stopped.set()
            yield WokenSpace(name, None, False)

    monkeypatch.setattr(housekeeping._resting, "waking", waking)
    for engine in store._engine.spaces():
        monkeypatch.setattr(engine, "scrub", lambda: iter(()))
    while not housekeeping._stopped.is_set():
        housekeeping._scrub()
    assert (asked, housekeeping.scrubs) == (NAMES[:1], 0)


def test_a_space_that_is_used_while_it_is_checked_stays_open(store: MemoryStore) -> None:
    filled(store)
    engine = store._engine.table.opened_beside(NAMES[0])
    assert engine.occupancy.hold(visiting=True)
    assert contents(store.space(NAMES[0])) == [f"of {NAMES[0]}"]
    engine.occupancy.release(visiting=True)
    assert (engine.occupancy.rests, engine.occupancy.when_left) == (False, None)
    assert len(open_names(store)) == OPEN_MAX + 1
    # The next one who needs room has both rest that are too many.
    assert contents(store.space(NAMES[1])) == [f"of {NAMES[1]}"]
    assert len(open_names(store)) == OPEN_MAX


def test_one_that_is_opened_and_left_alone_is_the_first_to_rest(store: MemoryStore) -> None:
    filled(store)
    before = open_names(store)
    store._engine.table.opened_beside(NAMES[0])
    store._engine.table.opened_beside(NAMES[1])
    store._engine.table.opened_beside(NAMES[2])
    assert before < open_names(store)
    assert len(open_names(store)) == OPEN_MAX + 2


def test_damage_that_is_told_does_not_have_everything_read_again_soon(tmp_path: Path) -> None:
    with MemoryStore(tmp_path, options=OPTIONS) as store:
        filled(store)
    damage(tmp_path, NAMES[4])
    with MemoryStore(tmp_path, options=OPTIONS) as store:
        housekeeping = housekeeping_of(store)
        scrub(housekeeping)
        assert (list(store.unsound), housekeeping._unread) == ([NAMES[4]], set())
        assert housekeeping._scrub_due_s > time.monotonic() + 600


def test_a_lack_of_memory_ends_no_housekeeping(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(store)
    resting = set(NAMES) - open_names(store)

    def fail(*_: Any) -> Any:
        raise MemoryError

    housekeeping = housekeeping_of(store)
    with monkeypatch.context() as short:
        short.setattr(SpaceOpening, "known", fail)
        assert opened_again(store._engine.table)(NAMES[0]) is None
        scrub(housekeeping)
    assert housekeeping._unread == resting
    with monkeypatch.context() as short:
        housekeeping._scrub_due_s = 0.0
        short.setattr(housekeeping._resting, "waking", fail)
        scrub(housekeeping)
    assert [problem.name for problem in store._engine._own_problems().all()] == ["scrub_failed"]
    assert housekeeping._scrub_due_s < time.monotonic() + 61
    housekeeping._scrub_due_s = 0.0
    scrub(housekeeping)
    assert store.problems() == ()


def test_the_thread_goes_on_after_a_round_that_failed(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    housekeeping = housekeeping_of(store, StoreOptions(mark_interval_s=0.001))
    rounds, went_on = [0], threading.Event()

    def failing() -> None:
        rounds[0] += 1
        if rounds[0] > 3:
            went_on.set()
        else:
            raise MemoryError

    monkeypatch.setattr(housekeeping, "_round", failing)
    housekeeping.start()
    assert went_on.wait(TIMEOUT_S)
    housekeeping.stop()
    assert len([record for record in caplog.records if "round" in record.getMessage()]) == 1


def test_what_is_known_of_spaces_is_saved_with_the_list_of_spaces(store: MemoryStore, tmp_path: Path) -> None:
    filled(store)
    housekeeping = housekeeping_of(store)
    housekeeping._round()
    assert not (tmp_path / FILE).exists()
    while not (tmp_path / FILE).exists():
        assert housekeeping._rounds < 60, "every minute"
        housekeeping._round()
