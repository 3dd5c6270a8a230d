"""The checks of a batch of observations, which every batch passes once, at the door.

A batch that passes can be written to the log as it is: nothing after this point fails because of what is in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engram.errors import InvalidInput
from engram.model.limits import (
    BATCH_BYTES_MAX,
    BATCH_COUNT_MAX,
    CONTENT_BYTES_MAX,
    ID_BYTES_MAX,
    METADATA_BYTES_MAX,
    TAG_BYTES_MAX,
    TAGS_MAX,
)
from engram.model.metadata import check_metadata_column
from engram.model.observations import ObservationBatch
from engram.model.scalars import as_text
from engram.model.sequences import as_list, wrong_length
from engram.model.spaces import SpaceConfig
from engram.model.times import check_times_us
from engram.model.vectors import check_vectors

# The columns that are one-dimensional arrays, with their dtypes.
_NUMBERS: Final = (("times_us", np.int64), ("confidences", np.float32), ("importances", np.float32))


def check_batch(batch: ObservationBatch, config: SpaceConfig) -> ObservationBatch:
    """Check a batch against the limits and the settings of its space; return it unchanged.

    Every batch passes this check, whatever code built it. A batch that passes can be written to the log as it is.

    Raises
    ------
    InvalidInput
        Naming the field, the row, the limit and the value. Nothing of a refused batch may be stored.
    """
    check_beside_vectors(batch)
    check_columns(batch, config.dim)
    check_vectors(batch.vectors, config)
    check_bytes(batch.nbytes)
    return batch


def check_bytes(nbytes: int) -> None:
    """Raise `InvalidInput` if the size of a batch exceeds `BATCH_BYTES_MAX`."""
    if nbytes > BATCH_BYTES_MAX:
        raise _invalid("batch_bytes", "batch", BATCH_BYTES_MAX, nbytes, f"a batch of {nbytes} bytes")


def check_columns(batch: ObservationBatch, dim: int) -> None:
    """Check that each array of a batch has the dtype and shape that the log writes; this takes a few microseconds.

    Raises
    ------
    InvalidInput
        If an array has another dtype, shape or length; the error names the column.
    """
    count = len(batch)
    _check_array("vectors", batch.vectors, np.float32, 2)
    if len(batch.vectors) != count:
        raise wrong_length("vectors", len(batch.vectors), count)
    if batch.vectors.shape[1] != dim:
        raise InvalidInput(
            f"embedding has dimension {batch.vectors.shape[1]} where the space has {dim}",
            code="dimension_mismatch",
            field="embedding",
            limit=dim,
            value=batch.vectors.shape[1],
        )
    for name, dtype in _NUMBERS:
        column = getattr(batch, name)
        _check_array(name, column, dtype, 1)
        if len(column) != count:
            raise wrong_length(name, len(column), count)


def check_beside_vectors(batch: ObservationBatch) -> None:
    """Check everything except the vectors, which an embedder may add later; raise `InvalidInput` as `check_batch`."""
    _check_lists(batch)
    count = len(batch)
    if not 1 <= count <= BATCH_COUNT_MAX:
        raise _invalid("batch_count", "batch", f"1..{BATCH_COUNT_MAX}", count, f"a batch of {count} observations")
    for name, dtype in _NUMBERS:
        _check_array(name, getattr(batch, name), dtype, 1)
    for name in ("contents", "times_us", "confidences", "importances", "metadata", "tags"):
        column = getattr(batch, name)
        if column is not None and len(column) != count:
            raise wrong_length(name, len(column), count)
    _check_texts("id", batch.ids, 1, ID_BYTES_MAX)
    _check_texts("content", batch.contents, 0, CONTENT_BYTES_MAX)
    check_times_us(batch.times_us, "times_us")
    _check_unit_interval("confidence", batch.confidences)
    _check_unit_interval("importance", batch.importances)
    if batch.metadata is not None:
        _check_texts("metadata", batch.metadata, 0, METADATA_BYTES_MAX)
        check_metadata_column(batch.metadata)
    if batch.tags is not None:
        _check_tags(batch.tags)


def _invalid(code: str, field: str, limit: object, value: object, what: str) -> InvalidInput:
    return InvalidInput(
        f"{what} is refused: {field} must be within {limit}", code=code, field=field, limit=limit, value=value
    )


def _check_lists(batch: ObservationBatch) -> None:
    for name in ("ids", "contents", "metadata", "tags"):
        column = getattr(batch, name)
        if not isinstance(column, list | tuple) and not (column is None and name in ("metadata", "tags")):
            # `as_list` refuses some types with a specific message; the caller can pass all others as a list.
            as_list(name, column, "a list of texts")
            raise InvalidInput(
                f"column {name} is of type {type(column).__name__}; pass a list",
                code="not_a_list",
                field=name,
                limit="a list",
                value=type(column).__name__,
            )


def _check_array(name: str, column: object, dtype: type[np.generic], ndim: int) -> None:
    wanted = f"a C-contiguous array of {dtype.__name__} with {ndim} dimension{'s' * (ndim > 1)}"
    if not isinstance(column, np.ndarray) or isinstance(column, np.ma.MaskedArray):
        came = type(column).__name__
    elif column.dtype != dtype or column.ndim != ndim or not column.flags.c_contiguous:
        came = f"{column.dtype} of shape {column.shape}{'' if column.flags.c_contiguous else ', not contiguous'}"
    else:
        return
    raise InvalidInput(
        f"column {name} is {came}; pass {wanted}", code="invalid_column", field=name, limit=wanted, value=came
    )


def _check_texts(field: str, texts: Sequence[str], bytes_min: int, bytes_max: int) -> None:
    try:
        # Joining and encoding checks at C speed that every element is a text that UTF-8 can encode.
        "".join(texts).encode()
    except (TypeError, UnicodeEncodeError):
        for row, text in enumerate(texts):
            as_text(f"{field}[{row}]", text)
        raise
    lengths = list(map(len, texts))
    longest = max(lengths)
    # A character takes at most four bytes of UTF-8, so most batches need no exact count.
    fits = longest * 4 <= bytes_max or max(len(t.encode()) for t in texts) <= bytes_max
    if fits and min(lengths) >= bytes_min:
        return
    for row, text in enumerate(texts):
        size = len(text.encode())
        if not bytes_min <= size <= bytes_max:
            raise InvalidInput(
                f"{field} of observation {row} has {size} bytes; allowed are {bytes_min} to {bytes_max}",
                code=f"{field}_size",
                field=f"{field}[{row}]",
                limit=f"{bytes_min}..{bytes_max} bytes",
                value=size,
            )


def _check_unit_interval(field: str, values: NDArray[np.float32]) -> None:
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


def _check_tags(rows: Sequence[Sequence[str]]) -> None:
    for row, tags in enumerate(rows):
        if not isinstance(tags, list | tuple):
            as_list(f"tags[{row}]", tags, '["urgent"]')
        if len(tags) > TAGS_MAX:
            raise InvalidInput(
                f"observation {row} has {len(tags)} tags; at most {TAGS_MAX} are allowed",
                code="tags_count",
                field=f"tags[{row}]",
                limit=TAGS_MAX,
                value=len(tags),
            )
        if tags:
            _check_texts("tag", tags, 1, TAG_BYTES_MAX)
