"""Several of something that a caller passes: a text where a list is meant is refused, here and for all."""

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
    """Return `values`, which may be any iterable but a text or a mapping, as a list.

    A text is a sequence of letters in Python, so it would pass for a list of texts, each a letter long.

    Parameters
    ----------
    example
        What could be passed instead, for the message.
    ordered
        Whether the position of each matters; then a set is refused, too.

    Raises
    ------
    InvalidInput
        With code ``not_a_list``, naming `field`. What is an element wrongly is not looked at.
    """
    if type(values) is list or type(values) is tuple:
        return list(values)
    if isinstance(values, np.ndarray) and values.ndim:
        return cast("list[T]", values.tolist())
    # An array without a dimension is iterable by its type alone.
    if isinstance(values, (*_TEXTS, np.ndarray)) or not isinstance(values, Iterable):
        raise _refused(field, values, f"pass a list, such as {example}")
    if isinstance(values, Mapping):
        raise _refused(field, values, f"a mapping is no list; pass one entry per row, such as {example}")
    if isinstance(values, Set) and ordered:
        raise _refused(field, values, f"a set has no order; pass a list, such as {example}")
    if hasattr(values, "__len__"):
        return list(values)
    # What has no length may have no end; one more than are allowed is refused all the same.
    return list(islice(values, BATCH_COUNT_MAX + 1))


def as_lists(field: str, rows: Iterable[Iterable[T] | None], example: str) -> list[list[T]]:
    """Return `rows`, each of which is a list or None for an empty one, as lists. Raises as `as_list`, naming the row.

    Parameters
    ----------
    example
        What one row could be, for the message.
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
    kinds
        The kinds of NumPy's types that are taken, such as ``"fiu"`` for numbers.
    wanted
        What the elements are, for the message.

    Raises
    ------
    InvalidInput
        Naming `field`: a text, a single value, another shape, masked or of another kind.
    """
    if not isinstance(values, np.ndarray):
        if not hasattr(values, "__array__"):
            values = as_list(field, cast("Iterable[Any]", values), "[...] with one for each row")
        try:
            values = np.asarray(values)
        except Exception as error:
            # Whatever the caller's own objects raise when they are asked for their numbers.
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
    """The error for a column of `length` rows where there are `count` ids."""
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
