"""The chain: one order for all, nothing lost, nothing computed from an outdated state, and nobody waits for anybody."""

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
    chain = LockFreeList(0)
    chain.append(lambda last: last + 1)
    reader = chain.reader()
    assert not reader
    assert [chain.append(lambda last: last + 1) for _ in range(3)] == [2, 3, 4]
    assert reader
    assert list(reader) == [2, 3, 4]
    assert not reader
    assert list(reader) == []
    assert chain.last == 4


def test_what_cannot_be_made_is_not_appended() -> None:
    def refuse(_: int) -> int:
        raise ValueError("full")

    chain = LockFreeList(7)
    reader = chain.reader()
    with pytest.raises(ValueError, match="full"):
        chain.append(refuse)
    assert (chain.last, list(reader)) == (7, [])


@frequent_switches()
def test_many_threads_lose_nothing_and_agree_on_one_order() -> None:
    """Each item is (sum of all so far, thread, its own count): a lost or repeated append breaks a sum or a count."""
    chain: LockFreeList[tuple[int, int, int]] = LockFreeList((0, -1, 0))
    reader = chain.reader()
    finished = threading.Event()
    read: list[tuple[int, int, int]] = []

    def produce(thread: int) -> None:
        for count in range(1, APPENDS + 1):
            chain.append(lambda last, count=count: (last[0] + count, thread, count))  # type: ignore[misc]

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
    assert chain.last[0] == THREADS * APPENDS * (APPENDS + 1) // 2


def test_a_thread_that_stops_in_the_middle_of_an_append_stops_nobody() -> None:
    inside, go_on = threading.Event(), threading.Event()
    made: list[int] = []

    def slowly(last: int) -> int:
        made.append(last)
        inside.set()
        assert go_on.wait(TIMEOUT_S)
        return last + 100

    chain = LockFreeList(0)
    reader = chain.reader()
    suspended = threading.Thread(target=lambda: chain.append(slowly))
    suspended.start()
    assert inside.wait(TIMEOUT_S)
    # The other thread stands between looking at the end and appending to it, and holds nothing up.
    for _ in range(3):
        chain.append(lambda last: last + 1)
    assert list(reader) == [1, 2, 3]
    go_on.set()
    suspended.join()
    # What it had made of the outdated end was thrown away.
    assert made == [0, 3]
    assert list(reader) == [103]


def test_what_was_read_is_forgotten() -> None:
    class Item:
        pass

    chain = LockFreeList(Item())
    reader = chain.reader()
    read = weakref.ref(chain.append(lambda _: Item()))
    last = weakref.ref(chain.append(lambda _: Item()))
    for _ in reader:
        pass
    del _
    gc.collect()
    assert read() is None
    assert last() is chain.last


def test_a_long_chain_can_be_dropped_unread() -> None:
    chain = LockFreeList(0)
    reader = chain.reader()
    for _ in range(200_000):
        chain.append(lambda last: last + 1)
    del reader
    assert chain.last == 200_000
