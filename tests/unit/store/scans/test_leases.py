"""A generation is leased for a minute after each use, and a space leases so many at most."""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from engram import MemoryStore, Space, StoreOptions
from engram.errors import FailedPrecondition
from engram.model.operations.scans import ReadPage
from engram.store.scans.leases import LEASE_S, LEASES_MAX, Leases


class Clock:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_lease_ends_a_while_after_its_last_use() -> None:
    clock = Clock()
    held = Leases(clock)
    held.renew(7)
    clock.now_s += LEASE_S - 1
    assert held.renew_held(7)
    held.renew(8)
    clock.now_s += LEASE_S - 1
    assert held.generations() == [7, 8]
    clock.now_s += 1
    assert held.generations() == []
    assert not held.renew_held(7)
    assert held.generations() == []


@contextlib.contextmanager
def _leased_space() -> Iterator[tuple[Space, Any, Clock]]:
    """A space that retains one generation, its engine, and the clock of its leases."""
    clock = Clock()
    with MemoryStore(None, options=StoreOptions(retained_count=1)) as store:
        space = store.space("notes", dim=8)
        inside: Any = space._engine
        inside.retention.leases = Leases(clock)
        yield space, inside, clock


def test_the_one_that_was_used_least_recently_goes_first() -> None:
    held = Leases(Clock())
    for generation in range(LEASES_MAX):
        held.renew(generation)
    held.renew(0)
    held.renew(LEASES_MAX)
    assert held.generations() == [*range(2, LEASES_MAX), 0, LEASES_MAX]


def test_a_page_is_of_a_generation_that_is_not_retained_while_it_is_leased() -> None:
    with _leased_space() as (space, inside, clock):
        _store(space, "abc")
        request = ReadPage("notes", page_size=1)
        page = inside.page(request, inside.leased(request).generation)
        _store(space, "abcdef")
        gc.collect()
        assert inside.retention.oldest > 3
        assert inside.retention.horizon == 3
        request = ReadPage("notes", page_size=1, cursor=page.cursor)
        again = inside.page(request, inside.leased(request).generation)
        assert [hit.id for hit in (*page, *again)] == ["a", "b"]
        clock.now_s += LEASE_S
        gc.collect()
        assert inside.retention.horizon == inside.retention.oldest
        with pytest.raises(FailedPrecondition) as expired:
            inside.leased(request)
        assert expired.value.code == "snapshot_expired"


class Reader:
    """What is read in parts, and is always in use."""

    held_generation: int | None = 7


def test_readers_can_be_added_while_others_are_listed() -> None:
    held = Leases(Clock())
    readers = [Reader() for _ in range(2000)]

    def add_all() -> None:
        for reader in readers:
            held.add(reader)

    adder = threading.Thread(target=add_all)
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        adder.start()
        while adder.is_alive():
            assert set(held.generations()) <= {7}
    finally:
        sys.setswitchinterval(interval_s)
        adder.join()
    assert held.generations() == [7] * len(readers)


def test_an_iterator_holds_its_snapshot_by_itself() -> None:
    with _leased_space() as (space, inside, clock):
        _store(space, "abc")
        scan = space.scan(page_size=1)
        first = next(scan)
        _store(space, "abcdef")
        clock.now_s += 2 * LEASE_S
        assert inside.retention.horizon == 3
        assert [hit.id for hit in (first, *scan)] == ["a", "b", "c"]


def test_a_cursor_outlives_its_iterator_by_a_lease() -> None:
    with _leased_space() as (space, _, clock):
        _store(space, "abcd")
        pages = space.scan(page_size=1).pages()
        # The second page is read when the lease of the first has ended, the third before that of the second does.
        for wait_s in (0, LEASE_S, LEASE_S - 1):
            clock.now_s += wait_s
            page = next(pages)
            _store(space, "abcd")
        del pages
        gc.collect()
        clock.now_s += LEASE_S - 1
        assert [hit.id for hit in space.scan(cursor=page.cursor)] == ["d"]
        clock.now_s += LEASE_S
        with pytest.raises(FailedPrecondition) as expired:
            list(space.scan(cursor=page.cursor))
        assert expired.value.code == "snapshot_expired"


def _store(space: Space, names: str) -> None:
    for name in names:
        space.observe(name, np.ones(8))
