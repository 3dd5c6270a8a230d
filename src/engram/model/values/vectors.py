"""Conversion of vectors, and the checks that every vector passes before it is stored or searched for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engram.errors import InvalidInput
from engram.model.spaces import DIRECTIONAL_METRICS, Metric, SpaceConfig
from engram.model.values.masked import is_masked

# Squared norms above the maximum would overflow float32 arithmetic downstream. Below the minimum, a direction loses all
# precision.
_SQUARED_NORM_MAX = 1e30
_SQUARED_NORM_MIN_DIRECTED = 1e-30


def as_float32(
    values: ArrayLike, field: str, what: str = "", id: str | None = None, *, owned: bool = False
) -> NDArray[np.float32]:
    """Return `values` as a C-contiguous float32 array of any shape.

    Parameters
    ----------
    values
        Real numbers.
    field
        Name of the values in the error.
    what
        Description of the values in the error message; default `field`.
    id
        Id of the observation whose values they are, for the error message.
    owned
        Whether the result must not share memory with `values`, which the caller may change.

    Raises
    ------
    InvalidInput
        With code ``invalid_vector``, if rows have different lengths or elements are not real numbers. Masked arrays,
        complex numbers, dates, texts, truth values and objects are refused, because NumPy would turn them into numbers
        that the caller did not mean.
    """
    if type(values) is np.ndarray and values.dtype == np.float32:
        # Fast path for what nearly every caller passes; the checks below take several times as long.
        if owned:
            return values.copy()
        return np.ascontiguousarray(values) if values.ndim else values
    if id is not None:
        what = f"{what or field} of {id!r}"
    if _is_masked(values):
        raise _unreadable(field, what, "it is a masked array; pass array.filled(...)", "masked")
    if values is None or isinstance(values, str | bytes | bytearray):
        raise _unreadable(field, what, f"it is of type {type(values).__name__}; pass numbers", type(values).__name__)
    try:
        array = np.asarray(values)
    except Exception as error:
        # The conversion calls methods of the caller's objects, which may raise anything.
        raise _unreadable(field, what, str(error), type(values).__name__) from error
    if array.dtype.kind not in "fiu":
        raise _unreadable(field, what, f"its elements are of type {array.dtype}; pass real numbers", array.dtype)
    with np.errstate(over="ignore"):
        converted = np.asarray(array, dtype=np.float32, order="C")
    # What NumPy makes of a list is new anyway.
    if owned and not isinstance(values, list | tuple) and np.may_share_memory(converted, array):
        return converted.copy()
    return converted


def as_matrix(vectors: ArrayLike, field: str = "vectors", *, owned: bool = False) -> NDArray[np.float32]:
    """Return `vectors` as a float32 array of shape ``(n, dim)``; `owned` as for `as_float32`.

    Raises
    ------
    InvalidInput
        As `as_float32`, and with code ``dimension_mismatch`` for another number of dimensions.
    """
    matrix = as_float32(vectors, field, owned=owned)
    if matrix.ndim != 2:
        raise InvalidInput(
            f"{field} must be a matrix of shape (n, dim), not of shape {matrix.shape}",
            code="dimension_mismatch",
            field=field,
            limit="(n, dim)",
            value=matrix.shape,
        )
    return matrix


def as_query(vector: ArrayLike, field: str = "vector") -> NDArray[np.float32]:
    """Return `vector` as a float32 array of shape ``(n,)`` with at least one element.

    Raises
    ------
    InvalidInput
        As `as_float32`, and with code ``dimension_mismatch`` for another shape.
    """
    query = as_float32(vector, field, f"the {field}")
    if query.ndim != 1 or query.size == 0:
        raise InvalidInput(
            f"the {field} has shape {query.shape}; pass one vector of shape (dim,)",
            code="dimension_mismatch",
            field=field,
            limit="(dim,)",
            value=query.shape,
        )
    return query


def check_query(vector: ArrayLike, config: SpaceConfig) -> NDArray[np.float32]:
    """Return `vector` as a float32 array of shape ``(dim,)`` that the space can be searched with.

    Raises
    ------
    InvalidInput
        If the vector is not a row of real numbers, has the wrong dimension, holds NaN or Inf, has a norm that float32
        cannot square, or is a zero vector under a metric that compares directions.
    """
    query = as_query(vector)
    # Nearly every vector is good by its squared norm alone, which a product of two vectors has soonest. NaN is not.
    is_good = len(query) == config.dim and _SQUARED_NORM_MIN_DIRECTED <= np.vdot(query, query) <= _SQUARED_NORM_MAX
    if not is_good:
        check_vectors(query[None, :], config)
    return query


def check_vectors(vectors: NDArray[np.float32], config: SpaceConfig, rows: NDArray[np.int64] | None = None) -> None:
    """Check that each row of `vectors` can be stored in the space and searched for.

    Parameters
    ----------
    vectors
        float32, shape ``(n, dim)``.
    config
        Settings of the space.
    rows
        Which rows of a batch they are of, where some rows have none; None: all.

    Raises
    ------
    InvalidInput
        If the dimension is wrong, or a row, which the error names, holds NaN or Inf, has a norm that float32 cannot
        square, or is a zero vector under a metric that compares directions.
    """
    if vectors.ndim != 2 or vectors.shape[1] != config.dim:
        raise wrong_dimension("embedding", vectors.shape[-1] if vectors.ndim else 0, config)
    row = _first_unfit(vectors, config.metric)
    if row is not None:
        place = row if rows is None else int(rows[row])
        raise _unfit(vectors[row], config.metric, f"embedding {place}", f"embedding[{place}]")


def check_cues(vectors: NDArray[np.float32], rows: Sequence[int], config: SpaceConfig) -> None:
    """Check that the space, whose dimension they have, can be searched with the vectors of cues.

    Parameters
    ----------
    vectors
        float32, shape ``(n, dim)``.
    rows
        Which of the caller's cues they are of, one for each.
    config
        Settings of the space.

    Raises
    ------
    InvalidInput
        As `check_vectors`, naming the cue.
    """
    row = _first_unfit(vectors, config.metric)
    if row is not None:
        place = f"cues[{rows[row]}]"
        raise _unfit(vectors[row], config.metric, place, place)


def wrong_dimension(field: str, got: int, config: SpaceConfig) -> InvalidInput:
    """Return the error for a vector of another dimension than the space's."""
    return InvalidInput(
        f"{field} has dimension {got} where space {config.name!r} has {config.dim}",
        code="dimension_mismatch",
        field=field,
        limit=config.dim,
        value=got,
    )


