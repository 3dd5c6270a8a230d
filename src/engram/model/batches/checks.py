"""The checks that every batch passes once, at the door.

They are vectorised; only a batch that fails is checked row by row, to name the first bad row. A batch that passes can
be written to the log as it is: nothing after this point fails because of what is in it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engram.errors import InvalidInput
from engram.model.batches.text_sizes import TextSizes
from engram.model.columns import COLUMNS, IDS
from engram.model.limits import BATCH_BYTES_MAX, BATCH_COUNT_MAX
from engram.model.observations import PRESENCES, ObservationBatch, has_vectors, keep_objects
from engram.model.spaces import SpaceConfig
from engram.model.values.metadata import check_metadata_column
from engram.model.values.presence import check_presence
from engram.model.values.sequences import check_array, check_list, wrong_length
from engram.model.values.vector_rows import check_none_missing, check_width
from engram.model.values.vectors import check_vectors

BATCH_BYTES: Final = "batch_bytes"
"""Code of the error that a batch has too many bytes, by which its caller knows that it may divide the batch."""

# Parsed metadata take up to twenty times the memory of their texts, which `nbytes` does not count. They are kept if
# they cannot multiply the memory of the batch.
_OBJECTS_SHARE_MAX: Final = 1 / 8
_FLOAT_BYTES: Final = 4
_ARRAYS: Final = tuple(spec for spec in COLUMNS if spec.dtype is not None)


def check_batch(batch: ObservationBatch, config: SpaceConfig, sizes: TextSizes | None = None) -> ObservationBatch:
    """Check a batch against the limits and the settings of its space; return it unchanged.

    Every batch passes this check, whatever code built it. A batch that passes can be written to the log as it is. Its
    size as a whole is checked last: whoever divides what is too large stores nothing of it if a row is refused.

    Parameters
    ----------
    batch, config
        The batch, and the settings of its space.
    sizes
        How large texts and metadata may be; None: as large as the limits permit.

    Raises
    ------
    InvalidInput
        Naming the field, the row, the limit and the value. Nothing of a refused batch may be stored.
    """
    check_count(batch)
    check_beside_vectors(batch)
    if sizes is not None:
        sizes.check(batch)
    check_with_vectors(batch, config)
    return batch


def check_count(batch: ObservationBatch) -> None:
    """Check the number of observations of a batch; raise `InvalidInput` as `check_batch`, before any other check."""
    check_list(IDS.name, batch.ids)
    if not 1 <= len(batch) <= BATCH_COUNT_MAX:
        raise _invalid("batch_count", f"1..{BATCH_COUNT_MAX}", len(batch), f"a batch of {len(batch)} observations")


def check_beside_vectors(batch: ObservationBatch) -> None:
    """Check everything except the size of a batch, and the vectors, which an embedder may add later.

    There is at least one observation.

    Raises
    ------
    InvalidInput
        As `check_batch`.
    """
    check_shapes(batch)
    IDS.check_values(batch.ids)
    for spec in COLUMNS:
        column = getattr(batch, spec.name)
        if column is not None:
            spec.check_values(column)
    if batch.metadata is not None and batch._objects is None:
        keep_objects(batch, check_metadata_column(batch.metadata))


def check_shapes(batch: ObservationBatch) -> None:
    """Check that each column but the vectors has the type and the length that the ids need.

    Raises
    ------
    InvalidInput
        Naming the column.
    """
    count = len(batch)
    for spec in COLUMNS:
        spec.check_shape(getattr(batch, spec.name), count)
    for name in PRESENCES:
        check_presence(name, getattr(batch, name), count)


def check_with_vectors(batch: ObservationBatch, config: SpaceConfig) -> None:
    """Check what `check_count` and `check_beside_vectors` leave out; raise `InvalidInput` as `check_batch`."""
    check_given_vectors(batch, config)
    check_bytes(batch.nbytes)
    if batch.metadata is not None and len("".join(batch.metadata)) > _OBJECTS_SHARE_MAX * batch.nbytes:
        keep_objects(batch, None)


def check_given_vectors(batch: ObservationBatch, config: SpaceConfig) -> None:
    """Check the vectors of a batch, and that those are there that its space requires.

    The other columns have passed `check_beside_vectors`.

    Raises
    ------
    InvalidInput
        As `check_batch`.
    """
    _check_vector_shape(batch, config.dim)
    presence = batch.vector_presence
    if presence is None:
        check_vectors(batch.vectors, config)
        return
    if config.vectors == "required":
        check_none_missing(presence, config)
    rows = np.flatnonzero(presence)
    if len(rows):
        check_vectors(batch.vectors[rows], config, rows)


def check_columns(batch: ObservationBatch, dim: int) -> None:
    """Check that each array of a batch has the dtype and shape that the log writes; this takes a few microseconds.

    Raises
    ------
    InvalidInput
        If an array has another dtype, shape or length; the error names the column.
    """
    _check_vector_shape(batch, dim)
    count = len(batch)
    for spec in _ARRAYS:
        spec.check_shape(getattr(batch, spec.name), count)


def _check_vector_shape(batch: ObservationBatch, dim: int) -> None:
    vectors, count = batch.vectors, len(batch)
    check_array("vectors", vectors, np.float32, 2)
    if len(vectors) != count:
        raise wrong_length("vectors", len(vectors), count)
    if batch.vector_presence is not None or vectors.shape[1] != dim or not dim:
        check_width(vectors, batch.vector_presence, dim)


def check_bytes(nbytes: int) -> None:
    """Raise `InvalidInput` if the size of a batch exceeds `BATCH_BYTES_MAX`."""
    if nbytes > BATCH_BYTES_MAX:
        raise _invalid(BATCH_BYTES, BATCH_BYTES_MAX, nbytes, f"a batch of {nbytes} bytes")


def check_embedded_bytes(batch: ObservationBatch, rows: NDArray[np.int64], config: SpaceConfig) -> None:
    """Check the size that a batch has once the embedder of the space has made the vectors of `rows`.

    Raises
    ------
    InvalidInput
        As `check_bytes`.
    """
    made = _FLOAT_BYTES * config.dim * len(batch) if len(rows) and not has_vectors(batch) else 0
    check_bytes(batch.nbytes + made)


def _invalid(code: str, limit: object, value: object, what: str) -> InvalidInput:
    return InvalidInput(
        f"{what} is refused: batch must be within {limit}", code=code, field="batch", limit=limit, value=value
    )
