"""Vectors of some rows only: a matrix that has zeros in the place of those that are missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engram.errors import InvalidInput
from engram.model.spaces import SpaceConfig
from engram.model.values.presence import Presence, check_presence, given_rows, spread
from engram.model.values.vectors import as_matrix

VectorsLike = ArrayLike | Sequence[ArrayLike | None]
"""Vectors of many observations as a caller passes them; None in a list stands for no vector."""


def as_rows(vectors: VectorsLike) -> tuple[NDArray[np.float32], Presence | None]:
    """Return a copy of vectors, a row for each observation, and which rows have one; None: all.

    Raises
    ------
    InvalidInput
        As `as_matrix`.
    """
    if not isinstance(vectors, list | tuple) or all(row is not None for row in vectors):
        return as_matrix(cast("ArrayLike", vectors), owned=True), None
    given = [row for row in vectors if row is not None]
    presence = given_rows(vectors)
    matrix = as_matrix(cast("ArrayLike", given), owned=True) if given else np.empty((0, 0), np.float32)
    return spread(matrix, presence), presence


def join_rows(matrices: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Join the vectors of batches of one space; those of a batch without vectors, of shape ``(n, 0)``, become zeros."""
    widths = {matrix.shape[1] for matrix in matrices}
    if len(widths) == 1:
        return np.concatenate(matrices)
    widest = max(widths)
    return np.concatenate(
        [matrix if matrix.shape[1] else np.zeros((len(matrix), widest), np.float32) for matrix in matrices]
    )


def check_width(vectors: NDArray[np.float32], presence: Presence | None, dim: int) -> None:
    """Check the length of vectors of which some may be missing.

    Raises
    ------
    InvalidInput
        With code ``dimension_mismatch``, or ``vectors_refused`` if the space takes none.
    """
    check_presence("vector_presence", presence, len(vectors))
    width = vectors.shape[1]
    has_some = presence is None or bool(presence.any())
    if width == dim > 0 or not (width or has_some):
        return
    has = f"has {dim}" if dim else "takes no vectors"
    raise InvalidInput(
        f"embedding has dimension {width} where the space {has}",
        code="dimension_mismatch" if dim else "vectors_refused",
        field="embedding",
        limit=dim,
        value=width,
    )


def check_none_missing(presence: Presence, config: SpaceConfig) -> None:
    """Check that each observation has a vector, as a space that requires vectors wants it.

    Raises
    ------
    InvalidInput
        With code ``vector_missing``, naming the first row without one.
    """
    if not presence.all():
        row = int(np.argmin(presence))
        raise InvalidInput(
            f"{int((~presence).sum())} of {len(presence)} observations have no vector, the first of them row {row}; "
            f"space {config.name!r} requires one of each",
            code="vector_missing",
            field=f"embedding[{row}]",
            limit=f"a vector of dimension {config.dim}",
            value="None",
        )
