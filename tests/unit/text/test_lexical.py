"""The lexical embedder: deterministic, never zero, and able to find texts by their words."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engram.data import sample
from engram.errors import InvalidInput
from engram.text import get_embedder
from engram.text.embedder import READ_CHARACTERS_MAX
from engram.text.lexical import LexicalEmbedder

visible_texts = st.text(min_size=1, max_size=60).filter(lambda text: not text.isspace())


def nearest(cues: list[str], texts: list[str] | tuple[str, ...], k: int, dim: int = 384) -> NDArray[np.int64]:
    """Positions of the `k` texts nearest to each cue, by exact search."""
    embedder = LexicalEmbedder(dim)
    scores = embedder.embed(cues) @ embedder.embed(texts).T
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


@given(texts=st.lists(visible_texts, min_size=1, max_size=5), dim=st.sampled_from([1, 2, 8, 13, 384, 4096]))
@settings(deadline=None)
def test_every_visible_text_has_a_direction(texts: list[str], dim: int) -> None:
    vectors = LexicalEmbedder(dim).embed(texts)
    assert vectors.shape == (len(texts), dim)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


@given(texts=st.lists(visible_texts, min_size=1, max_size=6))
@settings(deadline=None)
def test_a_vector_depends_on_its_text_alone(texts: list[str]) -> None:
    embedder = LexicalEmbedder(64)
    together = embedder.embed(texts)
    alone = np.concatenate([embedder.embed([text]) for text in texts])
    assert np.allclose(together, alone, atol=1e-6)


def test_texts_whose_features_cancel_out_still_have_a_direction() -> None:
    # A single character has two features; at eight dimensions about one in 256 of them cancels out entirely.
    characters = [chr(code) for code in range(0x4E00, 0x4E00 + 4000)]
    vectors = LexicalEmbedder(8).embed(characters)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert (vectors == np.eye(1, 8, dtype=np.float32)).all(axis=1).any()


def test_vectors_are_the_same_in_every_process_and_release() -> None:
    expected = [0.152959, 0.166589, -0.442142, 0.580129, -0.637795, 0.096264, 0.027632, 0.0]
    script = "from engram.text import get_embedder; print(*get_embedder('lexical', 8).embed(['a black cat'])[0])"
    for seed in ("0", "1"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        output = subprocess.check_output([sys.executable, "-c", script], text=True, env=environment, timeout=300)
        assert [float(number) for number in output.split()] == pytest.approx(expected, abs=1e-5)


def test_case_width_and_composition_do_not_matter() -> None:
    plain, shouted, wide, composed, decomposed = LexicalEmbedder(384).embed(
        ["black cat", "BLACK CAT", "ｂｌａｃｋ ｃａｔ", "caf\u00e9", "cafe\u0301"]
    )
    assert np.array_equal(plain, shouted)
    assert np.array_equal(plain, wide)
    assert np.array_equal(composed, decomposed)


def test_punctuation_and_symbols_alone_are_text() -> None:
    vectors = LexicalEmbedder(384).embed(["!!!", "🙂", "🙂 🙂", "???"])
    assert vectors[1] @ vectors[2] == pytest.approx(1.0, abs=1e-5)
    assert vectors[0] @ vectors[3] < 0.5


def test_many_texts_and_long_texts_are_cut_into_blocks() -> None:
    embedder = LexicalEmbedder(4096)
    texts = [f"text number {number}" for number in range(600)]
    texts[300] = "a long tale " * 5_000
    vectors = embedder.embed(texts)
    for row in (0, 299, 300, 301, 599):
        assert np.allclose(vectors[row], embedder.embed([texts[row]])[0], atol=1e-6)


def test_no_texts_make_no_vectors() -> None:
    assert LexicalEmbedder(16).embed([]).shape == (0, 16)


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
def test_text_without_content_is_refused_by_position(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        LexicalEmbedder(16).embed(["fine", text])
    assert (caught.value.code, caught.value.field) == ("empty_text", "texts[1]")


def test_of_a_long_text_the_beginning_is_read() -> None:
    beginning = "pump " * (READ_CHARACTERS_MAX // 5) + "x"
    assert len(beginning) == READ_CHARACTERS_MAX
    long = " \n" + beginning + " leaks" * 1000
    short, cut = LexicalEmbedder(16).embed([beginning, long])
    assert np.array_equal(short, cut)
    other = LexicalEmbedder(16).embed(["leaks" + beginning[5:]])[0]
    assert not np.array_equal(short, other)


def test_what_is_not_text_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        LexicalEmbedder(16).embed(["fine", b"bytes"])  # type: ignore[list-item]  # The very mistake under test.
    assert (caught.value.code, caught.value.value) == ("invalid_text", "bytes")


@pytest.mark.parametrize("dim", [-1, 0, 4097])
def test_dimension_out_of_range_is_refused(dim: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        get_embedder("lexical", dim)
    assert (caught.value.field, caught.value.value) == ("dimension", str(dim))


def test_a_word_finds_its_gloss() -> None:
    texts = sample().contents
    words = sorted({text.partition(":")[0] for text in texts if text.isascii()})[::10]
    found = nearest(words, texts, k=10)
    first = [texts[row[0]].partition(":")[0].lower() == word.lower() for word, row in zip(words, found, strict=True)]
    among = [
        any(texts[place].partition(":")[0].lower() == word.lower() for place in row)
        for word, row in zip(words, found, strict=True)
    ]
    assert len(words) > 300
    assert np.mean(first) > 0.8
    assert np.mean(among) > 0.97


def test_part_of_a_gloss_finds_the_whole() -> None:
    texts = [text for text in sample().contents if len(text.split()) >= 12][::5]
    cues = [" ".join(text.split()[-6:]) for text in texts]
    found = nearest(cues, texts, k=1)[:, 0]
    assert len(texts) > 300
    assert np.mean(found == np.arange(len(texts))) > 0.95


def test_a_typing_error_still_finds_the_word() -> None:
    texts = sample().contents
    words = sorted({word for text in texts if len(word := text.partition(":")[0]) >= 8 and word.isalpha()})[::10]
    found = nearest([word[:4] + word[5:] for word in words], texts, k=10)
    among = [
        any(texts[place].partition(":")[0].lower() == word.lower() for place in row)
        for word, row in zip(words, found, strict=True)
    ]
    assert len(words) > 100
    assert np.mean(among) > 0.6
