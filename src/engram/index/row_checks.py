"""Checks of what comes with the rows of vectors: where they lie, their checksums, their generations."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engram.errors import InvalidInput
from engram.index.checks import GENERATION_MAX, as_numbers, check_array, wrong_shape

RawVectors = NDArray[np.float32] | NDArray[np.float16]
"""Vectors that a search ranks by, where they lie: shape ``(n, dim)``."""

_RAW_TYPES: Final = (np.dtype(np.float32), np.dtype(np.float16))


def check_raw(raw: RawVectors, shape: tuple[int, ...]) -> None:
    """Check that `raw` can hold the vectors of a matrix of this shape.

    Raises
    ------
    InvalidInput
        If the shape is another one, or the elements are neither float32 nor float16.
    """
    check_array("raw", raw)
    if raw.shape != shape or raw.dtype not in _RAW_TYPES:
        raise InvalidInput(
            f"raw has shape {raw.shape} of {raw.dtype} where {shape} of float32 or float16 is needed",
            code="dimension_mismatch",
            field="raw",
            limit=shape,
            value=raw.shape,
        )


def as_sums(sums: object, count: int) -> NDArray[np.uint32] | None:
    """Return one checksum for each of `count` vectors, or None.

    Raises
    ------
    InvalidInput
        If they are something else.
    """
    if sums is None:
        return None
    numbers = as_numbers("sums", sums, np.dtype(np.uint32), "uint32 checksums")
    if len(numbers) != count:
        raise wrong_shape("sums", numbers.shape, f"({count},)")
    return numbers


def as_row_generations(generations: object, count: int) -> NDArray[np.int64] | None:
    """Return the generation of each of `count` vectors, or None for those without gaps.

    Raises
    ------
    InvalidInput
        If they are something else, or do not rise.
    """
    if generations is None:
        return None
    numbers = as_numbers("generations", generations, np.dtype(np.int64), "whole numbers from 0 to 2**63 - 1")
    if len(numbers) != count:
        raise wrong_shape("generations", numbers.shape, f"({count},)")
    if (np.diff(numbers) <= 0).any():
        raise InvalidInput("generations do not rise", code="invalid_arguments", field="generations", limit="rising")
    return numbers


def next_generations(before: int, generations: object, count: int) -> NDArray[np.int64]:
    """Return the generations of `count` vectors that are added behind the generation `before`: int64, shape ``(n,)``.

    Raises
    ------
    InvalidInput
        As `as_row_generations`, and if they do not begin behind `before`, or there are not so many generations left.
    """
    numbers = as_row_generations(generations, count)
    if numbers is None:
        if count > GENERATION_MAX - before:
            raise InvalidInput(
                f"behind generation {before}, there is no room for {count} more",
                code="invalid_arguments",
                field="vectors",
                limit=f"generations to {GENERATION_MAX}",
                value=count,
            )
        return np.arange(before + 1, before + 1 + count, dtype=np.int64)
    if len(numbers) and numbers[0] <= before:
        raise InvalidInput(
            f"generations begin with {numbers[0]}; they must be above {before}, which is the newest in the index",
            code="invalid_arguments",
            field="generations",
            limit=f"> {before}",
            value=numbers[0],
        )
    return numbers
