"""Sets of observations: how bits are made, told and turned into lists."""

from __future__ import annotations

import numpy as np
import pytest

from engram.store.filters.rows import PassingRows, Window, are_set, bitmap, marked, packed, unpacked

# Their first bits are some before their first generations, their last words are not full, or they are.
WINDOWS = [Window(1, 63), Window(1, 64), Window(11, 30), Window(64, 127), Window(70, 1000), Window(129, 5000)]


def members(window: Window, step: int) -> list[int]:
    return list(range(window.first + step // 2, window.last + 1, step))


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("step", [1, 2, 7, 100])
def test_bits_and_lists_tell_the_same(window: Window, step: int) -> None:
    generations = members(window, step)
    half = len(generations) // 2
    words = marked(window, [np.array(generations[:half]), np.array(generations[half:], dtype=np.int64)])
    listed = PassingRows(window, np.array(generations, dtype=np.int64))
    assert words.tolist() == listed.words.tolist()
    for rows in (listed, PassingRows(window, words=words), PassingRows(window, words=words).best_form()):
        assert len(rows) == len(generations)
        assert rows.generations.tolist() == generations
        asked = np.arange(window.last + 70, -1, -1)
        assert asked[rows.has(asked)].tolist() == generations[::-1]
        allowed, begin = rows.bitmap()
        places = np.flatnonzero(unpacked(allowed, len(allowed) * 64))
        assert (places + begin).tolist() == generations


@pytest.mark.parametrize("window", WINDOWS)
def test_all_generations_of_a_window_are_its_whole(window: Window) -> None:
    whole = PassingRows(window, words=window.whole())
    assert whole.generations.tolist() == list(range(window.first, window.last + 1))


def test_a_window_of_nothing_has_no_bits() -> None:
    for nothing in (Window(1, 0), Window(65, 64)):
        assert PassingRows(nothing, words=nothing.whole()).generations.tolist() == []


def test_what_lies_outside_of_a_window_is_not_marked_behind_its_last_word() -> None:
    window = Window(70, 100)
    assert PassingRows(window, words=marked(window, [np.array([3, 63, 80, 128, 500])])).generations.tolist() == [80]


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("first", [1, 30, 64, 100, 700, 6000])
@pytest.mark.parametrize("count", [1, 40, 5000])
def test_a_window_takes_what_a_bitmap_has_of_it(window: Window, first: int, count: int) -> None:
    generations = np.arange(first, first + 3 * count, 3)
    found = PassingRows(window, words=window.bits_of(bitmap(generations)))
    assert found.generations.tolist() == window.cut(generations).tolist()


def test_a_bitmap_of_a_few_that_are_far_behind_is_short() -> None:
    allowed, begin = bitmap(np.array([10**15, 10**15 + 3]))
    assert (len(allowed), begin) == (1, 10**15 // 64 * 64)


def test_flags_are_packed_and_unpacked() -> None:
    flags = np.arange(131) % 3 == 0
    words = packed(flags)
    assert unpacked(words, 131).tolist() == flags.tolist()
    assert are_set(words, np.array([130, 129, 0])).tolist() == [False, True, True]
