"""Checks of arguments; each error names the limit and the value."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engram.errors import InvalidInput
from engram.model.scalars import as_whole
from engram.model.vectors import as_float32


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


def _wrong_shape(name: str, shape: tuple[int, ...], wanted: str) -> InvalidInput:
    return InvalidInput(
        f"{name} have shape {shape} where {wanted} is needed",
        code="dimension_mismatch",
        field=name,
        limit=wanted,
        value=shape,
    )
