"""Checks of arguments; each error names the limit and the value."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engram.errors import InvalidInput
from engram.model.values.scalars import as_whole
from engram.model.values.vectors import as_float32

RawVectors = NDArray[np.float32] | NDArray[np.float16]
"""Vectors that a search ranks by, where they lie: shape ``(n, dim)``."""

_RAW_TYPES: Final = (np.dtype(np.float32), np.dtype(np.float16))
_GENERATION_MAX: Final = 2**63 - 1


def check_range(name: str, value: object, low: int, high: int) -> int:
    """Return `value` as an `int` if it is a whole number within ``low..high``.

    Raises
    ------
    InvalidInput
        If it is not.
    """
    return as_whole(name, value, low, high)


def check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Check that `value` is one of `allowed`.

    Raises
    ------
    InvalidInput
        If it is not.
    """
    if value not in allowed:
        raise InvalidInput(
            f"{name} is {value!r}; it must be one of {', '.join(allowed)}",
            code="out_of_range",
            field=name,
            limit=", ".join(allowed),
            value=value,
        )


def as_matrix(name: str, vectors: ArrayLike, dim: int) -> NDArray[np.float32]:
    """Return `vectors` as a C-contiguous float32 array of shape ``(n, dim)``.

    Raises
    ------
    InvalidInput
        If the elements are not real numbers or the shape does not fit.
    """
    matrix = as_float32(vectors, name)
    if matrix.ndim != 2 or matrix.shape[1] != dim:
        raise _wrong_shape(name, matrix.shape, f"(n, {dim})")
    return matrix


def as_vector(name: str, vector: ArrayLike, dim: int) -> NDArray[np.float32]:
    """Return `vector` as a C-contiguous float32 array of shape ``(dim,)``.

    Raises
    ------
    InvalidInput
        If the elements are not real numbers or the shape does not fit.
    """
    array = as_float32(vector, name)
    if array.shape != (dim,):
        raise _wrong_shape(name, array.shape, f"({dim},)")
    return array


def check_raw(raw: RawVectors, shape: tuple[int, ...]) -> None:
    """Check that `raw` can hold the vectors of a matrix of this shape.

    Raises
    ------
    InvalidInput
        If the shape is another one, or the elements are neither float32 nor float16.
    """
    if raw.shape != shape or raw.dtype not in _RAW_TYPES:
        raise InvalidInput(
            f"raw has shape {raw.shape} of {raw.dtype} where {shape} of float32 or float16 is needed",
            code="dimension_mismatch",
            field="raw",
            limit=shape,
            value=raw.shape,
        )


def check_snapshot(max_generation: int | None) -> int | None:
    """Return `max_generation` if it is a generation or None.

    Raises
    ------
    InvalidInput
        If it is something else.
    """
    return None if max_generation is None else check_range("max_generation", max_generation, 0, _GENERATION_MAX)


def as_generations(generations: ArrayLike) -> NDArray[np.int64]:
    """Return `generations` as a C-contiguous int64 array."""
    return np.ascontiguousarray(generations, dtype=np.int64)


def as_words(allowed: NDArray[np.uint64] | None) -> NDArray[np.uint64] | None:
    """Return the words of a bitmap as a C-contiguous uint64 array; None if there is no bitmap."""
    return None if allowed is None else np.ascontiguousarray(allowed, dtype=np.uint64)


def _wrong_shape(name: str, shape: tuple[int, ...], wanted: str) -> InvalidInput:
    return InvalidInput(
        f"{name} have shape {shape} where {wanted} is needed",
        code="dimension_mismatch",
        field=name,
        limit=wanted,
        value=shape,
    )
