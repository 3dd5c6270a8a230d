"""Conversion and checks of lists and columns that a caller passes; a text is never accepted as a list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from itertools import islice
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from engram.errors import InvalidInput
from engram.model.limits import BATCH_COUNT_MAX
from engram.model.scalars import shown

T = TypeVar("T")
_TEXTS = (str, bytes, bytearray, memoryview)


def as_list(field: str, values: Iterable[T], example: str, *, ordered: bool = True) -> list[T]:
    """Return `values` as a list; any iterable except a text or a mapping is accepted.

    A text is refused because Python would iterate over it as a list of one-letter texts.

    Parameters
    ----------
    field
        Name of the values in the error message.
    values
        The values.
    example
        Example of an accepted list, for the error message.
    ordered
        Whether the order of the elements matters; if so, a set is refused.

    Raises
    ------
    InvalidInput
        With code ``not_a_list``, naming `field`. The elements are not checked.
    """
    if type(values) is list or type(values) is tuple:
        return list(values)
    if isinstance(values, np.ndarray) and values.ndim:
        return cast("list[T]", values.tolist())
    # A zero-dimensional array passes for an Iterable by its type, but cannot be iterated over.
    if isinstance(values, (*_TEXTS, np.ndarray)) or not isinstance(values, Iterable):
        raise _refused(field, values, f"pass a list, such as {example}")
    if isinstance(values, Mapping):
        raise _refused(field, values, f"a mapping is no list; pass one entry per row, such as {example}")
    if isinstance(values, Set) and ordered:
        raise _refused(field, values, f"a set has no order; pass a list, such as {example}")
    if hasattr(values, "__len__"):
        return list(values)
    # An iterable without a length may be infinite. One element too many is enough for a later check to refuse the list.
    return list(islice(values, BATCH_COUNT_MAX + 1))


def as_lists(field: str, rows: Iterable[Iterable[T] | None], example: str) -> list[list[T]]:
    """Return `rows` as a list of lists; a row of None becomes an empty list.

    Parameters
    ----------
    field
        Name of the rows in the error message.
    rows
        The rows.
    example
        Example of an accepted row, for the error message.

    Raises
    ------
    InvalidInput
        With code ``not_a_list``, naming `field` and, if a single row is wrong, the row.
    """
    column = as_list(field, rows, f"[{example}]")
    if set(map(type, column)) <= {list, tuple}:
        return list(map(list, cast("list[list[T]]", column)))
    return [
        [] if row is None else as_list(f"{field}[{number}]", row, example, ordered=False)
        for number, row in enumerate(column)
    ]


def as_column(field: str, values: object, count: int, kinds: str, wanted: str) -> NDArray[Any]:
    """Return `values`, one for each of `count` rows, as an array of shape ``(count,)``.

    Parameters
    ----------
    field
        Name of the column in the error message.
    values
        The values.
    count
        Number of rows.
    kinds
        Accepted kinds of NumPy dtypes, such as ``"fiu"`` for numbers.
    wanted
        Description of the elements, for the error message.

    Raises
    ------
    InvalidInput
        Naming `field`, if `values` is a text, a single value, masked, of another shape or of another kind.
    """
    if not isinstance(values, np.ndarray):
        if not hasattr(values, "__array__"):
            values = as_list(field, cast("Iterable[Any]", values), "[...] with one for each row")
        try:
            values = np.asarray(values)
        except Exception as error:
            # The conversion calls methods of the caller's objects, which may raise anything.
            raise _invalid(field, f"cannot be read as {wanted}: {error}", wanted, type(values).__name__) from error
    array = cast("NDArray[Any]", values)
    if isinstance(array, np.ma.MaskedArray):
        raise _invalid(field, "are a masked array; pass array.filled(...) or leave the rows out", wanted, "masked")
    if array.ndim != 1:
        raise _invalid(field, f"have shape {array.shape}; pass one of {wanted} for each row", (count,), array.shape)
    if len(array) != count:
        raise wrong_length(field, len(array), count)
    if array.dtype.kind not in kinds and count:
        raise _invalid(field, f"are of type {array.dtype}, which are not {wanted}", wanted, array.dtype)
    return array


def wrong_length(field: str, length: int, count: int) -> InvalidInput:
    """Return the error for a column of `length` rows in a batch of `count` ids."""
    return InvalidInput(
        f"column {field} has {length} rows where ids has {count}",
        code="column_length",
        field=field,
        limit=count,
        value=length,
    )


def _refused(field: str, values: object, advice: str) -> InvalidInput:
    return InvalidInput(
        f"{field} is {shown(values)}; {advice}",
        code="not_a_list",
        field=field,
        limit="a list",
        value=type(values).__name__,
    )


def _invalid(field: str, problem: str, limit: object, value: object) -> InvalidInput:
    return InvalidInput(f"{field} {problem}", code="invalid_column", field=field, limit=limit, value=value)
