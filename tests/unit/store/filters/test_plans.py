"""Plans: what they find, what they hold in memory at once, and how little they look at."""

from __future__ import annotations

import weakref
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from engram import F, MemoryStore
from engram.log.records.entry import LogEntry
from engram.log.records.header import RecordKind
from engram.model.observations import make_batch
from engram.store.filters.group_plans import AndPlan, NotPlan, OrPlan
from engram.store.filters.metadata_index import MetadataIndex
from engram.store.filters.numbers import Numbers
from engram.store.filters.numbers_plan import NumbersPlan
from engram.store.filters.planning import Planner
from engram.store.filters.plans import KeyPlan, ListsPlan, Plan, PresentPlan
from engram.store.filters.postings import GrowingArray
from engram.store.filters.rows import PassingRows, Window, packed
from engram.store.filters.selection import select
from engram.store.filters.texts import Texts
from tests.doubles.batches import DIM, vector_of

WINDOW = Window(1, 1000)


class Multiples(Plan):
    """The multiples of a number, as bits."""

    def __init__(self, number: int, made: list[weakref.ref[NDArray[np.uint64]]]) -> None:
        super().__init__(WINDOW, WINDOW.size)
        self._number = number
        self._made = made

    def rows(self) -> PassingRows:
        assert sum(words() is not None for words in self._made) <= 1
        words = packed(np.arange(WINDOW.begin, WINDOW.last + 1) % self._number == 0) & WINDOW.whole()
        self._made.append(weakref.ref(words))
        return PassingRows(WINDOW, words=words)

    def passes(self, generations: NDArray[np.int64]) -> NDArray[np.bool_]:
        return np.equal(generations % self._number, 0)


class Noting(ListsPlan):
    """A list that notes what it is asked for."""

    def __init__(self, numbers: list[int]) -> None:
        super().__init__(WINDOW, [np.array(numbers)])
        self.asked: list[list[int]] = []

    def passes(self, generations: NDArray[np.int64]) -> NDArray[np.bool_]:
        self.asked.append(generations.tolist())
        return super().passes(generations)


class Whole(Plan):
    """All rows, which nobody has to look at."""

    is_whole = True

    def rows(self) -> PassingRows:
        raise AssertionError("it was looked at")

    def passes(self, generations: NDArray[np.int64]) -> NDArray[np.bool_]:
        raise AssertionError("it was looked at")


def test_the_parts_of_an_or_are_in_memory_one_after_the_other() -> None:
    made: list[weakref.ref[NDArray[np.uint64]]] = []
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


@pytest.mark.parametrize("asked", [np.array([108, 110, 1099]), np.arange(101, 1101)], ids=["few", "many"])
def test_lists_tell_the_same_of_few_rows_and_of_many(asked: NDArray[np.int64]) -> None:
    """Few rows are looked for in each list, and for many, what is in the lists is marked."""
    plan = ListsPlan(Window(101, 1100), [np.arange(3, 1500, 3), np.arange(7, 1500, 7), np.arange(2000, 2010)])
    expected = [each for each in asked.tolist() if each % 3 == 0 or each % 7 == 0]
    assert asked[plan.passes(asked)].tolist() == expected


@pytest.mark.parametrize("start", [1, 101, 400])
@pytest.mark.parametrize("step", [1, 3], ids=["each row has a value", "some rows have none"])
@pytest.mark.parametrize("marked", [False, True], ids=["told by the list", "told by bits"])
def test_values_are_tested_where_they_are(start: int, step: int, marked: bool) -> None:
    window = Window(101, 1100)
    listed = GrowingArray(np.int64)
    listed.extend(np.arange(start, 1000, step))
    generations = listed.view
    values = generations % 10
    plan = KeyPlan(
        window, generations, lambda places: np.less(values[places], 6), listed.bits_within if marked else None
    )
    expected = [each for each in generations.tolist() if each >= window.first and each % 10 < 6]
    assert plan.rows().generations.tolist() == expected
    asked = np.arange(window.first, window.last + 1)
    assert asked[plan.passes(asked)].tolist() == expected
    few = np.array([101, 102, 399, 400, 401, 999, 1000, 1100])
    assert few[plan.passes(few)].tolist() == [each for each in few.tolist() if each in expected]


