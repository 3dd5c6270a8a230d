"""Observations as columns, and the checks every one of them passes before it is queued.

There is no object per observation anywhere on the way in: a batch is a handful of columns, checked, logged and
indexed as columns. The checks are vectorised; only a failing batch is looked at row by row, to name the culprit.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engram.errors import InvalidInput
from engram.limits import (
    BATCH_BYTES_MAX,
    BATCH_COUNT_MAX,
    CONTENT_BYTES_MAX,
    ID_BYTES_MAX,
    METADATA_BYTES_MAX,
    TAG_BYTES_MAX,
    TAGS_MAX,
)
from engram.spaces import SpaceConfig

# A squared norm beyond this would overflow float32 arithmetic downstream; far below it, cosine loses all precision.
_SQUARED_NORM_MAX = 1e30
_SQUARED_NORM_MIN_COSINE = 1e-30


@dataclass(frozen=True, slots=True)
class ObservationBatch:
    """Observations as columns; row i of each column belongs to observation i.

    Parameters
    ----------
    ids
        One non-empty string each; the same id again supersedes the earlier observation.
    vectors
        float32, shape ``(n, dim)``, C-contiguous.
    contents
        The texts, possibly empty strings.
    times_us
        int64, shape ``(n,)``: when it was observed, microseconds since 1970 UTC.
    confidences, importances
        float32, shape ``(n,)``, each in [0, 1].
    metadata
        One JSON object text each (``""`` for none), or None if no row has any.
    tags
        One sequence of strings each, or None if no row has any.
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
        """Approximate size in memory and in the log: the vectors plus the characters of the texts."""
        # Counted once, since every stage on the way in asks for it.
        if self._nbytes == 0:
            text = sum(map(len, self.ids)) + sum(map(len, self.contents))
            if self.metadata is not None:
                text += sum(map(len, self.metadata))
            object.__setattr__(self, "_nbytes", self.vectors.nbytes + text + 32 * len(self.ids))
        return self._nbytes


def now_us() -> int:
    """The wall clock in microseconds since 1970 UTC."""
    return time.time_ns() // 1000


def make_batch(
    ids: Sequence[str],
    vectors: ArrayLike,
    contents: Sequence[str] | None = None,
    timestamps: ArrayLike | None = None,
    confidences: ArrayLike | None = None,
    importances: ArrayLike | None = None,
    metadata: Sequence[Mapping[str, Any] | str | None] | None = None,
    tags: Sequence[Sequence[str]] | None = None,
) -> ObservationBatch:
    """Build a batch from what a Python caller has at hand, filling in the optional columns.

    Parameters
    ----------
    ids, vectors, contents, tags
        As in `ObservationBatch`; `vectors` may be anything NumPy turns into a 2-d array.
    timestamps
        Seconds since 1970 (float) or NumPy ``datetime64``; default: now.
    confidences, importances
        Default 1 and 0.5.
    metadata
        A mapping or a JSON object text per row.

    Raises
    ------
    InvalidInput
        If the columns do not fit together or cannot be converted. `check_batch` does the rest.
    """
    count = len(ids)
    matrix = _as_matrix(vectors)
    return ObservationBatch(
        ids=list(ids),
        vectors=matrix,
        contents=list(contents) if contents is not None else [""] * count,
        times_us=_as_times_us(timestamps, count),
        confidences=_as_floats("confidences", confidences, count, default=1.0),
        importances=_as_floats("importances", importances, count, default=0.5),
        metadata=None if metadata is None else [_as_json(row, item) for row, item in enumerate(metadata)],
        tags=None if tags is None else [list(row) for row in tags],
    )


