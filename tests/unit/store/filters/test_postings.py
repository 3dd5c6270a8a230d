"""Lists of generations: what a reader holds does not change under it."""

from __future__ import annotations

import gc

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


def test_the_garbage_collector_has_as_little_to_look_at_however_many_values_there_are() -> None:
    postings = Postings()

    def looked_at() -> int:
        found, seen = [postings], {id(postings)}
        for one in found:
            for inner in gc.get_referents(one):
                if gc.is_tracked(inner) and not isinstance(inner, type) and id(inner) not in seen:
                    seen.add(id(inner))
                    found.append(inner)
        return sum(len(gc.get_referents(one)) for one in found)

    postings.extend("first", [1])
    before = looked_at()
    for number in range(1000):
        postings.extend(f"{number}", [number + 2])
    assert looked_at() <= before


def test_lists_are_shortened_to_what_stays() -> None:
    postings = Postings()
    added = {"many": [1, 2, 3, 4], "one is left": [5, 6], "gone": [7, 9], "only": [8]}
    numbers = {key: postings.extend(key, generations) for key, generations in added.items()}
    held = postings.get("many")
    for lists in postings.shortened(lambda generations: np.isin(generations, [2, 3, 5]), 2, 100):
        postings.shorten(lists)
    assert held.tolist() == [1, 2, 3, 4]
    assert {key: postings.get(key).tolist() for key in numbers} == {
        "many": [2, 3],
        "one is left": [5],
        "gone": [],
        "only": [],
    }
    assert postings.number("gone") is None
    assert [postings.numbered(number).tolist() for number in numbers.values()] == [
        [2, 3],
        [5],
        [],
        [],
    ]
    later = postings.extend("gone", [10, 11])
    postings.extend("one is left", [12])
    assert postings.numbered(later).tolist() == postings.get("gone").tolist() == [10, 11]
    assert postings.get("one is left").tolist() == [5, 12]
