"""Vectors that are missing in a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engram.model.observations import ObservationBatch, make_batch
from engram.model.spaces import SpaceConfig
from engram.store.commit.missing_vectors import with_missing_vectors

OPTIONAL = SpaceConfig("notes", 2, embedder="lexical", vectors="optional")


def embed(texts: Sequence[str]) -> NDArray[np.float32]:
    return np.array([[len(text), 1] for text in texts], np.float32)


def no_embedder(texts: Sequence[str]) -> NDArray[np.float32]:
    raise AssertionError("nothing is to be embedded")


def batch(vectors: Any, texts: list[str | None], **columns: Any) -> ObservationBatch:
    return make_batch([f"n{row}" for row in range(len(texts))], vectors, texts, **columns)


def test_what_is_missing_is_embedded_where_there_are_words() -> None:
    made = with_missing_vectors(batch([[9, 9], None, None, None], ["a", "bb", " ", None]), OPTIONAL, embed)
    assert made.vectors.tolist() == [[9, 9], [2, 1], [0, 0], [0, 0]]
    assert made.vector_presence is not None
    assert made.vector_presence.tolist() == [True, True, False, False]


def test_when_all_is_made_nothing_lacks() -> None:
    made = with_missing_vectors(batch([None, [9, 9]], ["a", "b"]), OPTIONAL, embed)
    assert (made.vectors.tolist(), made.vector_presence) == ([[1, 1], [9, 9]], None)
    required = SpaceConfig("notes", 2, embedder="lexical")
    made = with_missing_vectors(batch(np.empty((2, 0), np.float32), ["a", "bb"]), required, embed)
    assert (made.vectors.tolist(), made.vector_presence) == ([[1, 1], [2, 1]], None)


@pytest.mark.parametrize(
    ("config", "columns"),
    [
        (OPTIONAL, {"embed": False}),
        (SpaceConfig("notes", 2, vectors="optional"), {}),
        (SpaceConfig("notes", 0, vectors="none"), {}),
        (SpaceConfig("notes", 2, embedder="lexical"), {"embed": False}),
    ],
)
def test_without_an_embedder_or_told_not_to_they_stay_without(config: SpaceConfig, columns: dict[str, Any]) -> None:
    made = with_missing_vectors(batch(np.empty((2, 0), np.float32), ["a", "b"], **columns), config, no_embedder)
    assert made.vectors.shape == (2, 0)
    assert made.vector_presence is not None
    assert not made.vector_presence.any()
