"""The values that generations have under one key of the metadata."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from engram.store.filters.numbers import Numbers
from engram.store.filters.postings import NO_GENERATIONS, GrowingArray, Keeps
from engram.store.filters.texts import Texts, text_key

_NUMBERS = ({int}, {float}, {int, float})


class KeyIndex:
    """The values of one key. One thread extends it; any reads without locks.

    Attributes
    ----------
    texts, numbers
        The values that are texts or numbers; None while there are none.
    elements
        The elements of values that are lists, as values of a key of their own; None while there are none.
    """

    __slots__ = ("_containers", "_nulls", "_truths", "elements", "numbers", "texts")

    def __init__(self) -> None:
        self.texts: Texts | None = None
        self.numbers: Numbers | None = None
        self.elements: KeyIndex | None = None
        self._truths: dict[bool, GrowingArray] = {}
        self._nulls: GrowingArray | None = None
        self._containers: GrowingArray | None = None

    def extend(self, generations: Sequence[int], values: Sequence[Any]) -> None:
        """Append the values of later generations, as JSON gives them."""
        kinds = set(map(type, values))
        if kinds == {str}:
            self._add_texts(generations, values)
        elif kinds in _NUMBERS:
            self._add_numbers(generations, values)
        else:
            self._add_mixed(generations, values)

    def take(self, other: KeyIndex, after: int, until: int, keeps: Keeps) -> None:
        """Append what `other` has of the generations behind `after`, up to `until`, as far as it stays."""
        if other.texts is not None:
            self.texts = self.texts or Texts()
            self.texts.take(other.texts, after, until, keeps)
        if other.numbers is not None:
            self.numbers = self.numbers or Numbers()
            self.numbers.take(other.numbers, after, until, keeps)
        if other.elements is not None:
            self.elements = self.elements or KeyIndex()
            self.elements.take(other.elements, after, until, keeps)
        for truth, found in list(other._truths.items()):
            self._truths[truth] = _taken(self._truths.get(truth), found, after, until, keeps)
        if other._nulls is not None:
            self._nulls = _taken(self._nulls, other._nulls, after, until, keeps)
        if other._containers is not None:
            self._containers = _taken(self._containers, other._containers, after, until, keeps)

    @property
    def is_empty(self) -> bool:
        """Whether no generation has a value."""
        return not any(len(listed.view) for listed in self.present())

    def equal(self, value: object) -> GrowingArray:
        """Return the generations that have this text, number or truth value, or null: int64, ascending."""
        if isinstance(value, bool):
            return self._truths.get(value) or NO_GENERATIONS
        if value is None:
            return self._nulls or NO_GENERATIONS
        if isinstance(value, str):
            return NO_GENERATIONS if self.texts is None else self.texts.postings.listed(text_key(value))
        return NO_GENERATIONS if self.numbers is None else self.numbers.postings.listed(value)

    def present(self) -> Iterator[GrowingArray]:
        """Yield, for each kind of value, the generations that have one: int64, ascending."""
        if self.texts is not None:
            yield self.texts.listed
        if self.numbers is not None:
            yield self.numbers.listed
        for others in (*list(self._truths.values()), self._nulls, self._containers):
            if others is not None:
                yield others

    @property
    def nbytes(self) -> int:
        """Approximate memory in bytes."""
        parts = (self.texts, self.numbers, self.elements, self._nulls, self._containers, *list(self._truths.values()))
        return sum(part.nbytes for part in parts if part is not None)

    def _add_texts(self, generations: Sequence[int], values: Sequence[str]) -> None:
        texts = self.texts or Texts()
        texts.extend(generations, values)
        self.texts = texts

    def _add_numbers(self, generations: Sequence[int], values: Sequence[int | float]) -> None:
        numbers = self.numbers or Numbers()
        numbers.extend(generations, values)
        self.numbers = numbers

    def _add_mixed(self, generations: Sequence[int], values: Sequence[Any]) -> None:
        pairs = list(zip(generations, values, strict=True))
        if texts := [pair for pair in pairs if type(pair[1]) is str]:
            self._add_texts(*zip(*texts, strict=True))
        if numbers := [pair for pair in pairs if type(pair[1]) in (int, float)]:
            self._add_numbers(*zip(*numbers, strict=True))
        for truth in (True, False):
            if found := [generation for generation, value in pairs if value is truth]:
                self._truths[truth] = _extended(self._truths.get(truth), found)
        if found := [generation for generation, value in pairs if value is None]:
            self._nulls = _extended(self._nulls, found)
        if found := [generation for generation, value in pairs if type(value) in (list, dict)]:
            self._containers = _extended(self._containers, found)
        lists = [pair for pair in pairs if type(pair[1]) is list]
        # What is inside of lists is found by their elements only, and only by those that are no lists or objects.
        if inner := [(at, each) for at, values in lists for each in values if type(each) not in (list, dict)]:
            elements = self.elements or KeyIndex()
            elements.extend(*zip(*inner, strict=True))
            self.elements = elements


def _taken(known: GrowingArray | None, found: GrowingArray, after: int, until: int, keeps: Keeps) -> GrowingArray:
    grown = known or GrowingArray(np.int64)
    grown.extend(found.view[found.taken(after, until, keeps)])
    return grown


def _extended(known: GrowingArray | None, generations: Sequence[int]) -> GrowingArray:
    grown = known or GrowingArray(np.int64)
    # A list may have an element twice.
    grown.extend(list(dict.fromkeys(generations)))
    return grown
