"""The plan of a condition of which it is known which texts under a key meet it."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engram import _core
from engram.store.filters.plans import BYTES_PER_MARK, ROWS_PER_MARK, KeyPlan, ListsPlan, Places
from engram.store.filters.rows import PassingRows, Window, packed, unpacked
from engram.store.filters.texts import Texts


class TextsPlan(ListsPlan):
    """The rows that have one of some texts: found by the lists of the texts, or told by the text of each row.

    Parameters
    ----------
    texts
        The texts of the key.
    numbers
        Which of them: int64, shape ``(n,)``, their numbers among the distinct texts.
    """

    def __init__(self, window: Window, texts: Texts, numbers: NDArray[np.int64]) -> None:
        super().__init__(window, [texts.postings.numbered(number) for number in numbers.tolist()])
        self._texts = texts
        self._by_row = _RowTexts(window, texts, numbers)

    def rows(self) -> PassingRows:
        """Return the rows that have one of the texts."""
        per_mark = BYTES_PER_MARK if self._texts.are_bytes else ROWS_PER_MARK
        listed = self.count_max * per_mark < self._by_row.count_max
        return super().rows() if listed else self._by_row.rows()

    def passes(self, generations: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of `generations` have one of the texts."""
        # Where each row has a text, its place is known, and nothing has to be looked for in a list.
        return self._by_row.passes(generations) if self._by_row.is_gapless else super().passes(generations)


class _RowTexts(KeyPlan):
    """The rows whose texts are among some, told by the text of each row."""

    def __init__(self, window: Window, texts: Texts, numbers: NDArray[np.int64]) -> None:
        super().__init__(window, texts.generations, self._among, texts.listed.bits_within)
        self._texts = texts
        self._numbers = numbers

    def tested(self, places: Places) -> NDArray[np.uint64]:
        """Return which of the texts at `places` are among those asked for, as bits."""
        return _core.bits_wanted(self._texts.numbers(places), self._wanted)

    def _among(self, places: Places) -> NDArray[np.bool_]:
        return unpacked(self.tested(places), len(self._texts.numbers(places)))

    @cached_property
    def _wanted(self) -> NDArray[np.uint32]:
        """A bit for each of the distinct texts, as far as the last one that is asked for."""
        flags = np.zeros(int(self._numbers.max(initial=-1)) + 1, dtype=bool)
        flags[self._numbers] = True
        return packed(flags).view(np.uint32)
