"""Vectors that are missing in a batch: the space's embedder makes them, or the observations have none."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from engram.model.observations import ObservationBatch, has_vectors, rows_to_embed, with_vectors
from engram.model.spaces import SpaceConfig
from engram.model.values.presence import unless_all

Embed = Callable[[Sequence[str]], NDArray[np.float32]]


def with_missing_vectors(batch: ObservationBatch, config: SpaceConfig, embed: Embed) -> ObservationBatch:
    """Return a batch in which it is settled which observations have a vector; `check_with_vectors` says if they may.

    Parameters
    ----------
    batch
        A batch that passed `check_beside_vectors`, some of whose observations have no vector.
    config
        Settings of the space.
    embed
        Returns the vectors of texts: float32, shape ``(n, dim)``.

    Raises
    ------
    InvalidInput, FailedPrecondition
        As `embed`, also if the space requires vectors, has no embedder, and none came.
    """
    presence = batch.vector_presence
    if presence is None and config.vectors == "required" and batch.embeds:
        # Without an embedder, its error says so.
        return with_vectors(batch, embed(batch.contents))
    if presence is None:
        presence = np.zeros(len(batch), np.bool_)
    rows = rows_to_embed(batch, config)
    if not len(rows):
        return with_vectors(batch, batch.vectors, presence)
    made = embed([batch.contents[row] for row in rows.tolist()])
    vectors = batch.vectors.copy() if has_vectors(batch) else np.zeros((len(batch), config.dim), np.float32)
    if vectors.shape[1] != config.dim:
        # The check of the batch names the dimension that came.
        return with_vectors(batch, batch.vectors, presence)
    vectors[rows] = made
    completed = presence.copy()
    completed[rows] = True
    return with_vectors(batch, vectors, unless_all(completed))
