"""Columns of observations that are stored, read back so that they can be stored again."""

from __future__ import annotations

import json
from collections.abc import Collection
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engram.log.log import Log
from engram.log.records.record_rows import RecordRows
from engram.model.batches.checks import check_bytes
from engram.model.columns import COLUMNS, ColumnSpec, TagsSpec
from engram.model.values.presence import Presence, join_presence, spread, unless_all
from engram.model.values.vector_rows import join_rows
from engram.store.scans.runs import runs_of


class StoredColumns(NamedTuple):
    """Columns of some observations.

    Parameters
    ----------
    columns
        By their names in `engram.model.observations.ObservationBatch`, as they are there; of optional ones, every row
        has a value.
    vectors
        float32, shape ``(n, dim)``, or ``(n, 0)`` if no observation has one; None if they were not asked for.
    vector_presence, text_presence
        Which observations have a vector, and a text; None: all.
    """

    columns: dict[str, Any]
    vectors: NDArray[np.float32] | None
    vector_presence: Presence | None = None
    text_presence: Presence | None = None


def read_columns(log: Log, generations: NDArray[np.int64], names: Collection[str], *, vectors: bool) -> StoredColumns:
    """Return columns of the observations with `generations`, int64, at least one, each once; row i is that of place i.

    Parameters
    ----------
    names
        Names of the columns.
    vectors
        Whether to read the vectors, too.

    Raises
    ------
    CorruptData
        If something of what is asked for is damaged.
    FailedPrecondition, Unavailable
        If an observation was dropped or erased meanwhile.
    InvalidInput
        With code ``batch_bytes``, as soon as it is more than a batch may have.
    """
    specs = [spec for spec in COLUMNS if spec.name in names]
    # What lies together is read together; `places` leads back to the order of `generations`.
    order: NDArray[np.int64] = np.argsort(generations).astype(np.int64)
    places = np.empty_like(order)
    places[order] = np.arange(len(order))
    parts: dict[str, list[Any]] = {spec.name: [] for spec in specs}
    matrices: list[NDArray[np.float32]] = []
    presences: list[tuple[Presence | None, Presence | None]] = []
    counts: list[int] = []
    nbytes = 0
    for rows in runs_of(log, generations[order]):
        for spec in specs:
            part, size = _read(rows, spec)
            parts[spec.name].append(part)
            nbytes += size
        presences.append(rows.presences())
        counts.append(rows.count)
        if vectors:
            matrices.append(spread(rows.vectors(), presences[-1][0]))
            nbytes += matrices[-1].nbytes
        check_bytes(nbytes)
    columns = {spec.name: _joined(spec, parts[spec.name], places) for spec in specs}
    with_vector, with_text = (_placed(join_presence(one, counts), places) for one in zip(*presences, strict=True))
    return StoredColumns(columns, join_rows(matrices)[places] if vectors else None, with_vector, with_text)


def _placed(presence: Presence | None, places: NDArray[np.int64]) -> Presence | None:
    return None if presence is None else unless_all(presence[places])


def _read(rows: RecordRows, spec: ColumnSpec) -> tuple[Any, int]:
    """Return a column of neighbouring rows, and its size in bytes or characters."""
    if spec.dtype is not None:
        numbers = rows.numbers(spec.name)
        return numbers, numbers.nbytes
    texts = rows.texts(spec.name)
    return texts, len("".join(texts))


def _joined(spec: ColumnSpec, parts: list[Any], places: NDArray[np.int64]) -> Any:
    if spec.dtype is not None:
        return np.concatenate(parts)[places]
    values: list[Any] = list(chain.from_iterable(parts))
    if isinstance(spec, TagsSpec):
        # All rows as one document: reading them one by one costs several times as much.
        values = [tags or [] for tags in json.loads(f"[{','.join(text or 'null' for text in values)}]")]
    return [values[place] for place in places.tolist()]
