"""Lists of generations: what a reader holds does not change under it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engram.store.filters.postings import Postings


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
