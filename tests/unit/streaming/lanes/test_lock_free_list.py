"""The lock-free list: one order for all, nothing lost or computed from an outdated state, and no waiting."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest

from engram.streaming.lanes.lock_free_list import LockFreeList
from tests.doubles.switching import frequent_switches
from tests.doubles.waiting import TIMEOUT_S

THREADS = 8
APPENDS = 4_000


def test_a_reader_sees_what_is_appended_after_it_was_made() -> None:
    items = LockFreeList(0)
    items.append(lambda last: last + 1)
    reader = items.reader()
    assert not reader
    assert [items.append(lambda last: last + 1) for _ in range(3)] == [2, 3, 4]
    assert reader
    assert list(reader) == [2, 3, 4]
    assert not reader
    assert list(reader) == []
    assert items.last == 4


def test_what_cannot_be_made_is_not_appended() -> None:
    def refuse(_: int) -> int:
        raise ValueError("full")

    items = LockFreeList(7)
    reader = items.reader()
    with pytest.raises(ValueError, match="full"):
        items.append(refuse)
    assert (items.last, list(reader)) == (7, [])


@frequent_switches()
def test_many_threads_lose_nothing_and_agree_on_one_order() -> None:
    """Each item is (sum of all so far, thread, its own count): a lost or repeated append breaks a sum or a count."""
    items: LockFreeList[tuple[int, int, int]] = LockFreeList((0, -1, 0))
    reader = items.reader()
    finished = threading.Event()
    read: list[tuple[int, int, int]] = []

    def produce(thread: int) -> None:
        for count in range(1, APPENDS + 1):
            items.append(lambda last, count=count: (last[0] + count, thread, count))  # type: ignore[misc]

    def consume() -> None:
        while not finished.is_set() or reader:
            read.extend(reader)

    consumer = threading.Thread(target=consume)
    producers = [threading.Thread(target=produce, args=(thread,)) for thread in range(THREADS)]
    for thread in (consumer, *producers):
        thread.start()
    for thread in producers:
        thread.join()
    finished.set()
    consumer.join()
    assert len(read) == THREADS * APPENDS
    total = 0
    counts = [0] * THREADS
    for summed, producer, count in read:
        total += count
        counts[producer] += 1
        assert (summed, count) == (total, counts[producer])
    assert items.last[0] == THREADS * APPENDS * (APPENDS + 1) // 2


def test_a_thread_that_stops_in_the_middle_of_an_append_stops_nobody() -> None:
    inside, go_on = threading.Event(), threading.Event()
    made: list[int] = []

    def slowly(last: int) -> int:
        made.append(last)
        inside.set()
        assert go_on.wait(TIMEOUT_S)
        return last + 100

    items = LockFreeList(0)
    reader = items.reader()
    suspended = threading.Thread(target=lambda: items.append(slowly))
    suspended.start()
    assert inside.wait(TIMEOUT_S)
    # The other thread stands between looking at the end and appending to it, and holds nothing up.
    for _ in range(3):
        items.append(lambda last: last + 1)
    assert list(reader) == [1, 2, 3]
    go_on.set()
    suspended.join()
    # What it had made of the outdated end was thrown away.
    assert made == [0, 3]
    assert list(reader) == [103]


def test_what_was_read_is_forgotten() -> None:
    class Item:
        pass

    items = LockFreeList(Item())
    reader = items.reader()
    read = weakref.ref(items.append(lambda _: Item()))
    last = weakref.ref(items.append(lambda _: Item()))
    for _ in reader:
        pass
    del _
    gc.collect()
    assert read() is None
    assert last() is items.last


def test_a_long_chain_can_be_dropped_unread() -> None:
    items = LockFreeList(0)
    reader = items.reader()
    for _ in range(200_000):
        items.append(lambda last: last + 1)
    del reader
    assert items.last == 200_000
