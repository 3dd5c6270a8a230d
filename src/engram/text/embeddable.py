"""The check of batches that may lack vectors, which the embedder of their space is still to make."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engram.model.batches.checks import (
    check_beside_vectors,
    check_count,
    check_embedded_bytes,
    check_given_vectors,
    check_shapes,
)
from engram.model.batches.parts import Parts, rows_of
from engram.model.observations import ObservationBatch, lacks_vectors, rows_to_embed
from engram.model.spaces import SpaceConfig
from engram.model.values.vector_rows import check_none_missing, check_width
from engram.model.values.vectors import check_vectors
from engram.text.embedder import check_texts
from engram.text.registry import no_embedder


def check_embeddable(batch: ObservationBatch, config: SpaceConfig) -> ObservationBatch:
    """Check a batch as the engine will; return it unchanged. It may lack vectors, which the embedder then makes later.

    Raises
    ------
    InvalidInput
        As `engram.model.batches.checks.check_batch`; also if a text to embed has no visible character.
    FailedPrecondition
        If vectors are missing, the space requires them, and has no embedder.
    """
    check_embedded_bytes(batch, check_rows(batch, config), config)
    return batch


def check_rows(batch: ObservationBatch, config: SpaceConfig) -> NDArray[np.int64]:
    """Check everything of a batch but its size in bytes, and return the rows whose vectors the embedder makes.

    Raises
    ------
    InvalidInput, FailedPrecondition
        As `check_embeddable`.
    """
    check_count(batch)
    check_beside_vectors(batch)
    if not lacks_vectors(batch):
        check_given_vectors(batch, config)
        return np.empty(0, np.int64)
    if config.vectors == "required" and batch.vector_presence is None and batch.embeds:
        check_embeds(config)
    rows = rows_to_embed(batch, config)
    # An embedder refuses the whole batch if one text has no visible character.
    check_texts([batch.contents[row] for row in rows.tolist()])
    check_present_vectors(batch, rows, config)
    return rows


def check_all_rows(batch: ObservationBatch, config: SpaceConfig) -> None:
    """Check what `check_rows` checks of a batch that is too large for one request, before any of it is stored.

    Raises
    ------
    InvalidInput, FailedPrecondition
        As `check_rows`.
    """
    # The parts of a column that is too long would be as long as they are meant to be.
    check_shapes(batch)
    # A part at a time, because parsed metadata take much memory.
    parts = Parts(len(batch))
    for part in parts:
        with parts.halving(part):
            check_rows(rows_of(batch, part), config)


def check_embeds(config: SpaceConfig) -> None:
    """Raise `FailedPrecondition` (code ``no_embedder``) if a space has no embedder."""
    if not config.embedder:
        raise no_embedder()


def check_present_vectors(batch: ObservationBatch, rows: NDArray[np.int64], config: SpaceConfig) -> None:
    """Check the vectors that are there, and that none is missing that the space requires and no embedder makes.

    Parameters
    ----------
    rows
        The rows whose vectors the embedder makes.

    Raises
    ------
    InvalidInput
        Naming the row, the limit and the value.
    """
    presence = np.zeros(len(batch), np.bool_) if batch.vector_presence is None else batch.vector_presence
    check_width(batch.vectors, presence, config.dim)
    if config.vectors == "required":
        completed = presence.copy()
        completed[rows] = True
        check_none_missing(completed, config)
    given = np.flatnonzero(presence)
    if len(given):
        check_vectors(batch.vectors[given], config, given)
