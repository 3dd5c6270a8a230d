"""Embedders by name: the built-in ones, one's own, and clear errors for the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from engram.errors import AlreadyExists, FailedPrecondition, InvalidInput, NotFound
from engram.text import Embedder, embedder_names, get_embedder, register_embedder, registry
from engram.text.lexical import LexicalEmbedder


class LengthEmbedder:
    """Knows nothing of a text but its length."""

    name = "length"

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        vectors[np.arange(len(texts)), [len(text) % self.dim for text in texts]] = 1.0
        return vectors


@pytest.fixture
def length_embedder() -> Iterator[None]:
    register_embedder("length", LengthEmbedder)
    yield
    del registry._factories["length"]


def test_built_in_embedders_are_known() -> None:
    assert embedder_names() == ["lexical", "minilm"]
    embedder = get_embedder("lexical", 48)
    assert isinstance(embedder, Embedder)
    assert (embedder.name, embedder.dim) == ("lexical", 48)


@pytest.mark.usefixtures("length_embedder")
def test_an_embedder_of_ones_own_is_found_by_name() -> None:
    assert "length" in embedder_names()
    assert get_embedder("length", 16).embed(["abc"])[0].argmax() == 3


@pytest.mark.usefixtures("length_embedder")
def test_a_taken_name_is_refused_unless_it_is_the_same_embedder() -> None:
    register_embedder("length", LengthEmbedder)
    with pytest.raises(AlreadyExists) as caught:
        register_embedder("length", LexicalEmbedder)
    assert caught.value.value == "length"
    with pytest.raises(AlreadyExists):
        register_embedder("lexical", LengthEmbedder)


@pytest.mark.parametrize("name", ["", "Upper", "with space", "x" * 65])
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        register_embedder(name, LengthEmbedder)
    assert caught.value.code == "invalid_embedder_name"


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(NotFound) as caught:
        get_embedder("lexicon", 48)
    assert caught.value.code == "unknown_embedder"
    assert "lexical, minilm" in caught.value.message


def test_no_name_means_no_embedder() -> None:
    with pytest.raises(FailedPrecondition) as caught:
        get_embedder("", 48)
    assert caught.value.code == "no_embedder"