def _first_unfit(vectors: NDArray[np.float32], metric: Metric) -> int | None:
    if len(vectors) == 1:
        # A product of two vectors has the squared norm of one soonest. NaN compares as false.
        norm = np.vdot(vectors, vectors)
        least = _SQUARED_NORM_MIN_DIRECTED if metric in DIRECTIONAL_METRICS else 0.0
        return None if least <= norm <= _SQUARED_NORM_MAX else 0
    # One pass detects NaN, Inf, overflow and zero vectors at once, because each of them shows in the squared norm.
    with np.errstate(over="ignore", invalid="ignore"):
        squared = np.einsum("ij,ij->i", vectors, vectors)
    good = squared <= _SQUARED_NORM_MAX
    if metric in DIRECTIONAL_METRICS:
        good &= squared >= _SQUARED_NORM_MIN_DIRECTED
    return None if good.all() else int(np.argmin(good))


def _unfit(vector: NDArray[np.float32], metric: str, what: str, field: str) -> InvalidInput:
    finite = np.isfinite(vector)
    if not finite.all():
        column = int(np.argmin(finite))
        return InvalidInput(
            f"{what} holds {vector[column]} at position {column}; every number must be finite",
            code="not_finite",
            field=f"{field}[{column}]",
            limit="finite",
            value=vector[column],
        )
    norm = float(np.linalg.norm(vector.astype(np.float64)))
    if norm > 1.0:
        limit = f"norm <= {_SQUARED_NORM_MAX**0.5:g}"
        return InvalidInput(
            f"{what} has the norm {norm:g}, which float32 cannot square; it must have a {limit}",
            code="vector_norm",
            field=field,
            limit=limit,
            value=norm,
        )
    return InvalidInput(
        f"{what} is a zero vector (norm {norm:g}), which has no direction for the {metric} metric",
        code="zero_vector",
        field=field,
        limit=f"norm >= {_SQUARED_NORM_MIN_DIRECTED**0.5:g}",
        value=norm,
    )


def _is_masked(values: Any) -> bool:
    # When NumPy joins masked rows into one array, it drops their masks.
    return is_masked(values) or (isinstance(values, list | tuple) and any(map(is_masked, values)))


def _unreadable(field: str, what: str, reason: str, value: object) -> InvalidInput:
    return InvalidInput(
        f"{what or field} cannot be read as float32: {reason}",
        code="invalid_vector",
        field=field,
        limit="numbers",
        value=value,
    )
