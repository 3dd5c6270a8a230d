"""Batches of observations as columns, and the checks that every batch passes before it is queued.

The write path has no object per observation: it checks, logs and indexes columns. The checks are vectorised; only a
batch that fails is checked row by row, to name the first bad row.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engram.model.metadata import encode_metadata
from engram.model.sequences import as_column, as_list, as_lists
from engram.model.times import Moments, as_times_us
from engram.model.vectors import as_matrix


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

    def rows(self, start: int, stop: int | None = None) -> ObservationBatch:
        """Return the rows from `start` up to, but not including, `stop`; without `stop`, up to the last."""
        part: dict[str, Any] = {}
        for name in _COLUMNS:
            column = getattr(self, name)
            part[name] = None if column is None else column[start:stop]
        return ObservationBatch(**part)

    def without_vectors(self) -> ObservationBatch:
        """Return the batch with vectors of shape ``(n, 0)``, for a message that carries the vectors by themselves."""
        return replace(self, vectors=np.empty((len(self), 0), np.float32))

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


# The columns, in order, and what a row without metadata or tags has in a batch where other rows have them.
_COLUMNS: Final = tuple(column.name for column in fields(ObservationBatch) if column.init)
_BLANK: Final[dict[str, Any]] = {"metadata": "", "tags": ()}


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


def concatenate(batches: Sequence[ObservationBatch]) -> ObservationBatch:
    """Join batches of one space into one, in order."""
    if len(batches) == 1:
        return batches[0]
    return ObservationBatch(**{name: _joined(name, batches) for name in _COLUMNS})


def with_vectors(batch: ObservationBatch, vectors: NDArray[np.float32]) -> ObservationBatch:
    """Return a copy of the batch with `vectors`, such as those of an embedder: float32, shape ``(n, dim)``."""
    return replace(batch, vectors=vectors)


def _as_floats(name: str, column: ArrayLike | None, count: int, default: float) -> NDArray[np.float32]:
    if column is None:
        return np.full(count, default, dtype=np.float32)
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(as_column(name, column, count, "fiu", "numbers"), dtype=np.float32)


def _joined(name: str, batches: Sequence[ObservationBatch]) -> Any:
    """Return one column of all batches, in order; None if no batch has it."""
    columns = [getattr(batch, name) for batch in batches]
    there = [column for column in columns if column is not None]
    if not there:
        return None
    if isinstance(there[0], np.ndarray):
        return np.concatenate(there)
    blank = _BLANK.get(name)
    return [
        value
        for column, batch in zip(columns, batches, strict=True)
        for value in ([blank] * len(batch) if column is None else column)
    ]
