"""Sets of observations: how flags are made."""

from __future__ import annotations

import numpy as np
import pytest

from engram.store.filters import rows
from engram.store.filters.rows import Window, flagged, marked

WINDOW = Window(11, 30)


@pytest.mark.parametrize("at_once", [1, 4, 100])
def test_flags_are_the_same_however_many_are_set_at_once(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_PLACES_AT_ONCE", at_once)
    generations = np.array([11, 12, 15, 20, 21, 30])
    passed = np.array([True, False, True, True, False, True])
    found = marked(WINDOW, generations, passed)
    assert len(found) == WINDOW.size
    assert (np.flatnonzero(found) + WINDOW.first).tolist() == [11, 15, 20, 30]
    listed = flagged(WINDOW, [generations[:2], generations[2:]])
    assert (np.flatnonzero(listed) + WINDOW.first).tolist() == generations.tolist()
