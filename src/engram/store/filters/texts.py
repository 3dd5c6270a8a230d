"""The texts that generations have under one key of the metadata."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from typing import Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from engram.errors import InvalidInput
from engram.model.times import as_time_us
from engram.store.filters.postings import GrowingArray, Keeps, Postings

Tester = Callable[[str], bool]
ReadText = Callable[[bytes, NDArray[np.int64]], str | None]
"""Returns the text with this digest, from the log, where some generations have it: int64, ascending. None: it cannot be
read, or all of them have been dropped."""
TextNumbers = NDArray[np.uint8] | NDArray[np.int32]
"""Numbers of distinct texts, in a byte each while these are few."""
_Key = TypeVar("_Key", str, str | bytes)
NO_TIME: Final = np.iinfo(np.int64).min
"""Stands for a text that is no time."""
# A longer text takes less as its digest, by which it is found all the same.
_WHOLE_BYTES_MAX: Final = 256
# With fewer distinct texts, looking at each is as cheap as finding a range among the sorted.
_SORTED_COUNT_MIN: Final = 256
# Where fewer rows are asked for than this share of the distinct texts, only the texts of these rows are looked at.
_FEW_SHARE: Final = 16
# A byte tells so many distinct texts apart.
_BYTE_COUNT: Final = 256
# With so few distinct texts, each is tested when a filter is planned.
_TESTED_FIRST_MAX: Final = 64
# The shortest text that is a time has ten characters, such as 2025-01-31.
_TIME_CHARACTERS_MIN: Final = 10


class _Sorted(NamedTuple):
    """The distinct texts in order, as far as they were known when they were sorted."""

    texts: NDArray[np.object_]
    numbers: NDArray[np.int64]
    size: int


_NOT_SORTED: Final = _Sorted(np.empty(0, dtype=np.object_), np.empty(0, dtype=np.int64), 0)


class Texts:
    """The texts under one key, in the order of generations. One thread extends it; any reads without locks.

    A text of more than 256 bytes is kept as its digest, and read from the log where that does not tell enough.
    """

    __slots__ = ("_distinct", "_generations", "_long", "_numbers", "_sorted", "_times", "postings")

    def __init__(self) -> None:
        self.postings: Postings = Postings()
        self._generations = GrowingArray(np.int64)
        # For each row, the number of its text among the distinct ones, in a byte for as long as one has room for all.
        self._numbers = GrowingArray(np.uint8)
        # Each distinct text, or its digest. The garbage collector looks at the elements of a list, but not of an array.
        self._distinct = GrowingArray(np.object_)
        self._long: list[int] = []
        self._sorted = _NOT_SORTED
        self._times: NDArray[np.int64] = np.empty(0, dtype=np.int64)

    def extend(self, generations: Sequence[int], values: Sequence[str]) -> None:
        """Append the texts of later generations, which need not be distinct."""
        self._append(generations, values, text_key)

    def take(self, other: Texts, after: int, until: int, keeps: Keeps) -> None:
        """Append what `other` has of the generations behind `after`, up to `until`, as far as it stays."""
        places = other._generations.taken(after, until, keeps)
        keys = other._distinct.view[other._numbers.view[places]].tolist()
        self._append(other._generations.view[places].tolist(), keys, lambda key: key)

    def _append(
        self, generations: Sequence[int], values: Sequence[_Key], key_of: Callable[[_Key], str | bytes]
    ) -> None:
        found: defaultdict[_Key, list[int]] = defaultdict(list)
        for generation, value in zip(generations, values, strict=True):
            places = found[value]
            # A list of texts may have one of them twice.
            if not places or places[-1] != generation:
                places.append(generation)
        numbers: dict[_Key, int] = {}
        known = len(self._distinct.view)
        new: list[str | bytes] = []
        for text, places in found.items():
            key = key_of(text)
            numbers[text] = number = self.postings.extend(key, places)
            if number == known + len(new):
                if isinstance(key, bytes):
                    self._long.append(number)
                new.append(key)
        if new:
            self._distinct.extend(new)
            if known <= _BYTE_COUNT < known + len(new):
                self._numbers.widen(np.int32)
        self._numbers.extend(list(map(numbers.__getitem__, values)))
        self._generations.extend(generations)

    @property
    def generations(self) -> NDArray[np.int64]:
        """The generations that have a text: int64, shape ``(n,)``, ascending, more than once for lists."""
        return self._generations.view

    @property
    def listed(self) -> GrowingArray:
        """The same generations, as they grow."""
        return self._generations

    def numbers(self, places: NDArray[np.int64] | slice) -> TextNumbers:
        """Return the numbers of the texts at `places`, among the distinct texts: uint8 if these are few, else int32."""
        # Numbers are appended before generations, so there is one for every generation that a reader saw.
        return self._numbers.view[places]

    @property
    def are_bytes(self) -> bool:
        """Whether the number of the text of each row is a byte."""
        return bool(self._numbers.view.dtype == np.uint8)

    def numbers_of(self, wanted: Iterable[str]) -> NDArray[np.int64]:
        """Return the numbers of those of `wanted` that some generation has: int64, shape ``(n,)``, each once."""
        numbers = (self.postings.number(text_key(text)) for text in dict.fromkeys(wanted))
        return np.array([number for number in numbers if number is not None], dtype=np.int64)

    def few_numbers(self) -> TextNumbers | None:
        """Return the numbers of all distinct texts, if they are few and none is long; None: they are not."""
        count = len(self._distinct.view)
        return None if count > _TESTED_FIRST_MAX or self._long else np.arange(count, dtype=np.int32)

    def passing(self, test: Tester, read: ReadText, numbers: TextNumbers) -> NDArray[np.bool_]:
        """Return which of the distinct texts pass `test`: shape ``(n,)``, by their numbers.

        Parameters
        ----------
        test
            Says whether a text passes.
        read
            Reads long texts. One that it cannot read does not pass.
        numbers
            The texts that are asked for, some maybe more than once; others need not be tested.
        """
        count = len(self._distinct.view)
        passed = np.zeros(count, dtype=bool)
        if self._are_few(numbers, count):
            for number in np.unique(numbers).tolist():
                passed[number] = self._passes(number, test, read)
            return passed
        texts = self._distinct.view[:count].tolist()
        passed[:] = np.fromiter((isinstance(text, str) and test(text) for text in texts), bool, count)
        self._test_long(passed, test, read, numbers)
        return passed

    def between(self, operator: str, bound: str, read: ReadText, numbers: TextNumbers) -> NDArray[np.bool_]:
        """Return which of the distinct texts are less or greater than `bound`, or start with it (``prefix``).

        The parameters are those of `passing`.
        """
        test = text_tester(operator, bound)
        count = len(self._distinct.view)
        if count < _SORTED_COUNT_MIN or self._are_few(numbers, count):
            return self.passing(test, read, numbers)
        order = self._in_order(count)
        # Another thread may have sorted more texts meanwhile.
        count = max(count, order.size)
        if operator == "prefix":
            start = bisect_left(order.texts, bound)
            end = bisect_left(order.texts, True, start, key=lambda text: not text.startswith(bound))
        else:
            middle = (bisect_left if operator in ("lt", "ge") else bisect_right)(order.texts, bound)
            start, end = (0, middle) if operator in ("lt", "le") else (middle, len(order.texts))
        passed = np.zeros(count, dtype=bool)
        passed[order.numbers[start:end]] = True
        for number, text in enumerate(self._distinct.view[order.size : count].tolist(), order.size):
            passed[number] = isinstance(text, str) and test(text)
        self._test_long(passed, test, read, numbers)
        return passed

    def times_us(self) -> NDArray[np.int64]:
        """Return the distinct texts as times: int64, shape ``(n,)``, microseconds since 1970 UTC; `NO_TIME` if none."""
        known, count = self._times, len(self._distinct.view)
        if len(known) < count:
            more = [
                time_of(text) if isinstance(text, str) else NO_TIME
                for text in self._distinct.view[len(known) : count].tolist()
            ]
            known = np.concatenate([known, np.array(more, dtype=np.int64)])
            # Threads that come together all compute the same.
            self._times = known
        return known[:count]

    @property
    def nbytes(self) -> int:
        """Memory in bytes."""
        return self.postings.nbytes + self._generations.nbytes + self._numbers.nbytes + self._distinct.nbytes

    def _passes(self, number: int, test: Tester, read: ReadText) -> bool:
        key = self._distinct.view[number]
        text = key if isinstance(key, str) else read(key, self.postings.numbered(number))
        return text is not None and test(text)

    @staticmethod
    def _are_few(numbers: TextNumbers, count: int) -> bool:
        return len(numbers) * _FEW_SHARE < count

    def _test_long(self, passed: NDArray[np.bool_], test: Tester, read: ReadText, numbers: TextNumbers) -> None:
        """Set in `passed` which of the long texts that are asked for pass; others, maybe damaged, stay unread."""
        if not self._long:
            return
        is_asked = np.zeros(len(passed), dtype=bool)
        is_asked[numbers] = True
        long = np.array(self._long, dtype=np.int64)
        long = long[long < len(passed)]
        for number in long[is_asked[long]].tolist():
            passed[number] = self._passes(number, test, read)

    def _in_order(self, count: int) -> _Sorted:
        order = self._sorted
        # Sorted anew once there are a tenth more, so that each text is sorted a few times at most.
        if order.size + order.size // 10 < count:
            pairs = sorted(
                (text, number)
                for number, text in enumerate(self._distinct.view[:count].tolist())
                if isinstance(text, str)
            )
            numbers = np.array([number for _, number in pairs], dtype=np.int64)
            texts = np.array([text for text, _ in pairs], dtype=np.object_)
            self._sorted = order = _Sorted(texts, numbers, count)
        return order


def text_key(text: str) -> str | bytes:
    """Return what stands for a text in the index: itself, or a digest of 32 bytes if it is long."""
    # A character takes at most four bytes of UTF-8, so most texts need not be encoded to be measured.
    if 4 * len(text) <= _WHOLE_BYTES_MAX:
        return text
    encoded = text.encode("utf-8", "surrogatepass")
    return text if len(encoded) <= _WHOLE_BYTES_MAX else blake2b(encoded, digest_size=32).digest()


def text_tester(operator: str, bound: str) -> Tester:
    """Return the test of a text by an operator."""
    tests: dict[str, Tester] = {
        "lt": lambda text: text < bound,
        "le": lambda text: text <= bound,
        "gt": lambda text: text > bound,
        "ge": lambda text: text >= bound,
        "prefix": lambda text: text.startswith(bound),
        "contains": lambda text: bound in text,
    }
    return tests[operator]


def time_of(text: str) -> int:
    """Return a text in the form of ISO 8601 as microseconds since 1970 UTC, and any other as `NO_TIME`."""
    if len(text) < _TIME_CHARACTERS_MIN or text[4] != "-":
        return int(NO_TIME)
    try:
        return as_time_us(text, "text")
    except InvalidInput:
        return int(NO_TIME)
