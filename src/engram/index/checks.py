"""Checks of arguments; each error names the limit and the value."""

from __future__ import annotations

import os
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engram.errors import InvalidInput
from engram.model.values.scalars import as_flag, as_real, as_text, as_whole, shown
from engram.model.values.vectors import as_float32

WORD_BITS: Final = 64
"""Bits of a word of a bitmap."""

GENERATION_MAX: Final = 2**63 - 1
"""The last generation that an index has room for."""

_THREADS_MAX: Final = 1024


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
    if as_text(name, value, code="out_of_range") not in allowed:
        raise InvalidInput(
            f"{name} is {shown(value, with_type=False)}; it must be one of {', '.join(allowed)}",
            code="out_of_range",
            field=name,
            limit=", ".join(allowed),
            value=shown(value, with_type=False),
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
        raise wrong_shape(name, matrix.shape, f"(n, {dim})")
    return matrix


def as_rows(name: str, vectors: ArrayLike, dim: int) -> tuple[NDArray[np.float32], bool]:
    """Return vectors, or a single one, as a C-contiguous float32 array of shape ``(n, dim)``, and whether it is one.

    Raises
    ------
    InvalidInput
        If the elements are not real numbers or the shape does not fit.
    """
    array = as_float32(vectors, name)
    is_one = array.ndim == 1
    rows = array[None, :] if is_one else array
    if rows.ndim != 2 or rows.shape[1] != dim:
        raise wrong_shape(name, array.shape, f"(n, {dim}) or ({dim},)")
    return rows, is_one


def as_vector(name: str, vector: ArrayLike, dim: int) -> NDArray[np.float32]:
    """Return `vector` as a C-contiguous float32 array of shape ``(dim,)``.

    Raises
    ------
    InvalidInput
        If the elements are not real numbers or the shape does not fit.
    """
    array = as_float32(vector, name)
    if array.shape != (dim,):
        raise wrong_shape(name, array.shape, f"({dim},)")
    return array


def check_snapshot(max_generation: int | None) -> int | None:
    """Return `max_generation` if it is a generation or None.

    Raises
    ------
    InvalidInput
        If it is something else.
    """
    return None if max_generation is None else check_range("max_generation", max_generation, 0, GENERATION_MAX)


def as_generations(generations: ArrayLike, name: str = "generations") -> NDArray[np.int64]:
    """Return `generations` as a C-contiguous int64 array.

    Raises
    ------
    InvalidInput
        If they are no generations, or more than one list of them.
    """
    return as_numbers(name, generations, np.dtype(np.int64), "whole numbers from 0 to 2**63 - 1")


def as_words(allowed: NDArray[np.uint64] | None) -> NDArray[np.uint64] | None:
    """Return the words of a bitmap as a C-contiguous uint64 array; None if there is no bitmap.

    Raises
    ------
    InvalidInput
        If they are no words.
    """
    return None if allowed is None else as_numbers("allowed", allowed, np.dtype(np.uint64), "uint64 words of a bitmap")


def as_generation(name: str, generation: object, low: int = 0) -> int:
    """Return `generation` as an `int` if it is one from `low` on.

    Raises
    ------
    InvalidInput
        If it is not.
    """
    return check_range(name, generation, low, GENERATION_MAX)


def as_threads(threads: object) -> int:
    """Return a number of threads, from 1 to 1024.

    Raises
    ------
    InvalidInput
        If it is something else.
    """
    return check_range("threads", threads, 1, _THREADS_MAX)


def check_finite(name: str, array: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return `array` if all its numbers are finite.

    Raises
    ------
    InvalidInput
        With code ``not_finite``, if one is not.
    """
    if not np.isfinite(array).all():
        raise not_finite(name)
    return array


def check_damaged(damaged: object) -> None:
    """Check that `damaged`, which receives generations, is a list or None.

    Raises
    ------
    InvalidInput
        If it is something else.
    """
    if damaged is not None and not isinstance(damaged, list):
        raise _wrong_kind("damaged", damaged, "a list, or None")


def check_array(name: str, array: object) -> None:
    """Check that `array` is an array of NumPy.

    Raises
    ------
    InvalidInput
        If it is something else.
    """
    if not isinstance(array, np.ndarray):
        raise _wrong_kind(name, array, "an array of NumPy")


def check_kind(name: str, value: object, kind: type) -> None:
    """Check that `value` is of a class.

    Raises
    ------
    InvalidInput
        If it is something else.
    """
    if not isinstance(value, kind):
        raise _wrong_kind(name, value, f"a {kind.__name__}")


def check_call(name: str, value: object) -> None:
    """Check that `value` can be called.

    Raises
    ------
    InvalidInput
        If it cannot.
    """
    if not callable(value):
        raise _wrong_kind(name, value, "a function")


def as_threshold(threshold: object) -> float:
    """Return `threshold`, a score, as a float.

    Raises
    ------
    InvalidInput
        If it is no number.
    """
    return as_real("threshold", threshold, "a score")


def as_place(path: object) -> str | int:
    """Return the path of a file, or its descriptor.

    Raises
    ------
    InvalidInput
        If it is neither.
    """
    is_number = isinstance(path, int) and not isinstance(path, bool)
    return as_descriptor("path", path) if is_number else as_path(path)


def as_path(path: object) -> str:
    """Return the path of a file.

    Raises
    ------
    InvalidInput
        If it is none, or the empty path.
    """
    if isinstance(path, str | os.PathLike) and isinstance(os.fspath(path), str) and os.fspath(path):
        text = as_text("path", os.fspath(path))
        if "\0" not in text:
            return text
    raise _wrong_kind("path", path, "the path of a file")


def as_descriptor(name: str, descriptor: object) -> int:
    """Return a descriptor of a file.

    Raises
    ------
    InvalidInput
        If it is no whole number that can be one.
    """
    return check_range(name, descriptor, 0, 2**31 - 1)


def as_switch(name: str, value: object) -> bool:
    """Return True or False.

    Raises
    ------
    InvalidInput
        If it is something else.
    """
    return as_flag(name, value)


def as_numbers(name: str, numbers: object, dtype: np.dtype[Any], wanted: str) -> NDArray[Any]:
    """Return whole numbers as a C-contiguous array, of shape ``(n,)``, of the type `dtype`.

    Raises
    ------
    InvalidInput
        If they are something else than what is `wanted`, in words.
    """
    if isinstance(numbers, np.ndarray) and numbers.dtype == dtype and numbers.ndim == 1:
        return np.ascontiguousarray(numbers)
    try:
        array = np.asarray(numbers)
        if array.size == 0 and array.ndim == 1:
            return np.empty(0, dtype)
        limits = np.iinfo(dtype)
        if array.ndim <= 1 and array.dtype.kind in "iu" and int(array.min()) >= 0 and int(array.max()) <= limits.max:
            return np.ascontiguousarray(np.atleast_1d(array), dtype=dtype)
    except (ValueError, TypeError, OverflowError):
        # What NumPy cannot make an array of.
        pass
    raise _wrong_kind(name, numbers, wanted)


def _wrong_kind(name: str, value: object, wanted: str) -> InvalidInput:
    return InvalidInput(
        f"{name} is {shown(value)}; pass {wanted}",
        code="invalid_arguments",
        field=name,
        limit=wanted,
        value=type(value).__name__,
    )


def not_finite(name: str) -> InvalidInput:
    """Return the error for an array that holds NaN or an infinity."""
    return InvalidInput(f"{name} hold NaN or Inf", code="not_finite", field=name, limit="finite")


def wrong_shape(name: str, shape: tuple[int, ...], wanted: str) -> InvalidInput:
    """Return the error for an array of another shape."""
    return InvalidInput(
        f"{name} have shape {shape} where {wanted} is needed",
        code="dimension_mismatch",
        field=name,
        limit=wanted,
        value=shape,
    )
