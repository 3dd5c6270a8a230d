"""Word features: which there are, and that their numbers never change."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engram.text.hashing import GRAM_SIZES, hash_words, mix

words_strategy = st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=6)


def features_of(word: str) -> set[int]:
    return set(hash_words([word]).hashes.tolist())


def test_hashes_are_pinned() -> None:
    # Stored vectors were made with these numbers; a change here would make them strangers to new ones.
    hashes = hash_words(["cat", "straße"]).hashes
    assert [hex(value) for value in hashes[:4].tolist()] == [
        "0xb6559072032523b7",
        "0x25977f3dbafd15f1",
        "0xbfeb43e7143fbdad",
        "0xa502cacdcc55a1e7",
    ]


@given(words=words_strategy)
def test_each_word_has_itself_and_every_gram_of_it(words: list[str]) -> None:
    features = hash_words(words)
    assert features.words[: len(words)].tolist() == list(range(len(words)))
    for index, word in enumerate(words):
        expected = 1 + sum(max(len(word) + 2 - size + 1, 0) for size in GRAM_SIZES)
        assert np.count_nonzero(features.words == index) == expected


@given(words=words_strategy)
def test_neighbouring_words_do_not_matter(words: list[str]) -> None:
    together = hash_words(words)
    for index, word in enumerate(words):
        assert set(together.hashes[together.words == index].tolist()) == features_of(word)


def test_edges_and_order_make_a_difference() -> None:
    assert hash_words(["abc"]).hashes[0] != hash_words(["cba"]).hashes[0]
    assert features_of("cat") & features_of("cats")
    assert not features_of("abc") & features_of("def")


def test_mix_is_one_to_one_on_a_sample_and_spreads_bits() -> None:
    mixed = mix(np.arange(1 << 16, dtype=np.uint64))
    assert len(np.unique(mixed)) == 1 << 16
    ones = np.array([np.mean(mixed >> np.uint64(bit) & np.uint64(1)) for bit in range(64)])
    assert (abs(ones - 0.5) < 0.02).all()
