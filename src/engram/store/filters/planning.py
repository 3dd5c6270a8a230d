"""Planning: from a condition to the plan by which it is evaluated on the filter index."""

from __future__ import annotations

import operator as signs
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import compress
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from engram.errors import CorruptData
from engram.model.filters.conditions import Comparison, Condition, Group, Negation
from engram.model.filters.operands import Instant, Operand
from engram.store.filters.columns import ColumnChunk
from engram.store.filters.group_plans import AndPlan, NotPlan, OrPlan
from engram.store.filters.key_index import KeyIndex
from engram.store.filters.metadata_index import MetadataIndex
from engram.store.filters.numbers import Numbers
from engram.store.filters.numbers_plan import AmongPlan, NumbersPlan, wanted_numbers
from engram.store.filters.plans import (
    ROWS_PER_MARK,
    ColumnPlan,
    ConstantPlan,
    KeyPlan,
    ListsPlan,
    Places,
    Plan,
    PresentPlan,
    SoughtPlan,
)
from engram.store.filters.postings import GrowingArray
from engram.store.filters.rows import Window
from engram.store.filters.stored_rows import StoredRows
from engram.store.filters.texts import NO_TIME, ReadText, TextNumbers, Texts, text_tester
from engram.store.filters.texts_plan import TextsPlan

_SIGNS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "eq": signs.eq,
    "lt": signs.lt,
    "le": signs.le,
    "gt": signs.gt,
    "ge": signs.ge,
}
# With so few distinct numbers under a key, each is compared when a filter is planned.
_FEW_NUMBERS_MAX: Final = 64
_FLOAT32_MAX: Final = float(np.finfo(np.float32).max)
_NEGATED: Final = {"ne": "eq", "not_in": "in", "none": "any"}


