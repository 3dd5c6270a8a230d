"""The texts of a key: what is less, greater or a prefix, also while others are added and sorted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engram.store.filters import texts as module
from engram.store.filters.texts import Texts, text_key, text_tester

LONG = "m" * 300
VALUES = st.text(alphabet="am\U0001f600", max_size=4) | st.sampled_from([LONG, LONG + "a", "a" * 300])
OPERATORS = ["lt", "le", "gt", "ge", "prefix"]


class Long:
    """The long texts of some values, as the log would have them; remembers which were read."""

    def __init__(self, values: list[str]) -> None:
        self._texts = {text_key(value): value for value in values}
        self.read_texts: list[str] = []

    def read(self, digest: bytes, generations: NDArray[np.int64]) -> str:
        assert len(generations)
        self.read_texts.append(self._texts[digest])
        return self._texts[digest]


def texts_of(values: list[str]) -> Texts:
    made = Texts()
    made.extend(range(1, len(values) + 1), values)
    return made


@pytest.mark.parametrize("operator", OPERATORS)
@settings(max_examples=50)
@given(
    pieces=st.lists(st.lists(VALUES, max_size=12), min_size=1, max_size=3),
    bound=VALUES,
    sorted_from=st.sampled_from([1, 256]),
    few_share=st.sampled_from([1, 16]),
    data=st.data(),
)
def test_a_range_of_texts_is_what_a_look_at_each_finds(
    operator: str, pieces: list[list[str]], bound: str, sorted_from: int, few_share: int, data: st.DataObject
) -> None:
    texts, values = Texts(), list[str]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_SORTED_COUNT_MIN", sorted_from)
        patch.setattr(module, "_FEW_SHARE", few_share)
        for piece in pieces:
            texts.extend(range(len(values) + 1, len(values) + len(piece) + 1), piece)
            values += piece
            start = data.draw(st.integers(0, len(values)))
            end = data.draw(st.integers(start, len(values)))
            numbers, long = texts.numbers(slice(start, end)), Long(values)
            passed = texts.between(operator, bound, long.read, numbers)[numbers]
            assert passed.tolist() == [text_tester(operator, bound)(value) for value in values[start:end]]
            # What is not asked for may be damaged.
            assert set(long.read_texts) <= set(values[start:end])


@pytest.mark.parametrize("operator", OPERATORS)
def test_texts_that_are_added_and_sorted_meanwhile_harm_nobody(operator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    values = [f"{number:04}" for number in range(300)]
    texts = texts_of(values)
    numbers = texts.numbers(slice(None))
    in_order = Texts._in_order

    def after_others(self: Texts, count: int) -> Any:
        self.extend(range(301, 401), [f"{number:04}" for number in range(300, 400)])
        in_order(self, 400)
        return in_order(self, count)

    monkeypatch.setattr(Texts, "_in_order", after_others)
    passed = texts.between(operator, "0200", Long(values).read, numbers)[numbers]
    assert passed.tolist() == [text_tester(operator, "0200")(value) for value in values]


def test_a_few_rows_cost_a_look_at_their_own_texts_only() -> None:
    texts = texts_of([f"{number}" for number in range(10_000)])
    tested: list[str] = []

    def test(text: str) -> bool:
        tested.append(text)
        return text == "9998"

    numbers = texts.numbers(slice(9990, 10_000))
    passed = texts.passing(test, Long([]).read, numbers)[numbers]
    assert tested == [f"{number}" for number in range(9990, 10_000)]
    assert np.flatnonzero(passed).tolist() == [8]


def test_texts_have_numbers_by_which_they_are_looked_up() -> None:
    texts = texts_of(["b", "a", LONG, "b"])
    assert texts.numbers_of(["a", "never", "b", "a", LONG]).tolist() == [1, 0, 2]
    assert texts.postings.numbered(0).tolist() == [1, 4]


def test_only_few_and_short_texts_are_all_tested_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TESTED_FIRST_MAX", 2)
    few = texts_of(["a", "b", "a"]).few_numbers()
    assert few is not None
    assert few.tolist() == [0, 1]
    assert texts_of(["a", "b", "c"]).few_numbers() is None
    assert texts_of(["a", LONG]).few_numbers() is None


@pytest.mark.parametrize("pieces", [[256, 1], [255, 2], [100, 300], [300], [256, 1, 100_000]])
def test_more_texts_than_a_byte_tells_apart(pieces: list[int]) -> None:
    texts, values = Texts(), list[str]()
    for count in pieces:
        piece = [f"text {len(set(values)) + number}" for number in range(count)] * 2
        seen, before = texts.numbers(slice(None)), list(values)
        texts.extend(range(len(values) + 1, len(values) + len(piece) + 1), piece)
        values += piece
        is_byte = len(set(values)) <= 256
        assert texts.numbers(slice(None)).dtype == (np.uint8 if is_byte else np.int32)
        order = dict.fromkeys(values)
        places = dict(zip(order, range(len(order)), strict=True))
        assert texts.numbers(slice(None)).tolist() == [places[value] for value in values]
        # A reader keeps what it has seen.
        assert seen.tolist() == [places[value] for value in before]
        wanted = texts.numbers_of(["text 0", f"text {len(order) - 1}", "none"])
        assert wanted.tolist() == list(dict.fromkeys([0, len(order) - 1]))
