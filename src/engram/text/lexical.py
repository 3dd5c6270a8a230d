"""The lexical embedder: a text's vector tells which words it has, without a model, a vocabulary or a download.

It hashes the lower-cased words of a text and their character n-grams into features. Texts that share words are near
each other. Texts that share parts of words (plurals, typing errors, compounds) are somewhat near. Synonyms such as
"car" and "automobile" have nothing in common.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engram.model.limits import DIMENSION_MAX, DIMENSION_MIN
from engram.model.values.scalars import as_whole
from engram.text.embedder import check_texts
from engram.text.hashing import hash_words, mix

_WORD: Final = re.compile(r"\w+")
_VISIBLE: Final = re.compile(r"\S+")

# Weight of all n-grams of a word together, relative to the weight of the word itself.
_GRAMS_WEIGHT: Final = 1.5
# A word of n characters weighs 1 - exp(-n / 3), because short words are mostly "the", "of" and "to".
_WORD_SCALE: Final = 3.0
# With two buckets for each feature, a collision spoils only half a feature. That measurably helps at a few hundred
# dimensions.
_BUCKETS: Final = 2
# Texts are embedded in blocks in which characters and output numbers add up to about this many. That bounds the
# intermediate arrays to some tens of megabytes, however many texts a call has.
_BLOCK_SIZE: Final = 1 << 20
_NORM_MIN: Final = 1e-6
_ROW_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)


class LexicalEmbedder:
    """A deterministic embedder that needs nothing but NumPy.

    A text is normalised to NFKC, case-folded, and cut into words: runs of letters, digits and ``_``, or, where there
    are none, runs of visible characters. Each word and each of its character 3-, 4- and 5-grams is hashed to signed
    buckets and counted sub-linearly (1 + log n). The sum is scaled to unit length. The vector depends only on the text
    and the dimension.

    Parameters
    ----------
    dim
        1 to 4096. More dimensions mean fewer collisions; 384 and more tell tens of thousands of texts apart well.

    Raises
    ------
    InvalidInput
        If the dimension is out of range.

    Examples
    --------
    >>> embedder = LexicalEmbedder(384)
    >>> cat, cats, dog = embedder.embed(["a black cat", "two black cats", "the dog barked"])
    >>> bool(cat @ cats > cat @ dog)
    True
    """

    name: Final = "lexical"

    def __init__(self, dim: int) -> None:
        self.dim: Final = as_whole("dimension", dim, DIMENSION_MIN, DIMENSION_MAX, code="invalid_dimension")

    def __repr__(self) -> str:
        return f"LexicalEmbedder({self.dim})"

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector of unit length per text: float32, shape ``(len(texts), dim)``; see `Embedder.embed`."""
        texts = check_texts(texts)
        vectors = np.empty((len(texts), self.dim), dtype=np.float32)
        for first, last in _blocks(texts, self.dim):
            vectors[first:last] = self._embed_block(texts[first:last])
        return vectors

    def _embed_block(self, texts: Sequence[str]) -> NDArray[np.float64]:
        rows, hashes, weights = _features(texts)
        flat = np.zeros(len(texts) * self.dim)
        for _ in range(_BUCKETS):
            buckets = ((hashes >> np.uint64(32)) * np.uint64(self.dim)) >> np.uint64(32)
            signs = np.where(hashes & np.uint64(1), 1.0, -1.0)
            places = rows * self.dim + buckets.astype(np.int64)
            flat += np.bincount(places, weights=weights * signs, minlength=len(flat))
            hashes = mix(hashes + _ROW_MULTIPLIER)
        vectors = flat.reshape(len(texts), self.dim)
        norms = np.linalg.norm(vectors, axis=1)
        # With very few dimensions the signs of a text's features can cancel out. The text must have a direction
        # nevertheless, so all such texts get the first axis.
        vanished = norms < _NORM_MIN
        vectors[vanished] = np.eye(1, self.dim)
        norms[vanished] = 1.0
        return np.asarray(vectors / norms[:, None])


def _features(texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.float64]]:
    """Return the distinct features of each text: the row of the text, the hash and the weight of the feature."""
    per_text = [_words(text) for text in texts]
    words = [word for row in per_text for word in row]
    word_rows = np.repeat(np.arange(len(texts)), list(map(len, per_text)))
    owners, hashes = hash_words(words)
    grams = np.bincount(owners, minlength=len(words)) - 1
    lengths = np.fromiter(map(len, words), dtype=np.float64, count=len(words))
    word_weights = 1.0 - np.exp(-lengths / _WORD_SCALE)
    weights = (word_weights * _GRAMS_WEIGHT / np.sqrt(grams))[owners]
    weights[: len(words)] = word_weights
    rows = word_rows[owners]
    # A key combines text and feature in one number, so one sort counts how often each text has each feature.
    keys = mix(hashes ^ (rows.astype(np.uint64) * _ROW_MULTIPLIER))
    _, first, counts = np.unique(keys, return_index=True, return_counts=True)
    return rows[first], hashes[first], weights[first] * (1.0 + np.log(counts))


def _words(text: str) -> list[str]:
    normal = unicodedata.normalize("NFKC", text).casefold()
    return _WORD.findall(normal) or _VISIBLE.findall(normal) or [text]


def _blocks(texts: Sequence[str], dim: int) -> Iterator[tuple[int, int]]:
    first = size = 0
    for row, text in enumerate(texts):
        size += len(text) + dim
        if size >= _BLOCK_SIZE:
            yield first, row + 1
            first, size = row + 1, 0
    if first < len(texts):
        yield first, len(texts)
