"""The tail's limit: exact with many callers, told with a retry time, waited for by those who wait anyway."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import pytest

from engram.errors import EngramError, OverCapacity
from engram.store import MemoryStore
from engram.store.commit.tail_budget import SpaceRests, TailBudget
from engram.store.indexing.workers import Workers
from engram.store.options import StoreOptions
from tests.doubles.batches import batch_of
from tests.doubles.fake_space import ManualClock
from tests.doubles.waiting import wait_until_indexed


@dataclass
class FakeIndex:
    """Two watermarks."""

    dim: int = 8
    visible_generation: int = 0
    indexed_generation: int = 0


def make_tail(count_max: int = 100, bytes_max: int = 10**9, clock: Any = None) -> tuple[TailBudget, FakeIndex]:
    index: Any = FakeIndex()
    return TailBudget(index, count_max, bytes_max, 1.0, clock or ManualClock()), index


def commit(tail: TailBudget, index: FakeIndex, count: int) -> None:
    index.visible_generation += count
    tail.release(count)


def test_what_is_on_its_way_counts_like_what_is_there() -> None:
    tail, index = make_tail()
    tail.reserve(60)
    assert tail.count == 60
    commit(tail, index, 60)
    assert tail.count == 60
    with pytest.raises(OverCapacity) as caught:
        tail.reserve(41)
    assert (caught.value.code, caught.value.field) == ("tail_full", "tail_observations")
    assert (caught.value.limit, caught.value.value) == ("100", "101")
    tail.reserve(40)
    index.indexed_generation = 50
    assert tail.count == 50


def test_what_is_visible_before_it_is_answered_counts_once() -> None:
    tail, index = make_tail()
    tail.reserve(60)
    index.visible_generation = 60
    assert tail.count == 60
    index.indexed_generation = 20
    assert tail.count == 40
    tail.release(60)
    assert tail.count == 40


def test_what_was_refused_elsewhere_gives_its_room_back() -> None:
    tail, _ = make_tail()
    tail.reserve(100)
    tail.release(100)
    tail.reserve(100)


def test_bytes_are_a_limit_too_and_are_named() -> None:
    tail, _ = make_tail(count_max=100, bytes_max=8 * 4 * 10)
    assert tail.limit == 10
    with pytest.raises(OverCapacity) as caught:
        tail.reserve(11)
    assert (caught.value.field, caught.value.limit, caught.value.value) == ("tail_bytes", "320", "352")
    assert caught.value.retry_after_ms is None, "what is larger than the tail never fits"


def test_the_retry_time_follows_the_measured_linking() -> None:
    clock = ManualClock()
    tail, index = make_tail(clock=clock)
    tail.reserve(100)
    commit(tail, index, 100)
    for indexed in (10, 20, 30):
        index.indexed_generation = indexed
        tail.moved(indexed)
        clock.advance(0.1)
    tail.reserve(30)
    with pytest.raises(OverCapacity) as caught:
        tail.reserve(20)
    assert caught.value.retry_after_ms == 200


def test_many_callers_never_exceed_the_limit() -> None:
    """Eight threads reserve, commit and link as fast as they can; the limit holds at every moment."""
    tail, index = make_tail(count_max=50)
    publishing = threading.Lock()
    highest: list[int] = []
    admitted = [0] * 8

    def work(number: int) -> None:
        for _ in range(500):
            try:
                tail.reserve(7)
            except OverCapacity:
                with publishing:
                    index.indexed_generation = index.visible_generation
                tail.moved(index.indexed_generation)
                continue
            with publishing:
                highest.append(index.visible_generation + 7 - index.indexed_generation)
                commit(tail, index, 7)
            admitted[number] += 7

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(highest) <= 50
    assert index.visible_generation == sum(admitted) > 50


def test_an_embedded_caller_is_held_back_until_there_is_room() -> None:
    """More than the tail holds, from four threads: everything is stored, and the tail never holds more."""
    options = StoreOptions(tail_count_max=40, link_count=8, workers=1)
    with MemoryStore(None, options=options) as store:
        space = store.space("main", dim=8)

        def observe(name: str) -> None:
            for number in range(30):
                space.observe(**columns(name, number))
                assert space.stats().tail_count <= 40

        threads = [threading.Thread(target=observe, args=(f"t{number}",)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert space.generation == 4 * 30 * 10
        wait_until_indexed(space)


def test_waiting_for_room_ends_with_an_error_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Workers, "notify", lambda *_: None)
    with MemoryStore(None, options=StoreOptions(tail_count_max=15, room_timeout_s=1.0)) as store:
        space = store.space("main", dim=8)
        space.observe(**columns("first", 0))
        with pytest.raises(OverCapacity) as caught:
            space.observe(**columns("second", 0))
        assert caught.value.code == "tail_full"
        with pytest.raises(OverCapacity):
            space.observe(
                ids=[str(number) for number in range(16)], vectors=batch_of([str(n) for n in range(16)]).vectors
            )


def test_closing_the_store_ends_the_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Workers, "notify", lambda *_: None)
    store = MemoryStore(None, options=StoreOptions(tail_count_max=15))
    space = store.space("main", dim=8)
    space.observe(**columns("first", 0))
    waits = threading.Event()
    wait_for_room = TailBudget._wait_for_room

    def waiting(tail: TailBudget, count: int, timeout_s: float) -> bool:
        waits.set()
        return wait_for_room(tail, count, timeout_s)

    monkeypatch.setattr(TailBudget, "_wait_for_room", waiting)
    errors: list[EngramError] = []

    def observe() -> None:
        try:
            space.observe(**columns("second", 0))
        except EngramError as error:
            errors.append(error)

    thread = threading.Thread(target=observe)
    thread.start()
    assert waits.wait(60)
    store.close()
    thread.join(60)
    # Closing, or closed by the time it looks again.
    assert [error.code in ("shutting_down", "closed") for error in errors] == [True]


def columns(name: str, number: int) -> dict[str, Any]:
    """Ten observations."""
    ids = [f"{name}-{number}-{row}" for row in range(10)]
    return {"ids": ids, "vectors": batch_of(ids).vectors}


def test_whoever_waits_for_the_tail_of_the_engine_in_its_place_does_not_ask_all_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tail, _ = make_tail()
    assert tail.retire()
    waits: list[float] = []
    monkeypatch.setattr(tail, "_wait_for_answer", waits.append)
    answers = [OverCapacity("the other tail is full", code="tail_full", retry_after_ms=5000) for _ in range(3)]

    def submit() -> None:
        if answers:
            raise answers.pop()

    tail.hold_back(submit, 1)
    assert len(waits) == 3
    assert all(0 < wait_s <= 0.05 for wait_s in waits)


def test_what_was_admitted_is_answered_before_a_space_ends() -> None:
    tail, index = make_tail()
    tail.reserve(5)
    tail.reserve(0)
    assert not tail.drained(0.01)
    with pytest.raises(SpaceRests):
        tail.reserve(1)
    commit(tail, index, 5)
    answered = threading.Timer(0.05, lambda: commit(tail, index, 0))
    answered.start()
    assert tail.drained(60)
    answered.join()
