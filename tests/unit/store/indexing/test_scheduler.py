"""Whose turn it is: homes, stealing, what is done and what is due again, and an even share of the work."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engram.store.indexing.scheduler import WorkStealingScheduler
from tests.doubles.fake_space import FakeSpace

THRESHOLD = 1000
BATCH = 500


def spaces(count: int) -> list[Any]:
    return [FakeSpace(f"space-{number}") for number in range(count)]


def test_a_space_stays_at_home() -> None:
    board = WorkStealingScheduler(4, THRESHOLD)
    space = spaces(1)[0]
    home = board.home_of(space)
    board.add(space, 10)
    assert board.home_of(space) == home
    for worker in range(4):
        turn = board.next_for(worker)
        assert (turn is not None) == (worker == home)
        assert turn is None or (turn.space, turn.stolen) == (space, False)


@pytest.mark.parametrize(("workers", "count"), [(2, 8), (3, 10), (16, 40)])
def test_homes_are_spread_evenly(workers: int, count: int) -> None:
    board = WorkStealingScheduler(workers, THRESHOLD)
    homes = Counter(board.home_of(space) for space in spaces(count))
    assert max(homes.values()) - min(homes[worker] for worker in range(workers)) <= 1


def test_the_home_of_the_first_space_follows_from_its_name() -> None:
    homes = {WorkStealingScheduler(4, THRESHOLD).home_of(space) for space in spaces(50)}
    assert homes == {0, 1, 2, 3}
    assert len({WorkStealingScheduler(4, THRESHOLD).home_of(spaces(1)[0]) for _ in range(5)}) == 1


@pytest.mark.parametrize(("pending", "stolen"), [(THRESHOLD, False), (THRESHOLD + 1, True)])
def test_workers_steal_above_the_threshold(pending: int, stolen: bool) -> None:
    board = WorkStealingScheduler(2, THRESHOLD)
    space = spaces(1)[0]
    board.add(space, pending)
    turn = board.next_for(1 - board.home_of(space))
    assert (turn is not None) == stolen
    assert turn is None or turn.stolen


def test_a_worker_with_work_of_its_own_does_not_steal() -> None:
    board = WorkStealingScheduler(2, THRESHOLD)
    mine, other = spaces(2)
    board.add(mine, 1)
    board.add(other, 10**6)
    turn = board.next_for(board.home_of(mine))
    assert turn is not None
    assert turn.space is mine


def test_a_space_that_drained_is_not_stolen_from_any_more() -> None:
    board = WorkStealingScheduler(2, THRESHOLD)
    space = spaces(1)[0]
    board.add(space, 1200)
    turn = board.next_for(board.home_of(space))
    assert turn is not None
    board.finish(turn, BATCH, 700)
    assert board.next_for(1 - board.home_of(space)) is None


def test_workers_take_turns_among_their_spaces() -> None:
    board = WorkStealingScheduler(1, THRESHOLD)
    three = spaces(3)
    for space in three:
        board.add(space, 10**6)
    seen = []
    for _ in range(6):
        turn = board.next_for(0)
        assert turn is not None
        seen.append(turn.space)
        board.finish(turn, BATCH, 10**6)
    assert seen == [*three, *three]


def test_a_space_is_done_when_nothing_was_left() -> None:
    board = WorkStealingScheduler(1, THRESHOLD)
    space = spaces(1)[0]
    board.add(space, 10)
    turn = board.next_for(0)
    assert turn is not None
    board.finish(turn, 10, 0)
    assert board
    turn = board.next_for(0)
    assert turn is not None
    board.finish(turn, 0, 0)
    assert not board


def test_what_became_due_during_a_turn_is_not_forgotten() -> None:
    board = WorkStealingScheduler(1, THRESHOLD)
    space = spaces(1)[0]
    board.add(space, 0)
    turn = board.next_for(0)
    assert turn is not None
    board.add(space, 5)
    board.finish(turn, 0, 0)
    assert board.next_for(0) is not None


def test_a_worker_that_found_nothing_does_not_speak_for_one_at_work() -> None:
    board = WorkStealingScheduler(2, THRESHOLD)
    space = spaces(1)[0]
    board.add(space, 2000)
    at_work, thief = board.next_for(board.home_of(space)), board.next_for(1 - board.home_of(space))
    assert at_work is not None
    assert thief is not None
    assert not board.finish(thief, 0, 2000)
    # That is news: the other worker may have gone to sleep meanwhile.
    assert board.finish(at_work, BATCH, 1500)
    assert board.next_for(board.home_of(space)) is not None


def test_a_space_that_was_removed_is_due_no_more() -> None:
    board = WorkStealingScheduler(1, THRESHOLD)
    space, other = spaces(2)
    board.remove(other)
    board.add(space, 2000)
    turn = board.next_for(0)
    assert turn is not None
    board.remove(space)
    assert not board
    assert not board.finish(turn, BATCH, 1500)
    assert not board.add(space, 2000)
    assert board.next_for(0) is None


def test_homes_of_spaces_that_were_removed_are_free() -> None:
    """However unevenly spaces come to rest, those that are opened then are spread evenly."""
    board = WorkStealingScheduler(2, THRESHOLD)
    first = spaces(8)
    homes = {space: board.home_of(space) for space in first}
    for space in first:
        if homes[space] == 0:
            board.remove(space)
            board.remove(space)
    assert board._homes_of == [0, 4]
    later: list[Any] = [FakeSpace(f"later-{number}") for number in range(4)]
    assert {board.home_of(space) for space in later} == {0}


def test_only_news_wakes_somebody() -> None:
    board = WorkStealingScheduler(2, THRESHOLD)
    space = spaces(1)[0]
    assert board.add(space, 10)
    assert not board.add(space, 20)
    assert board.add(space, THRESHOLD + 1)
    assert not board.add(space, THRESHOLD + 2)


def work(board: WorkStealingScheduler, pending: dict[Any, int], workers: int) -> Counter[int]:
    """Let all workers take turns of the same length until nothing is left; what each of them linked."""
    linked_by: Counter[int] = Counter()
    for space, count in pending.items():
        board.add(space, count)
    while board:
        turns = [(worker, board.next_for(worker)) for worker in range(workers)]
        for worker, turn in turns:
            if turn is None:
                continue
            linked = min(BATCH, pending[turn.space])
            pending[turn.space] -= linked
            linked_by[worker] += linked
            board.finish(turn, linked, pending[turn.space])
    return linked_by


@settings(deadline=None)
@given(st.integers(1, 16), st.integers(1, 12), st.integers(20_000, 60_000))
def test_an_even_load_is_shared_evenly(workers: int, spaces_each: int, count: int) -> None:
    pending = dict.fromkeys(spaces(workers * spaces_each), count)
    linked_by = work(WorkStealingScheduler(workers, THRESHOLD), pending, workers)
    assert not any(pending.values())
    assert max(linked_by.values()) / min(linked_by.values()) < 1.2


@settings(deadline=None)
@given(st.integers(2, 8), st.lists(st.integers(0, 50_000), min_size=1, max_size=12))
def test_an_uneven_load_is_shared_too(workers: int, counts: list[int]) -> None:
    """Nobody is idle while somebody has more than the threshold, so no two differ by more than that and a batch."""
    pending = dict(zip(spaces(len(counts)), counts, strict=True))
    linked_by = work(WorkStealingScheduler(workers, THRESHOLD), pending, workers)
    assert sum(linked_by.values()) == sum(counts)
    fair = sum(counts) / workers
    for worker in range(workers):
        # What is left under the threshold in each space is its home worker's alone.
        assert linked_by[worker] <= fair + (THRESHOLD + BATCH) * len(counts)
