"""The index of a key that is copied without the generations that are gone, in parts."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engram.store.filters.key_index import KeyIndex
from engram.store.filters.postings import Postings
from engram.store.filters.texts import text_key

LONG = "long " * 100
SCALARS = st.sampled_from([None, True, False, 0, 1, 1.5, 2**53, 2**53 + 1, 2**70, 10**400, "a", "b", LONG, LONG + "b"])
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.just({"nested": 1})
BOUNDS = (0, 1, 1.5, 2**53, 2**53 + 1, 10**400)


def built(rows: list[tuple[int, Any]]) -> KeyIndex:
    index = KeyIndex()
    for generation, value in rows:
        index.extend([generation], [value])
    return index


def found_in(index: KeyIndex | None) -> dict[str, Any]:
    """Everything that the index answers."""
    if index is None:
        return {}
    found: dict[str, Any] = {
        repr(value): index.equal(value).view.tolist()
        for value in (None, True, False, *BOUNDS, "a", "b", LONG, LONG + "b")
    }
    found["present"] = sorted(generation for part in index.present() for generation in part.view.tolist())
    if index.numbers is not None:
        for operator in ("lt", "le", "gt", "ge"):
            for bound in BOUNDS:
                fits = index.numbers.fit(operator, bound, slice(None))
                found[f"{operator} {bound}"] = index.numbers.generations[fits].tolist()
    if index.texts is not None:
        numbers = index.texts.numbers(slice(None))
        passing = index.texts.passing(lambda text: text.endswith("b"), stored, numbers)
        found["ends with b"] = index.texts.generations[passing[numbers]].tolist()
    found |= {f"element {key}": value for key, value in found_in(index.elements).items()}
    return {key: value for key, value in found.items() if value}


def stored(digest: bytes, generations: NDArray[np.int64]) -> str:
    return next(text for text in (LONG, LONG + "b") if text_key(text) == digest)


@given(st.lists(VALUES, max_size=20), st.sets(st.integers(1, 20)), st.lists(st.integers(0, 20), max_size=3))
def test_a_copy_has_what_is_kept_and_nothing_else(values: list[Any], gone: set[int], limits: list[int]) -> None:
    rows = list(enumerate(values, 1))
    index, copy = built(rows), KeyIndex()

    def keeps(generations: NDArray[np.int64]) -> NDArray[np.bool_]:
        return ~np.isin(generations, list(gone))

    for after, until in pairwise([0, *sorted(limits), 20]):
        copy.take(index, after, until, keeps)
    kept = [row for row in rows if row[0] not in gone]
    assert found_in(copy) == found_in(built(kept))
    assert copy.is_empty == (not kept)


def test_a_key_of_postings_without_generations_is_gone_until_it_comes_again() -> None:
    postings = Postings()
    numbers = [postings.extend(key, [1, 2]) for key in "ab"]
    before = postings.nbytes
    for shorter in postings.shortened(lambda generations: np.arange(len(generations)) > 1, 9, 99):
        postings.shorten(shorter)
    assert (postings.keys(), postings.get("a").tolist(), postings.get("b").tolist()) == (["b"], [], [1, 2])
    assert postings.nbytes < before
    assert postings.numbered(numbers[0]).tolist() == []
    assert postings.extend("a", [3]) not in numbers
    assert postings.get("a").tolist() == [3]
