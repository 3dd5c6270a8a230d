"""Ranked observations keep each generation with its score, whatever is cut, joined and sorted."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engram.store.recall.ranked import NOTHING, Ranked

# Few different scores, so that many are equal.
PAIRS = st.lists(st.tuples(st.integers(1, 2**62), st.sampled_from([-1.5, -0.0, 0.0, 0.25, 0.5, 3.0])), max_size=30)
Pairs = list[tuple[int, float]]


def ranked(pairs: Pairs) -> Ranked:
    return Ranked(np.array([g for g, _ in pairs], dtype=np.int64), np.array([s for _, s in pairs], dtype=np.float32))


def pairs_of(found: Ranked) -> Pairs:
    assert (str(found.generations.dtype), str(found.scores.dtype)) == ("int64", "float32")
    return list(zip(found.generations.tolist(), found.scores.tolist(), strict=True))


def sorted_pairs(pairs: Pairs) -> Pairs:
    return sorted(pairs, key=lambda pair: -pair[1])


@settings(deadline=None)
@given(PAIRS, st.integers(0, 40))
def test_head_and_rest_are_all_of_it(pairs: Pairs, count: int) -> None:
    whole = ranked(pairs)
    assert pairs_of(whole.head(count)) == pairs[:count]
    assert pairs_of(whole.rest(count)) == pairs[count:]
    assert pairs_of(whole.head(count).then(whole.rest(count))) == pairs
    assert len(whole) == len(pairs)
    assert bool(whole) == bool(pairs)


@settings(deadline=None)
@given(PAIRS, st.sampled_from([-2.0, -1.5, 0.0, 0.3, 4.0]))
def test_at_least_keeps_the_good_in_their_order(pairs: Pairs, score: float) -> None:
    assert pairs_of(ranked(pairs).at_least(score)) == [pair for pair in pairs if pair[1] >= score]
    assert pairs_of(ranked(pairs).at_least(None)) == pairs


@settings(deadline=None)
@given(PAIRS)
def test_best_first_leaves_equal_scores_as_they_were(pairs: Pairs) -> None:
    assert pairs_of(ranked(pairs).best_first()) == sorted_pairs(pairs)


@settings(deadline=None)
@given(PAIRS, PAIRS)
def test_a_merge_is_as_if_both_had_been_sorted_together(first: Pairs, second: Pairs) -> None:
    first, second = sorted_pairs(first), sorted_pairs(second)
    assert pairs_of(ranked(first).merge(ranked(second))) == sorted_pairs(first + second)


@settings(deadline=None)
@given(st.sets(st.integers(1, 60), max_size=30), st.integers(0, 62))
def test_count_before_divides_what_is_in_the_order_of_generations(generations: set[int], limit: int) -> None:
    found = ranked([(generation, 1.0) for generation in sorted(generations)])
    before = found.count_before(limit)
    assert (found.generations[:before] < limit).all()
    assert (found.generations[before:] >= limit).all()


def test_nothing_is_empty_and_changes_nothing() -> None:
    assert not NOTHING
    assert pairs_of(NOTHING) == []
    one = ranked([(1, 0.5)])
    assert pairs_of(NOTHING.then(one)) == pairs_of(one.merge(NOTHING)) == [(1, 0.5)]