def check_batch(batch: ObservationBatch, config: SpaceConfig) -> ObservationBatch:
    """Check a batch against the limits and the space it is meant for; return it unchanged.

    Raises
    ------
    InvalidInput
        Naming the field, the position in the batch, the limit and the value. Nothing of the batch may be stored.
    """
    count = len(batch)
    if not 1 <= count <= BATCH_COUNT_MAX:
        raise _invalid("batch_count", "batch", f"1..{BATCH_COUNT_MAX}", count, f"a batch of {count} observations")
    _check_lengths(batch, count)
    _check_vectors(batch.vectors, config)
    _check_texts("id", batch.ids, 1, ID_BYTES_MAX)
    _check_texts("content", batch.contents, 0, CONTENT_BYTES_MAX)
    _check_unit_interval("confidence", batch.confidences)
    _check_unit_interval("importance", batch.importances)
    if batch.metadata is not None:
        _check_texts("metadata", batch.metadata, 0, METADATA_BYTES_MAX)
        _check_json_objects(batch.metadata)
    if batch.tags is not None:
        _check_tags(batch.tags)
    if batch.nbytes > BATCH_BYTES_MAX:
        raise _invalid("batch_bytes", "batch", BATCH_BYTES_MAX, batch.nbytes, f"a batch of {batch.nbytes} bytes")
    return batch


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
    """The same batch with other vectors, as when an embedder supplies them."""
    return replace(batch, vectors=vectors)