@pytest.mark.parametrize("step", [1, 2, 900])
def test_what_is_present_is_told_by_bits_where_it_is_much(step: int) -> None:
    listed = GrowingArray(np.int64)
    listed.extend(np.arange(5, 2000, step))
    plan = PresentPlan(WINDOW, listed.view, listed.bits_within)
    assert plan.rows().generations.tolist() == list(range(5, 1001, step))
    assert plan.rows().is_listed == (step == 900)


def test_a_key_without_values_in_the_window_passes_nothing() -> None:
    plan = KeyPlan(WINDOW, np.array([2000, 2001]), lambda places: np.ones(2, dtype=bool)[places])
    assert plan.rows().generations.tolist() == []
    assert plan.passes(np.array([1, 1000])).tolist() == [False, False]


def test_only_what_is_not_decided_yet_is_looked_at() -> None:
    first, second = ListsPlan(WINDOW, [np.array([2, 4])]), Noting([4, 6, 8])
    asked = np.array([2, 3, 4, 6])
    assert AndPlan([first, second]).passes(asked).tolist() == [False, False, True, False]
    assert OrPlan([first, second]).passes(asked).tolist() == [True, False, True, True]
    assert AndPlan([first, second]).passes(np.array([3])).tolist() == [False]
    assert OrPlan([first, second]).passes(np.array([4])).tolist() == [True]
    assert second.asked == [[2, 4], [3, 6]]


def test_what_is_likely_rare_is_looked_up_first() -> None:
    numbers = Numbers()
    numbers.extend(range(1, 1001), [at % 500 for at in range(1, 1001)])
    rare = NumbersPlan(WINDOW, numbers, [("lt", 2)])
    common = NumbersPlan(WINDOW, numbers, [("ge", 2)])
    assert rare.count_max == common.count_max == WINDOW.size
    # Told by some of the numbers.
    assert rare.count_likely < 100
    assert common.count_likely > 900
    noting = Noting(list(range(2, 1001, 2)))
    assert AndPlan([noting, rare]).rows().generations.tolist() == [500, 1000]
    assert noting.asked == [[1, 500, 501, 1000]]
    assert NotPlan(common).count_likely < 100
    assert OrPlan([rare, noting]).count_likely < 600
    assert AndPlan([NotPlan(rare), common]).count_likely > 900


def test_lists_are_looked_at_where_rows_are_asked_for() -> None:
    window = Window(1, 100_000)
    plan = ListsPlan(window, [np.arange(1, 100_001, 2), np.array([7, 99_998])])
    asked = np.arange(99_000, 99_999)
    assert asked[plan.passes(asked)].tolist() == [*range(99_001, 99_998, 2), 99_998]
    assert plan.passes(np.empty(0, dtype=np.int64)).tolist() == []


def test_what_all_rows_meet_is_not_looked_at() -> None:
    whole = Whole(WINDOW, WINDOW.size)
    plan = AndPlan([whole, ListsPlan(WINDOW, [np.array([3, 9])]), whole])
    assert plan.rows().generations.tolist() == [3, 9]
    assert plan.passes(np.array([3, 4])).tolist() == [True, False]
    assert not plan.is_whole
    assert AndPlan([whole, whole]).is_whole


def test_all_are_known_to_be_alive_until_one_has_ended() -> None:
    attributes = MetadataIndex()
    attributes.add(LogEntry(RecordKind.OBSERVE, 1, make_batch(list("abc"), np.ones((3, DIM), np.float32))))
    attributes.end(np.array([2]), np.array([4]))
    before, after = (Planner(attributes, Window(1, 3), at).alive() for at in (3, 4))
    assert before.is_whole
    assert not after.is_whole
    assert select(attributes, None, 1, 3, alive_at=3).tolist() == [1, 2, 3]
    assert select(attributes, None, 1, 3, alive_at=4).tolist() == [1, 3]
