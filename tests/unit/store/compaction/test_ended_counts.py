"""From which generation on only so many versions ended."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engram.store.compaction.ended_counts import EndedCounts


@given(at=st.lists(st.integers(1, 5_000), max_size=300), count_max=st.integers(0, 320), forgotten=st.integers(0, 6_000))
def test_at_most_so_many_ended_after_the_horizon_and_no_group_more_is_given_up(
    at: list[int], count_max: int, forgotten: int
) -> None:
    counts = EndedCounts()
    for start in range(0, len(at), 50):
        counts.add(np.array(sorted(at)[start : start + 50], dtype=np.int64))
    counts.forget(forgotten)
    at = [one for one in at if one >= (forgotten + 1) & ~255]
    horizon = counts.horizon(count_max)
    assert sum(one > horizon for one in at) <= count_max
    if horizon:
        assert sum(one > horizon - 256 for one in at) > count_max
    assert counts.horizon(count_max) == 0, "what was given up is forgotten"
