"""Lists of generations: what a reader holds does not change under it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engram.store.filters.postings import GrowingArray, Postings
from engram.store.filters.rows import PassingRows, Window


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 9)), max_size=30))
def test_lists_hold_what_was_added_in_order(additions: list[tuple[str, int]]) -> None:
    postings, model = Postings(), {"a": list[int](), "b": list[int]()}
    held = []
    generation = 0
    for key, count in additions:
        added = list(range(generation, generation + count))
        generation += count
        postings.extend(key, added)
        model[key] += added
        held.append((postings.get(key), list(model[key])))
    for view, expected in held:
        assert view.tolist() == expected
    assert postings.get("c").tolist() == []
    assert len(postings) == sum(1 for added in model.values() if added)


def test_an_array_of_generations_has_bits_that_grow_with_it() -> None:
    grown = GrowingArray(np.int64)
    window = Window(70, 400)
    assert PassingRows(window, words=grown.bits_within(window)).generations.tolist() == []
    seen = []
    for generations in ([66, 75], [76, 140], [399, 401, 1000]):
        grown.extend(generations)
        seen.append(grown.bits_within(window))
    assert [PassingRows(window, words=words).generations.tolist() for words in seen] == [
        [75],
        [75, 76, 140],
        [75, 76, 140, 399],
    ]
    grown.adopt(np.array([80, 1000]))
    assert PassingRows(window, words=grown.bits_within(window)).generations.tolist() == [80]
    assert grown.nbytes > 16
