"""Vectors in JSON: lists of numbers, or the base64 of little-endian float32; and those of many observations."""

from __future__ import annotations

import binascii
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engram.errors import InvalidInput
from engram.model.limits import DIMENSION_MAX
from engram.model.values.presence import Presence, check_presence, given_rows, spread, unless_all
from engram.model.values.sequences import wrong_length
from engram.model.values.vectors import as_matrix

PRESENCE: Final = "vector_presence"
"""The array of a frame that says which observations have a vector, where some have none."""


def given_vectors(
    rows: list[list[float] | None] | str | None, arrays: Mapping[str, NDArray[Any]], count: int
) -> tuple[NDArray[np.float32] | None, Presence | None]:
    """Return a row for each of many observations, and which of them have a vector; None if there are none, and for all.

    Parameters
    ----------
    rows
        The vectors in JSON, in which None stands for no vector; None if they are not there.
    arrays
        The arrays of a frame, which may have them instead.
    count
        Number of observations.

    Raises
    ------
    InvalidInput
        If they cannot be read, or are not one for each observation that has one.
    """
    presence: Presence | None = None
    vectors: NDArray[np.float32] | None = None
    if PRESENCE in arrays:
        told: Presence = checked_array(arrays[PRESENCE], PRESENCE, "u1", 1) != 0
        check_presence(PRESENCE, told, count)
        presence, vectors = unless_all(told), np.empty((0, 0), np.float32)
    elif isinstance(rows, list) and None in rows:
        if len(rows) != count:
            raise wrong_length("vectors", len(rows), count)
        presence = given_rows(rows)
    needed = count if presence is None else int(np.count_nonzero(presence))
    if "vectors" in arrays:
        vectors = checked_array(arrays["vectors"], "vectors", "f4", 2)
    elif rows is not None:
        vectors = read_vectors(rows if isinstance(rows, str) else [row for row in rows if row is not None], needed)
    if vectors is None:
        return None, None
    if len(vectors) != needed:
        raise wrong_length("vectors", len(vectors), needed)
    return spread(with_numbers(vectors, "vectors"), presence), presence


def with_numbers(vectors: NDArray[np.float32], field: str) -> NDArray[np.float32]:
    """Return vectors that were given, if they have numbers: otherwise they would pass for none, which may be made.

    Raises
    ------
    InvalidInput
        With code ``dimension_mismatch``, naming `field`.
    """
    if len(vectors) and not vectors.shape[1]:
        raise InvalidInput(
            f"{field} has no numbers; pass null, or leave it out, where there is no vector",
            code="dimension_mismatch",
            field=field,
            limit="(n, dim)",
            value=vectors.shape,
        )
    return vectors


def checked_array(array: NDArray[Any], name: str, code: str, dimensions: int) -> NDArray[Any]:
    """Return an array of a frame if it has the type `code` and so many dimensions.

    Raises
    ------
    InvalidInput
        With code ``wrong_type``, naming the array.
    """
    if array.dtype != np.dtype(code) or array.ndim != dimensions:
        raise InvalidInput(
            f"the array {name!r} is of {array.dtype} and {array.ndim} dimensions",
            code="wrong_type",
            field=f"arrays.{name}",
            limit=f"{np.dtype(code)} of {dimensions} dimensions",
            value=f"{array.dtype} of {array.ndim}",
        )
    return array


def read_vector(vector: list[float] | str | NDArray[np.float32], field: str = "vector") -> NDArray[np.float32]:
    """Return a vector: float32, shape ``(dim,)``; one that has been read already as it is.

    Raises
    ------
    InvalidInput
        With code ``invalid_vector``, if a text is not the base64 of a whole number of float32.
    """
    if isinstance(vector, str):
        return np.frombuffer(_from_base64(vector, field), "<f4")
    return vector if isinstance(vector, np.ndarray) else np.frombuffer(_packed(vector), "<f4")


def read_vectors(vectors: list[list[float]] | str, count: int) -> NDArray[np.float32]:
    """Return the vectors of `count` observations: float32, shape ``(count, dim)``.

    Raises
    ------
    InvalidInput
        With code ``invalid_vector``, as `read_vector`, or if the rows have different lengths.
    """
    if not isinstance(vectors, str):
        return as_matrix(vectors) if vectors else np.empty((0, 0), np.float32)
    numbers = np.frombuffer(_from_base64(vectors, "vectors"), "<f4")
    if not count or len(numbers) % count:
        raise InvalidInput(
            f"{len(numbers)} numbers are no vectors of one length for {count} ids",
            code="vectors_size",
            field="vectors",
            limit=f"a multiple of {count} numbers",
            value=len(numbers),
        )
    return numbers.reshape(count, -1)


def read_rows(vectors: Sequence[list[float] | str]) -> NDArray[np.float32]:
    """Return vectors that were given one by one, in one form and of one length, as a matrix.

    Raises
    ------
    InvalidInput
        As `read_vector`.
    """
    packed = [_packed(vector) if isinstance(vector, list) else _from_base64(vector, "vector") for vector in vectors]
    return np.frombuffer(packed[0] if len(packed) == 1 else b"".join(packed), "<f4").reshape(len(vectors), -1)


def _packed(vector: list[float]) -> bytes:
    """Return numbers as float32; this takes half as long as an array that NumPy makes of a list."""
    if len(vector) <= DIMENSION_MAX:
        try:
            return _packer(len(vector))(*vector)
        except OverflowError:
            pass
    # A number beyond float32 becomes an infinity, which the check of all doors refuses by its position.
    with np.errstate(over="ignore"):
        return np.array(vector, "<f4").tobytes()


@lru_cache(32)
def _packer(count: int) -> Callable[..., bytes]:
    return struct.Struct(f"<{count}f").pack


def _from_base64(text: str, field: str) -> bytes:
    try:
        packed = binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise _no_vector(field, f"it is no base64: {error}", f"{len(text)} characters") from None
    if len(packed) % 4:
        raise _no_vector(field, f"{len(packed)} bytes are no whole number of float32", len(packed))
    return packed


def _no_vector(field: str, reason: str, value: object) -> InvalidInput:
    return InvalidInput(
        f"{field} cannot be read as float32: {reason}",
        code="invalid_vector",
        field=field,
        limit="the base64 of little-endian float32",
        value=value,
    )