class Planner:
    """Makes plans for one window at one snapshot.

    Parameters
    ----------
    index
        The filter index.
    window
        The generations that are looked at.
    alive_at
        The snapshot; None for observations of all times.
    """

    def __init__(self, index: MetadataIndex, window: Window, alive_at: int | None) -> None:
        self._index = index
        self._window = window
        self._alive_at = alive_at
        self.unclear: dict[int, CorruptData] = {}
        """The observations of which a text or an id could not be read so far. They count as not having it."""

    def plan(self, condition: Condition) -> Plan:
        """Return the plan of a condition."""
        if isinstance(condition, Negation):
            return NotPlan(self.plan(condition.part))
        if isinstance(condition, Group):
            if not condition.parts:
                return ConstantPlan(self._window, passing=condition.joint == "and")
            parts = [self.plan(part) for part in condition.parts]
            return AndPlan(parts) if condition.joint == "and" else OrPlan(parts)
        if not isinstance(condition, Comparison):
            raise TypeError(f"a {type(condition).__name__} is no condition")
        positive = _NEGATED.get(condition.operator)
        if positive is not None:
            return NotPlan(self._compared(condition, positive))
        return self._compared(condition, condition.operator)

    def alive(self) -> Plan:
        """Return the plan for the observations that are alive at the snapshot."""
        at = self._alive_at or 0

        def whole(chunk: ColumnChunk, end: int) -> bool | None:
            return True if end <= chunk.solid_rows and chunk.ends_min > at else None

        return ColumnPlan(self._window, self._index.columns, lambda chunk, rows: chunk.ends[rows] > at, whole)

    def _compared(self, condition: Comparison, operator: str) -> Plan:
        subject, values = condition.subject, condition.values
        if subject.attribute is None:
            return self._metadata(subject.path, operator, values)
        if subject.attribute == "id":
            return self._ids(operator, [str(value) for value in values])
        if subject.attribute == "tags":
            return self._tags(operator, values)
        if subject.attribute == "observed_at":
            return self._time(operator, values[0])
        if subject.attribute == "expires_at":
            return self._expiry(operator, values)
        # Compared as float32, as it is stored; otherwise a limit of 0.9 would leave out an observation with 0.9. What
        # is too large for that is as good as the largest, since all lie within 0..1.
        compare, bound = _SIGNS[operator], cast("float", values[0])
        wanted = np.float32(min(max(bound, -_FLOAT32_MAX), _FLOAT32_MAX))
        name = "confidences" if subject.attribute == "confidence" else "importances"
        return ColumnPlan(
            self._window, self._index.columns, lambda chunk, rows: compare(getattr(chunk, name)[rows], wanted)
        )

    def _ids(self, operator: str, ids: list[str]) -> Plan:
        first, last = self._window

        def find() -> NDArray[np.int64]:
            if operator == "prefix":
                return self._rows().rows_within(lambda id: id.startswith(ids[0]), first, last, self.unclear)
            if self._alive_at is None:
                return self._rows().rows_within(set(ids).__contains__, first, last, self.unclear)
            return self._rows().versions_at(ids, self._alive_at, first, last, self.unclear)

        # One version of each id is alive. How many ids begin alike is not known before they are read.
        is_counted = operator != "prefix" and self._alive_at is not None
        return SoughtPlan(self._window, min(len(ids), self._window.size) if is_counted else self._window.size, find)

    def _tags(self, operator: str, tags: tuple[Operand, ...]) -> Plan:
        lists = [self._index.tagged(str(tag)) for tag in tags]
        if operator == "any":
            return self._listed(lists)
        if not lists:
            return ConstantPlan(self._window, passing=True)
        return AndPlan([self._listed([each]) for each in lists])

    def _time(self, operator: str, bound: Operand) -> Plan:
        assert isinstance(bound, Instant)  # noqa: S101  (for the type checker: times are compared with times)
        compare, time_us = _SIGNS[operator], bound.time_us

        def decides(chunk: ColumnChunk, end: int) -> bool | None:
            if chunk.times_min > chunk.times_max:
                return False
            first, last = compare(chunk.times_min, time_us), compare(chunk.times_max, time_us)
            if operator == "eq":
                return False if not chunk.times_min <= time_us <= chunk.times_max else None
            return bool(first) if first == last else None

        return ColumnPlan(
            self._window, self._index.columns, lambda chunk, rows: compare(chunk.times_us[rows], time_us), decides
        )

    def _expiry(self, operator: str, values: tuple[Operand, ...]) -> Plan:
        expiring = self._index.expiring
        if expiring is None:
            return ConstantPlan(self._window, passing=False)
        # In this order, because there is a time for each of the generations that were seen.
        generations, expires_us = expiring.generations, expiring.expires_us
        if operator == "exists":
            return ListsPlan(self._window, [generations])
        bound = values[0]
        assert isinstance(bound, Instant)  # noqa: S101  (for the type checker: times are compared with times)
        compare, time_us = _SIGNS[operator], bound.time_us
        return KeyPlan(self._window, generations, lambda places: compare(expires_us[places], time_us))

    def _metadata(self, path: tuple[str, ...], operator: str, values: tuple[Operand, ...]) -> Plan:
        index = self._index.key(path)
        window = self._window
        if operator in ("eq", "in"):
            return self._equal(path, index, values)
        if index is None:
            return ConstantPlan(window, passing=False)
        if operator == "exists":
            return self._present(index)
        if operator == "is_null":
            return self._listed([index.equal(None)])
        if operator == "contains":
            return self._contains(path, index, values[0])
        return self._ordered(path, index, operator, values[0])

    def _equal(self, path: tuple[str, ...], index: KeyIndex | None, values: tuple[Operand, ...]) -> Plan:
        """Plan that a value is one of `values`; null matches also where there is none."""
        plans: list[Plan] = []
        if None in values:
            plans.append(NotPlan(ConstantPlan(self._window, passing=False) if index is None else self._present(index)))
        if index is not None:
            plain = [value for value in values if not isinstance(value, str | Instant)]
            if plain:
                plans.append(self._equal_plainly(index, plain))
            texts = [value for value in values if isinstance(value, str)]
            if texts and index.texts is not None:
                plans.append(TextsPlan(self._window, index.texts, index.texts.numbers_of(texts)))
            times = [value.time_us for value in values if isinstance(value, Instant)]
            if times and index.texts is not None:
                plans.append(self._texts(path, index.texts, partial(_at_times, np.array(times, dtype=np.int64))))
        if not plans:
            return ConstantPlan(self._window, passing=False)
        return plans[0] if len(plans) == 1 else OrPlan(plans)

    def _equal_plainly(self, index: KeyIndex, values: Sequence[Operand]) -> Plan:
        """Plan that a value is one of some numbers and truth values, or null."""
        lists = [index.equal(value) for value in values]
        count = sum([len(self._window.cut(each.view)) for each in lists])
        numbers = index.numbers
        if numbers is None or count * ROWS_PER_MARK < len(numbers.generations):
            return self._listed(lists)
        wanted = wanted_numbers(values)
        return self._listed(lists) if wanted is None else AmongPlan(self._window, numbers, wanted, count)

    def _listed(self, lists: Sequence[GrowingArray]) -> Plan:
        """Plan that a row is in one of some lists."""
        dense = [each.is_dense for each in lists]
        plans: list[Plan] = [PresentPlan(self._window, each.view, each.bits_within) for each in compress(lists, dense)]
        if not all(dense) or not plans:
            rare = [each.view for each, is_dense in zip(lists, dense, strict=True) if not is_dense]
            plans.append(ListsPlan(self._window, rare))
        return plans[0] if len(plans) == 1 else OrPlan(plans)

    def _present(self, index: KeyIndex) -> Plan:
        """Plan that a key has a value."""
        found = [PresentPlan(self._window, each.view, each.bits_within) for each in index.present()]
        return found[0] if len(found) == 1 else OrPlan(found) if found else ConstantPlan(self._window, passing=False)

    def _contains(self, path: tuple[str, ...], index: KeyIndex, value: Operand) -> Plan:
        plans: list[Plan] = []
        if index.elements is not None:
            plans.append(self._listed([index.elements.equal(value)]))
        if isinstance(value, str) and index.texts is not None:
            plans.append(self._texts(path, index.texts, partial(_containing, value)))
        if not plans:
            return ConstantPlan(self._window, passing=False)
        return plans[0] if len(plans) == 1 else OrPlan(plans)

    def _ordered(self, path: tuple[str, ...], index: KeyIndex, operator: str, bound: Operand) -> Plan:
        texts, numbers = index.texts, index.numbers
        if isinstance(bound, str) and texts is not None:
            return self._texts(path, texts, partial(_between, operator, bound))
        if isinstance(bound, Instant) and texts is not None:
            return self._texts(path, texts, partial(_at_time, operator, bound.time_us))
        if isinstance(bound, int | float) and numbers is not None:
            few = self._ordered_few(numbers, operator, bound)
            return few or NumbersPlan(self._window, numbers, [(operator, bound)])
        return ConstantPlan(self._window, passing=False)

    def _ordered_few(self, numbers: Numbers, operator: str, bound: int | float) -> Plan | None:
        """Plan a range of numbers by the bits of each that lies in it; None if these are many, or have no bits.

        None also if each number is a byte, which is compared as fast as the bits of two or three of them are joined.
        """
        if numbers.are_bytes or len(numbers.postings) > _FEW_NUMBERS_MAX:
            return None
        fits, known = _SIGNS[operator], numbers.postings.keys()
        lists = [numbers.postings.listed(number) for number in known if fits(number, bound)]
        return self._listed(lists) if all(each.is_dense for each in lists) else None

    def _texts(self, path: tuple[str, ...], texts: Texts, find: _Find) -> Plan:
        def read(digest: bytes, generations: NDArray[np.int64]) -> str | None:
            # Later ones may not be in the log yet.
            known = generations[: np.searchsorted(generations, self._window.last, side="right")]
            try:
                return self._rows().text(path, digest, known)
            except CorruptData as error:
                self.unclear |= dict.fromkeys(self._window.cut(known).tolist(), error)
                return None

        def test(places: Places) -> NDArray[np.bool_]:
            numbers = texts.numbers(places)
            found: NDArray[np.bool_] = find(texts, read, numbers)[numbers]
            return found

        few = texts.few_numbers()
        if few is not None:
            return TextsPlan(self._window, texts, np.flatnonzero(find(texts, read, few)))
        return KeyPlan(self._window, texts.generations, test, texts.listed.bits_within)

    def _rows(self) -> StoredRows:
        rows = self._index.rows
        if rows is None:
            raise RuntimeError("a filter by ids or long texts needs the log")
        return rows


