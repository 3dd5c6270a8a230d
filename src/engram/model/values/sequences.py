"""Conversion and checks of lists and columns that a caller passes; a text is never accepted as a list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from itertools import chain, islice
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from engram.errors import InvalidInput
from engram.model.limits import BATCH_COUNT_MAX, TAG_BYTES_MAX, TAGS_MAX
from engram.model.values.masked import is_masked
from engram.model.values.scalars import as_text, is_utf8, shown
from engram.showing import counted

T = TypeVar("T")
_TEXTS = (str, bytes, bytearray, memoryview)


def as_list(
    field: str, values: Iterable[T], example: str, *, ordered: bool = True, count_max: int = BATCH_COUNT_MAX
) -> list[T]:
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
    count_max
        Most elements that are taken of an iterable without a length, beside one that tells that there are more.

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
    # It may be infinite. One element too many is enough for a later check to refuse the list.
    return list(islice(values, count_max + 1))


def as_whole_list(field: str, values: Iterable[T], example: str, *, ordered: bool = True) -> list[T]:
    """Return `values`, of which there may be any number, as a list; `as_list` says what is accepted.

    Raises
    ------
    InvalidInput
        As `as_list`; with code ``batch_count``, if an iterable without a length, which may be infinite, has more than
        `BATCH_COUNT_MAX` elements.
    """
    listed = as_list(field, values, example, ordered=ordered)
    if len(listed) > BATCH_COUNT_MAX and not hasattr(values, "__len__"):
        raise InvalidInput(
            f"{field} has more than {BATCH_COUNT_MAX} elements and no length, so it may have no end; pass a list",
            code="batch_count",
            field=field,
            limit=f"0..{BATCH_COUNT_MAX}",
            value=len(listed),
        )
    return listed


def as_texts(field: str, values: Iterable[str], example: str) -> list[str]:
    """Return `values`, of which there may be any number and whose order does not matter, as a list of texts.

    Raises
    ------
    InvalidInput
        As `as_whole_list`, also if `values` is a single text; if an element is not a text.
    """
    return [
        as_text(f"{field}[{row}]", value)
        for row, value in enumerate(as_whole_list(field, values, example, ordered=False))
    ]


def as_lists(
    field: str, rows: Iterable[Iterable[T] | None], example: str, count_max: int = BATCH_COUNT_MAX
) -> list[list[T]]:
    """Return `rows` as a list of lists; a row of None becomes an empty list.

    Parameters
    ----------
    field
        Name of the rows in the error message.
    rows
        The rows.
    example
        Example of an accepted row, for the error message.
    count_max
        As for `as_list`.

    Raises
    ------
    InvalidInput
        With code ``not_a_list``, naming `field` and, if a single row is wrong, the row.
    """
    column = as_list(field, rows, f"[{example}]", count_max=count_max)
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
            values = as_list(field, cast("Iterable[Any]", values), "[...] with one for each row", count_max=count)
        try:
            values = _as_array(values)
        except Exception as error:
            # The conversion calls methods of the caller's objects, which may raise anything.
            raise _invalid(field, f"cannot be read as {wanted}: {error}", wanted, type(values).__name__) from error
    array = cast("NDArray[Any]", values)
    if is_masked(array):
        raise _invalid(field, "are a masked array; pass array.filled(...) or leave the rows out", wanted, "masked")
    if array.ndim != 1:
        raise _invalid(field, f"have shape {array.shape}; pass one of {wanted} for each row", (count,), array.shape)
    if len(array) != count:
        raise wrong_length(field, len(array), count)
    if array.dtype.kind not in kinds and count:
        raise _invalid(field, f"are of type {array.dtype}, which are not {wanted}", wanted, array.dtype)
    return array


def wrong_length(field: str, length: int, count: int) -> InvalidInput:
    """Return the error for a column of `length` rows in a batch of `count` observations."""
    return InvalidInput(
        f"column {field} has {length} rows for {counted(count, 'observation')}",
        code="column_length",
        field=field,
        limit=count,
        value=length,
    )


def check_list(name: str, column: object) -> None:
    """Check that `column` is a list or a tuple.

    Raises
    ------
    InvalidInput
        With code ``not_a_list``, naming the column.
    """
    if not isinstance(column, list | tuple):
        # `as_list` refuses some types with a specific message; the caller can pass all others as a list.
        as_list(name, cast("Iterable[Any]", column), "a list of texts")
        raise InvalidInput(
            f"column {name} is of type {type(column).__name__}; pass a list",
            code="not_a_list",
            field=name,
            limit="a list",
            value=type(column).__name__,
        )


def check_array(name: str, column: object, dtype: type[np.generic], ndim: int) -> None:
    """Check that `column` is a C-contiguous array of `dtype` with `ndim` dimensions.

    Raises
    ------
    InvalidInput
        With code ``invalid_column``, naming the column.
    """
    if type(column) is not np.ndarray and (not isinstance(column, np.ndarray) or is_masked(column)):
        came = type(column).__name__
    elif column.dtype != dtype or column.ndim != ndim or not column.flags.c_contiguous:
        came = f"{column.dtype} of shape {column.shape}{'' if column.flags.c_contiguous else ', not contiguous'}"
    else:
        return
    wanted = f"a C-contiguous array of {dtype.__name__} with {ndim} dimension{'s' * (ndim > 1)}"
    raise InvalidInput(
        f"column {name} is {came}; pass {wanted}", code="invalid_column", field=name, limit=wanted, value=came
    )


def check_texts(field: str, texts: Sequence[str], bytes_min: int, bytes_max: int) -> None:
    """Check that all of `texts`, of which there is at least one, are texts of `bytes_min` to `bytes_max` bytes.

    Raises
    ------
    InvalidInput
        Naming `field` and the row, the limit and the size.
    """
    try:
        # Joining and encoding checks at C speed that every element is a text that UTF-8 can encode.
        nbytes = len("".join(texts).encode())
    except (TypeError, UnicodeEncodeError):
        for row, text in enumerate(texts):
            as_text(f"{field}[{row}]", text)
        raise
    # What fits together fits alone. A character takes at most four bytes of UTF-8, so few batches need an exact count.
    fits = nbytes <= bytes_max or max(map(len, texts)) * 4 <= bytes_max
    fits = fits or max(len(t.encode()) for t in texts) <= bytes_max
    if fits and (bytes_min == 0 or min(map(len, texts)) >= bytes_min):
        return
    for row, text in enumerate(texts):
        _check_size(f"{field} of observation {row}", f"{field}[{row}]", field, text, bytes_min, bytes_max)


def check_shares(field: str, values: NDArray[np.float32]) -> None:
    """Check that all of `values`, float32 of shape ``(n,)``, are in [0, 1].

    Raises
    ------
    InvalidInput
        Naming `field` and the row.
    """
    good = (values >= 0) & (values <= 1)
    if not good.all():
        row = int(np.argmin(good))
        raise InvalidInput(
            f"{field} of observation {row} is {values[row]}; it must be in [0, 1]",
            code=f"{field}_range",
            field=f"{field}[{row}]",
            limit="0..1",
            value=values[row],
        )


def check_tags(name: str, rows: Sequence[Sequence[str]]) -> None:
    """Check the number of tags of each observation, and their sizes.

    Raises
    ------
    InvalidInput
        Naming the column `name` and the row, and of a tag also its place in the row.
    """
    if set(map(type, rows)) <= {list, tuple} and max(map(len, rows), default=0) <= TAGS_MAX and _are_tags(rows):
        return
    for row, tags in enumerate(rows):
        if not isinstance(tags, list | tuple):
            as_list(f"{name}[{row}]", tags, '["urgent"]')
        if len(tags) > TAGS_MAX:
            raise InvalidInput(
                f"observation {row} has {len(tags)} tags; at most {TAGS_MAX} are allowed",
                code="tags_count",
                field=f"{name}[{row}]",
                limit=TAGS_MAX,
                value=len(tags),
            )
        if _are_tags([tags]):
            continue
        for number, tag in enumerate(tags):
            field = f"{name}[{row}][{number}]"
            _check_size(f"tag {number} of observation {row}", field, "tag", as_text(field, tag), 1, TAG_BYTES_MAX)


def _are_tags(rows: Iterable[Sequence[str]]) -> bool:
    """Return whether all elements of `rows` surely are texts of an allowed size."""
    tags = list(chain.from_iterable(rows))
    # A character takes at most four bytes of UTF-8. Long tags are not joined, so they are checked one by one.
    return (
        set(map(type, tags)) <= {str}
        and "" not in tags
        and max(map(len, tags), default=0) * 4 <= TAG_BYTES_MAX
        and is_utf8("".join(tags))
    )


def _check_size(what: str, field: str, kind: str, text: str, bytes_min: int, bytes_max: int) -> None:
    """Check that a text, which `what` and `field` name, has `bytes_min` to `bytes_max` bytes as UTF-8."""
    size = len(text.encode())
    if not bytes_min <= size <= bytes_max:
        raise InvalidInput(
            f"{what} has {size} bytes; allowed are {bytes_min} to {bytes_max}",
            code=f"{kind}_size",
            field=field,
            limit=f"{bytes_min}..{bytes_max} bytes",
            value=size,
        )


def _as_array(values: Any) -> NDArray[Any]:
    array = np.asarray(values)
    if array.dtype.kind == "U" and isinstance(values, list) and set(map(type, values)) != {str}:
        # NumPy makes texts of the numbers beside a text, which nobody passed.
        return np.asarray(values, object)
    return array


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
