"""Plans of many parts: what they hold in memory at once, and how often they look at a key."""

from __future__ import annotations

import weakref
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from engram import F, MemoryStore
from engram.store.filters.plans import ListsPlan, OrPlan, Plan
from engram.store.filters.rows import PassingRows, Window
from engram.store.filters.texts import Texts
from tests.doubles.batches import DIM, vector_of

WINDOW = Window(1, 1000)


class Multiples(Plan):
    """The multiples of a number, as flags."""

    def __init__(self, number: int, made: list[weakref.ref[NDArray[np.bool_]]]) -> None:
        super().__init__(WINDOW, WINDOW.size)
        self._number = number
        self._made = made

    def rows(self) -> PassingRows:
        assert sum(flags() is not None for flags in self._made) <= 1
        flags = np.arange(1, 1001) % self._number == 0
        self._made.append(weakref.ref(flags))
        return PassingRows(WINDOW, flags=flags)

    def passes(self, generations: NDArray[np.int64]) -> NDArray[np.bool_]:
        return np.equal(generations % self._number, 0)


def test_the_parts_of_an_or_are_in_memory_one_after_the_other() -> None:
    made: list[weakref.ref[NDArray[np.bool_]]] = []
    listed = ListsPlan(WINDOW, [np.array([1, 7])])
    rows = OrPlan([listed, *(Multiples(number, made) for number in (2, 3, 5, 11)), listed]).rows()
    expected = [each for each in range(1, 1001) if each in (1, 7) or not all(each % of for of in (2, 3, 5, 11))]
    assert rows.generations.tolist() == expected
    assert len(made) == 4


def test_few_rows_of_an_or_stay_a_list() -> None:
    parts = [ListsPlan(WINDOW, [np.array([number, number + 1])]) for number in (5, 1, 6)]
    rows = OrPlan(parts).rows()
    assert rows.is_listed
    assert rows.generations.tolist() == [1, 2, 5, 6, 7]
    many = OrPlan([ListsPlan(WINDOW, [np.arange(start, start + 20)]) for start in (1, 11, 500)]).rows()
    assert not many.is_listed
    assert many.generations.tolist() == [*range(1, 31), *range(500, 520)]


def test_many_times_are_looked_for_together(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[None] = []
    times_us = Texts.times_us

    def counted(self: Texts) -> NDArray[np.int64]:
        looks.append(None)
        return times_us(self)

    monkeypatch.setattr(Texts, "times_us", counted)
    start = datetime(2025, 1, 31, tzinfo=UTC)
    with MemoryStore(None) as store:
        space = store.space("notes", dim=DIM)
        whens = [start.isoformat(), (start + timedelta(hours=1)).isoformat(), "never", None]
        space.observe(list("abcd"), [vector_of(id) for id in "abcd"], metadata=[{"when": when} for when in whens])
        wanted = [start + timedelta(days=days) for days in range(100)]
        assert space.count(F.when.is_in(wanted)) == 1
        assert space.count(F.when.not_in(wanted)) == 3
        assert space.count(F.when.is_in([*wanted, "never", None])) == 3
    assert len(looks) == 3