_Find = Callable[[Texts, ReadText, TextNumbers], NDArray[np.bool_]]
"""Returns which of the distinct texts pass, by their numbers, of which only some are asked for."""


def _containing(part: str, texts: Texts, read: ReadText, numbers: TextNumbers) -> NDArray[np.bool_]:
    return texts.passing(text_tester("contains", part), read, numbers)


def _between(operator: str, bound: str, texts: Texts, read: ReadText, numbers: TextNumbers) -> NDArray[np.bool_]:
    return texts.between(operator, bound, read, numbers)


def _at_time(operator: str, time_us: int, texts: Texts, read: ReadText, numbers: TextNumbers) -> NDArray[np.bool_]:
    times_us = texts.times_us()
    found: NDArray[np.bool_] = (times_us != NO_TIME) & _SIGNS[operator](times_us, time_us)
    return found


def _at_times(times_us: NDArray[np.int64], texts: Texts, read: ReadText, numbers: TextNumbers) -> NDArray[np.bool_]:
    return np.isin(texts.times_us(), times_us)


def conjuncts(condition: Condition) -> Iterator[Condition]:
    """Yield the conditions that must all be met for `condition` to be."""
    if isinstance(condition, Group) and condition.joint == "and":
        for part in condition.parts:
            yield from conjuncts(part)
    else:
        yield condition
