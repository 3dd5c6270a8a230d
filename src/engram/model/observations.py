"""Batches of observations as columns, and the checks that every batch passes before it is queued.

The write path has no object per observation: it checks, logs and indexes columns. The checks are vectorised; only a
batch that fails is checked row by row, to name the first bad row.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
from engram.model.metadata import check_metadata_column, encode_metadata
from engram.model.scalars import as_text
from engram.model.sequences import as_column, as_list, as_lists, wrong_length
from engram.model.spaces import SpaceConfig
from engram.model.times import Moments, as_times_us, check_times_us
from engram.model.vectors import as_matrix, check_vectors

# The columns that are one-dimensional arrays, with their dtypes.
_NUMBERS: Final = (("times_us", np.int64), ("confidences", np.float32), ("importances", np.float32))


@dataclass(frozen=True, slots=True)
class ObservationBatch:
    """A batch of observations as columns; row i of each column belongs to observation i.

    Parameters
    ----------
    ids
        Id of each observation, not empty. An id that is observed again supersedes the earlier observation.
    vectors
        float32, shape ``(n, dim)``, C-contiguous.
    contents
        Text of each observation, which may be empty.
    times_us
        Observation times: int64, shape ``(n,)``, microseconds since 1970 UTC.
    confidences, importances
        float32, shape ``(n,)``, each in [0, 1].
    metadata
        Metadata of each observation as a JSON object text, ``""`` for none; None if no observation has metadata.
    tags
        Tags of each observation; None if no observation has tags.
    """

    ids: Sequence[str]
    vectors: NDArray[np.float32]
    contents: Sequence[str]
    times_us: NDArray[np.int64]
    confidences: NDArray[np.float32]
    importances: NDArray[np.float32]
    metadata: Sequence[str] | None = None
    tags: Sequence[Sequence[str]] | None = None
    _nbytes: int = field(default=0, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def nbytes(self) -> int:
        """Approximate size in memory and in the log, in bytes: vectors, characters of all texts, 32 bytes per row."""
        # Cached, because every stage of the write path reads it.
        if self._nbytes == 0:
            text = sum(map(len, self.ids)) + sum(map(len, self.contents))
            if self.metadata is not None:
                text += sum(map(len, self.metadata))
            if self.tags is not None:
                text += sum(map(len, chain.from_iterable(self.tags)))
            object.__setattr__(self, "_nbytes", self.vectors.nbytes + text + 32 * len(self.ids))
        return self._nbytes


def now_us() -> int:
    """Return the time of the wall clock in microseconds since 1970 UTC."""
    return time.time_ns() // 1000


def make_batch(
    ids: Sequence[str],
    vectors: ArrayLike,
    contents: Sequence[str] | None = None,
    timestamps: Moments | None = None,
    confidences: ArrayLike | None = None,
    importances: ArrayLike | None = None,
    metadata: Sequence[Mapping[str, Any] | str | None] | None = None,
    tags: Sequence[Sequence[str]] | None = None,
) -> ObservationBatch:
    """Convert Python values to a batch and fill in the optional columns.

    Parameters
    ----------
    ids, vectors, contents, tags
        As in `ObservationBatch`. `vectors` may be anything that NumPy converts to a 2-d array of real numbers; the
        others may be any iterable except a text.
    timestamps
        A `Moment` per row: seconds since 1970, datetimes (UTC without a time zone), NumPy's ``datetime64`` or ISO 8601
        texts, within the years 1 to 9999. Default: now.
    confidences, importances
        One number per row; default 1 and 0.5.
    metadata
        A mapping, a JSON object text or None per row.

    Raises
    ------
    InvalidInput
        If a column cannot be converted, or a column of times or numbers has the wrong length. `check_batch` makes all
        other checks.
    """
    names = as_list("ids", ids, '["note-1"]')
    count = len(names)
    rows = None if metadata is None else as_list("metadata", metadata, '[{"key": 1}]')
    return ObservationBatch(
        ids=names,
        vectors=as_matrix(vectors),
        contents=[""] * count if contents is None else as_list("contents", contents, '["a text"]'),
        times_us=np.full(count, now_us(), np.int64)
        if timestamps is None
        else as_times_us(timestamps, count, "timestamps"),
        confidences=_as_floats("confidences", confidences, count, default=1.0),
        importances=_as_floats("importances", importances, count, default=0.5),
        metadata=None if rows is None else [encode_metadata(row, f"metadata[{i}]") for i, row in enumerate(rows)],
        tags=None if tags is None else as_lists("tags", tags, '["urgent"]'),
    )


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


def concatenate(batches: Sequence[ObservationBatch]) -> ObservationBatch:
    """Join batches of one space into one, in order."""
    if len(batches) == 1:
        return batches[0]
    return ObservationBatch(
        ids=[i for b in batches for i in b.ids],
        vectors=np.concatenate([b.vectors for b in batches]),
        contents=[c for b in batches for c in b.contents],
        times_us=np.concatenate([b.times_us for b in batches]),
        confidences=np.concatenate([b.confidences for b in batches]),
        importances=np.concatenate([b.importances for b in batches]),
        metadata=_join_optional([(b.metadata, len(b)) for b in batches], ""),
        tags=_join_optional([(b.tags, len(b)) for b in batches], ()),
    )


def with_vectors(batch: ObservationBatch, vectors: NDArray[np.float32]) -> ObservationBatch:
    """Return a copy of the batch with `vectors`, such as those of an embedder: float32, shape ``(n, dim)``."""
    return replace(batch, vectors=vectors)


def _invalid(code: str, field: str, limit: object, value: object, what: str) -> InvalidInput:
    return InvalidInput(
        f"{what} is refused: {field} must be within {limit}", code=code, field=field, limit=limit, value=value
    )


def _as_floats(name: str, column: ArrayLike | None, count: int, default: float) -> NDArray[np.float32]:
    if column is None:
        return np.full(count, default, dtype=np.float32)
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(as_column(name, column, count, "fiu", "numbers"), dtype=np.float32)


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


def _join_optional(columns: Sequence[tuple[Sequence[Any] | None, int]], empty: Any) -> list[Any] | None:
    if all(column is None for column, _ in columns):
        return None
    joined: list[Any] = []
    for column, count in columns:
        joined.extend([empty] * count if column is None else column)
    return joined
