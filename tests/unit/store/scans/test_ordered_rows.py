"""The rows of scans are kept while a scan goes on, and not for much longer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from engram import Filter, MemoryStore, Space, StoreOptions
from engram.model.filters.filter import NO_FILTER
from engram.store.housekeeping import Housekeeping
from engram.store.scans import passing
from engram.store.scans.passing import KEPT_S, OrderedRows

COUNT = 4


class Clock:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def space() -> Iterator[Space]:
    with MemoryStore(None) as store:
        space = store.space("notes", dim=1)
        space.observe([f"id-{number}" for number in range(COUNT)], np.ones((COUNT, 1)), tags=[["t"]] * COUNT)
        yield space


def ordered_of(space: Space, clock: Clock) -> OrderedRows:
    state = space._engine._state
    return OrderedRows(state.attributes, state.log, clock)


def orders_of(ordered: OrderedRows) -> int:
    return len(ordered._kept)


def test_rows_are_kept_for_a_while_after_their_last_use(space: Space) -> None:
    clock = Clock()
    ordered = ordered_of(space, clock)
    first = ordered.rows(NO_FILTER, COUNT)
    clock.now_s += KEPT_S - 1
    ordered.expire()
    assert ordered.rows(NO_FILTER, COUNT) is first
    clock.now_s += KEPT_S - 1
    ordered.expire()
    ordered.in_order(NO_FILTER, "id", COUNT)
    assert orders_of(ordered) == 2
    clock.now_s += 1
    ordered.expire()
    assert orders_of(ordered) == 1
    clock.now_s += KEPT_S
    # Also the last ones, though no scan comes any more.
    ordered.expire()
    assert orders_of(ordered) == 0


def test_rows_without_what_was_due_are_looked_for_once_and_shared_where_nothing_was(
    space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    space.observe("x", np.ones(1), expires_at=1.0)
    ordered, attributes = ordered_of(space, Clock()), space._engine._state.attributes
    hidden = ordered.rows(NO_FILTER, COUNT + 1, 2_000_000)
    assert hidden.tolist() == list(range(1, COUNT + 1))
    everything = ordered.rows(NO_FILTER, COUNT + 1)
    assert everything.tolist() == list(range(1, COUNT + 2))
    for due_us in (500_000, 999_999):
        assert ordered.rows(NO_FILTER, COUNT + 1, due_us) is everything

    def looked(*_: int) -> None:
        raise AssertionError("a later page need not know what was due")

    monkeypatch.setattr(attributes, "due", looked)
    assert ordered.rows(NO_FILTER, COUNT + 1, 2_000_000) is hidden


def test_the_rows_that_were_used_least_recently_make_room(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    # Room for the rows of two scans.
    monkeypatch.setattr(passing, "KEPT_BYTES_MAX", 2 * 8 * COUNT)
    ordered = ordered_of(space, Clock())
    found = {order: ordered.in_order(NO_FILTER, order, COUNT).rows for order in ("generation", "id")}
    assert ordered.rows(NO_FILTER, COUNT) is found["generation"]
    ordered.in_order(NO_FILTER, "time", COUNT)
    assert ordered.rows(NO_FILTER, COUNT) is found["generation"]
    assert ordered.in_order(NO_FILTER, "id", COUNT).rows is not found["id"]
    # Those of one scan are kept, however many there are.
    monkeypatch.setattr(passing, "KEPT_BYTES_MAX", 0)
    last = ordered.rows(Filter(tags={"t"}), COUNT)
    assert (ordered.rows(Filter(tags={"t"}), COUNT) is last, orders_of(ordered)) == (True, 1)


def test_housekeeping_lets_go_of_the_rows_of_scans_that_do_not_go_on() -> None:
    clock = Clock()
    with MemoryStore(None) as store:
        space = store.space("notes", dim=1)
        space.observe("a", np.ones(1))
        scans: Any = space._engine._reader.scans
        scans.ordered = ordered_of(space, clock)
        assert len(list(space.scan())) == 1
        assert orders_of(scans.ordered) == 1
        clock.now_s += KEPT_S
        Housekeeping(store._engine.spaces, store._engine._catalogue, StoreOptions())._round()
        assert orders_of(scans.ordered) == 0