def check_query(vector: ArrayLike, config: SpaceConfig) -> NDArray[np.float32]:
    """Return `vector` as a float32 array of shape ``(dim,)`` that the space can be searched with.

    Raises
    ------
    InvalidInput
        Wrong dimension, NaN or Inf, or a zero vector under cosine.
    """
    try:
        query = np.ascontiguousarray(vector, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise _invalid("invalid_vector", "vector", "numbers", type(vector).__name__, f"the cue: {error}") from error
    if query.ndim != 1:
        raise _invalid("dimension_mismatch", "vector", "1-d", f"{query.ndim}-d", f"a cue of shape {query.shape}")
    _check_vectors(query[None, :], config)
    return query


def _invalid(code: str, field: str, limit: object, value: object, what: str) -> InvalidInput:
    return InvalidInput(
        f"{what} is refused: {field} must be within {limit}", code=code, field=field, limit=limit, value=value
    )


def _as_matrix(vectors: ArrayLike) -> NDArray[np.float32]:
    try:
        with np.errstate(over="ignore"):
            matrix = np.ascontiguousarray(vectors, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"vectors cannot be read as a float32 matrix: {error}", code="invalid_vector", field="vectors"
        ) from error
    if matrix.ndim != 2:
        raise InvalidInput(
            f"vectors must be a matrix of shape (n, dim), not of shape {matrix.shape}",
            code="dimension_mismatch",
            field="vectors",
            limit="(n, dim)",
            value=matrix.shape,
        )
    return matrix


def _as_times_us(timestamps: ArrayLike | None, count: int) -> NDArray[np.int64]:
    if timestamps is None:
        return np.full(count, now_us(), dtype=np.int64)
    array = np.asarray(timestamps)
    if np.issubdtype(array.dtype, np.datetime64):
        return array.astype("datetime64[us]").astype(np.int64)
    seconds = _as_floats("timestamps", array, count, default=0.0, dtype=np.float64)
    if not np.isfinite(seconds).all() or (np.abs(seconds) > 2**43).any():
        raise InvalidInput(
            "timestamps must be finite seconds since 1970",
            code="invalid_time",
            field="timestamps",
            limit="finite, |t| < 2**43 s",
            value="nan, inf or out of range",
        )
    return np.asarray(np.round(seconds * 1e6), dtype=np.int64)


def _as_floats(
    name: str, column: ArrayLike | None, count: int, default: float, dtype: Any = np.float32
) -> NDArray[Any]:
    if column is None:
        return np.full(count, default, dtype=dtype)
    try:
        return np.ascontiguousarray(column, dtype=dtype)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{name} are not numbers: {error}", code="invalid_column", field=name) from error


def _as_json(row: int, item: Mapping[str, Any] | str | None) -> str:
    if item is None:
        return ""
    if isinstance(item, str):
        return item
    try:
        return json.dumps(dict(item), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"metadata of row {row} is not a JSON object: {error}", code="invalid_metadata", field=f"metadata[{row}]"
        ) from error


def _check_lengths(batch: ObservationBatch, count: int) -> None:
    columns: list[tuple[str, int]] = [
        ("vectors", len(batch.vectors)),
        ("contents", len(batch.contents)),
        ("times", len(batch.times_us)),
        ("confidences", len(batch.confidences)),
        ("importances", len(batch.importances)),
    ]
    if batch.metadata is not None:
        columns.append(("metadata", len(batch.metadata)))
    if batch.tags is not None:
        columns.append(("tags", len(batch.tags)))
    for name, length in columns:
        if length != count:
            raise InvalidInput(
                f"column {name} has {length} rows where ids has {count}",
                code="column_length",
                field=name,
                limit=count,
                value=length,
            )


def _check_vectors(vectors: NDArray[np.float32], config: SpaceConfig) -> None:
    if vectors.ndim != 2 or vectors.shape[1] != config.dim:
        got = vectors.shape[-1] if vectors.ndim else 0
        raise InvalidInput(
            f"embedding has dimension {got} where space {config.name!r} has {config.dim}",
            code="dimension_mismatch",
            field="embedding",
            limit=config.dim,
            value=got,
        )
    # One pass finds NaN, Inf, overflow and zero at once: each of them leaves its mark in the squared norm.
    with np.errstate(over="ignore", invalid="ignore"):
        squared = np.einsum("ij,ij->i", vectors, vectors)
    good = squared <= _SQUARED_NORM_MAX
    if config.metric == "cosine":
        good &= squared >= _SQUARED_NORM_MIN_COSINE
    if good.all():
        return
    row = int(np.argmin(good))
    norm = float(np.linalg.norm(vectors[row].astype(np.float64)))
    if not np.isfinite(vectors[row]).all():
        column = int(np.argmin(np.isfinite(vectors[row])))
        raise InvalidInput(
            f"embedding {row} holds {vectors[row, column]} at position {column}; every number must be finite",
            code="not_finite",
            field=f"embedding[{row}][{column}]",
            limit="finite",
            value=vectors[row, column],
        )
    if norm > 1.0:
        raise _invalid("vector_norm", f"embedding[{row}]", f"norm <= {_SQUARED_NORM_MAX**0.5:g}", norm, "its norm")
    raise InvalidInput(
        f"embedding {row} is a zero vector (norm {norm:g}), which has no direction for the cosine metric",
        code="zero_vector",
        field=f"embedding[{row}]",
        limit=f"norm >= {_SQUARED_NORM_MIN_COSINE**0.5:g}",
        value=norm,
    )


def _check_texts(field: str, texts: Sequence[str], bytes_min: int, bytes_max: int) -> None:
    try:
        lengths = list(map(len, texts))
        longest = max(lengths)
        # A character is at most four bytes of UTF-8, so most batches need no exact count.
        fits = longest * 4 <= bytes_max or max(len(t.encode()) for t in texts) <= bytes_max
        # Joining checks at C speed that every element is text that UTF-8 can carry.
        "".join(texts).encode()
    except (TypeError, AttributeError, UnicodeEncodeError) as error:
        raise InvalidInput(
            f"{field} is not valid text: {error}", code="invalid_text", field=field, limit="UTF-8"
        ) from error
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


def _check_json_objects(texts: Iterable[str]) -> None:
    for row, text in enumerate(texts):
        if not text:
            continue
        try:
            valid = isinstance(json.loads(text), dict)
        except (ValueError, RecursionError):
            valid = False
        if not valid:
            raise InvalidInput(
                f"metadata of observation {row} is not a JSON object",
                code="invalid_metadata",
                field=f"metadata[{row}]",
                limit="a JSON object",
                value=text[:80],
            )


def _check_tags(rows: Sequence[Sequence[str]]) -> None:
    for row, tags in enumerate(rows):
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
