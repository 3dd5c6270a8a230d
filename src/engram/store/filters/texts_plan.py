"""The plan of a condition of which it is known which texts under a key meet it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engram.store.filters.plans import KeyPlan, ListsPlan
from engram.store.filters.rows import Window
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
        self._by_row = KeyPlan(window, texts.generations, lambda places: np.isin(texts.numbers(places), numbers))

    def passes(self, generations: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of `generations` have one of the texts."""
        # Where each row has a text, its place is known, and nothing has to be looked for in a list.
        return self._by_row.passes(generations) if self._by_row.is_gapless else super().passes(generations)
