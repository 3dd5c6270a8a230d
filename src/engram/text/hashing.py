"""Features of words as 64-bit hashes that are the same in every process, on every platform and in every release.

All arithmetic is on arrays of unsigned 64-bit integers, which wrap around by definition. There is no Python call per
word or per character. No constant of this module may change: a change would alter every lexical vector, and stored
vectors could no longer be compared with new ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

GRAM_SIZES: Final = (3, 4, 5)

_OPEN: Final = "\x02"
_CLOSE: Final = "\x03"
_POSITION: Final = np.uint64(0x9E3779B97F4A7C15)
_LETTER: Final = np.uint64(0xC2B2AE3D27D4EB4F)
_GRAM_LETTER: Final = np.uint64(0x165667B19E3779F9)
_GRAM_STEP: Final = np.uint64(0xD6E8FEB86659FD93)


class WordFeatures(NamedTuple):
    """Features of a sequence of words: word ``words[i]`` has the feature ``hashes[i]``.

    The first ``len(words)`` entries are the words themselves, in order. The remaining entries are their character
    n-grams.
    """

    words: NDArray[np.int64]
    hashes: NDArray[np.uint64]


def mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread every input bit over all 64 output bits (the finaliser of SplitMix64); uint64, any shape."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def hash_words(words: Sequence[str]) -> WordFeatures:
    """Hash each word and each of its n-grams of `GRAM_SIZES` characters; the edges of a word count as characters.

    With the edges, "cat" at the start of a word is a different feature from "cat" inside a word, and even a word of one
    character has an n-gram.
    """
    text = _OPEN + (_CLOSE + _OPEN).join(words) + _CLOSE
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
    lengths = np.fromiter(map(len, words), dtype=np.int64, count=len(words)) + 2
    starts = np.cumsum(lengths) - lengths
    owners = np.repeat(np.arange(len(words)), lengths)
    word_hashes = _hash_whole(codes, starts, owners)
    grams = [_hash_grams(codes, owners, size) for size in GRAM_SIZES]
    return WordFeatures(
        np.concatenate([np.arange(len(words)), *(gram.words for gram in grams)]),
        np.concatenate([word_hashes, *(gram.hashes for gram in grams)]),
    )


def _hash_whole(codes: NDArray[np.uint64], starts: NDArray[np.int64], owners: NDArray[np.int64]) -> NDArray[np.uint64]:
    # A sum lets words of any length reduce in one call. An odd multiplier per position makes the sum depend on the
    # order.
    places = (np.arange(len(codes)) - starts[owners] + 1).astype(np.uint64)
    terms = mix(codes * _LETTER) * (mix(places * _POSITION) | np.uint64(1))
    return mix(np.add.reduceat(terms, starts))


def _hash_grams(codes: NDArray[np.uint64], owners: NDArray[np.int64], size: int) -> WordFeatures:
    count = max(len(codes) - size + 1, 0)
    inside = owners[:count] == owners[size - 1 :][:count]
    letters = mix(codes * _GRAM_LETTER)
    hashes = np.zeros(count, dtype=np.uint64)
    for step in range(size):
        hashes = hashes * _GRAM_STEP + letters[step : step + count]
    return WordFeatures(owners[:count][inside], mix(hashes + np.uint64(size))[inside])
