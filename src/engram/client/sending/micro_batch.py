"""Micro-batching: single observations wait up to `linger_ms` and are sent together as one batch."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engram.client.losses import NAMED_MAX
from engram.client.sending.outgoing_batch import Answer
from engram.errors import EngramError, InvalidInput
from engram.model.ack import row_acks
from engram.model.columns import (
    COLUMNS,
    ONE_KEYWORDS,
    ColumnSpec,
    ObservationFields,
    TagsSpec,
    TimeSpec,
    check_keywords,
)
from engram.model.observations import ObservationBatch, check_batch, check_beside_vectors, check_bytes, fill_batch
from engram.model.spaces import SpaceConfig
from engram.model.values.scalars import as_text
from engram.model.values.vectors import as_float32
from engram.text.embedder import check_texts

# Average size in bytes of the id and of the Python objects of a row.
ROW_OVERHEAD_BYTES = 128
_logger: Final = logging.getLogger(__name__)


def _counter(spec: ColumnSpec) -> Callable[[Any], int] | None:
    """Return what counts the characters of one element of a column; None for numbers."""
    if spec.dtype is not None:
        return None
    return (lambda tags: sum(map(len, tags))) if isinstance(spec, TagsSpec) else len


# For the path of single observations, of which there may be 100 000 a second: by its keyword, the position of a column
# in `PendingRow.values`, what converts a value, and what counts its characters.
_CONVERSIONS: Final = {
    spec.singular: (position, spec.converter(), _counter(spec)) for position, spec in enumerate(COLUMNS)
}
_CONTENT: Final = [spec.name for spec in COLUMNS].index("contents")
_BLANKS: Final = tuple(None if isinstance(spec, TimeSpec) else spec.blank() for spec in COLUMNS)
_TIMES: Final = tuple((position, spec) for position, spec in enumerate(COLUMNS) if isinstance(spec, TimeSpec))


class PendingRow(NamedTuple):
    """One observation, with a copy of the caller's data.

    Parameters
    ----------
    id
        Id of the observation.
    vector
        float32, shape ``(dim,)``, or ``(0,)`` if the space's embedder is to make it.
    values
        The elements of all other columns, in the order of `engram.model.columns.COLUMNS`.
    nbytes
        Approximate size in the client's buffer.
    """

    id: str
    vector: NDArray[np.float32]
    values: tuple[Any, ...]
    nbytes: int


class Settle(Protocol):
    """A callback that receives the answer to one observation."""

    def __call__(self, answer: Answer, /) -> None:
        """Receive the answer."""
        ...


@dataclass(slots=True, eq=False)
class OpenBatch:
    """A batch that still takes rows: rows with vectors of one length, and the callback of each row."""

    index: int
    opened_s: float
    rows: list[PendingRow] = field(default_factory=list)
    settles: list[Settle] = field(default_factory=list)
    nbytes: int = 0

    @property
    def count(self) -> int:
        """Number of rows in the batch."""
        return len(self.rows)

    def append(self, row: PendingRow, settle: Settle) -> None:
        """Add an observation and its callback."""
        self.rows.append(row)
        self.settles.append(settle)
        self.nbytes += row.nbytes

    def takes(self, row: PendingRow) -> bool:
        """Return whether the vector of `row` has the same length as those of the rows before."""
        return not self.rows or self.rows[0].vector.size == row.vector.size


def make_row(
    config: SpaceConfig,
    id: str,
    vector: ArrayLike | None,
    content: str = "",
    **fields: Unpack[ObservationFields],
) -> PendingRow:
    """Copy one observation of the caller into a row; check only types and the shape of the vector.

    `seal` makes all other checks.

    Raises
    ------
    InvalidInput
        If the vector does not have the dimension of the space or is not a vector of numbers, if it is missing and the
        space has no embedder, if a keyword is not known, or if a value cannot be converted.
    """
    as_text("id", id)
    copied = np.empty(0, np.float32) if vector is None else as_float32(vector, "vector", "the vector", id).copy()
    if vector is None:
        _check_embeds(config)
    elif copied.shape != (config.dim,):
        raise InvalidInput(
            f"the vector of {id!r} has shape {copied.shape} where space {config.name!r} has dimension {config.dim}",
            code="dimension_mismatch",
            field="vector",
            limit=config.dim,
            value=copied.shape,
        )
    values: list[Any] = list(_BLANKS)
    values[_CONTENT] = as_text("content", content)
    nbytes = copied.nbytes + len(content) + ROW_OVERHEAD_BYTES
    for keyword, value in fields.items():
        if keyword not in _CONVERSIONS:
            check_keywords(fields, ONE_KEYWORDS)
        position, convert, count_characters = _CONVERSIONS[keyword]
        values[position] = converted = convert(value)
        if count_characters is not None:
            nbytes += count_characters(converted)
    for position, spec in _TIMES:
        if values[position] is None:
            values[position] = spec.blank()
    return PendingRow(id, copied, tuple(values), nbytes)


@dataclass(frozen=True, slots=True)
class Sealed:
    """The result of `seal`.

    Parameters
    ----------
    payload
        The rows that can be sent, as one encoded batch; None if there are none.
    settles
        Callbacks of the rows that can be sent.
    first_ids
        Ids of the first rows that can be sent, to name the batch in messages.
    refused
        The other rows, each with its callback and its error.
    """

    payload: Any | None
    settles: Sequence[Settle]
    first_ids: tuple[str, ...] = ()
    refused: Sequence[tuple[PendingRow, Settle, EngramError]] = ()


def seal(rows: OpenBatch, config: SpaceConfig, encode: Callable[[ObservationBatch], Any]) -> Sealed:
    """Check rows and encode them as a batch. Never raises: each row is either in the payload or refused.

    If the batch as a whole fails, the rows are tried one by one, because a bad observation must not fail the others
    that are in the same batch only by chance.
    """
    with contextlib.suppress(Exception):
        return Sealed(encode(_checked(rows.rows, config)), rows.settles, _first_ids(rows.rows))
    good: list[PendingRow] = []
    settles: list[Settle] = []
    refused: list[tuple[PendingRow, Settle, EngramError]] = []
    for row, settle in zip(rows.rows, rows.settles, strict=True):
        try:
            encode(_checked([row], config))
        except Exception as error:
            refused.append((row, settle, _as_typed(error)))
        else:
            good.append(row)
            settles.append(settle)
    try:
        return Sealed(encode(_checked(good, config)) if good else None, settles, _first_ids(good), refused)
    except Exception as error:
        # Each row can be sent alone, but not all of them together.
        failure = _as_typed(error)
    refused.extend((row, settle, failure) for row, settle in zip(good, settles, strict=True))
    return Sealed(None, (), (), refused)


def _first_ids(rows: Sequence[PendingRow]) -> tuple[str, ...]:
    return tuple(row.id for row in rows[:NAMED_MAX])


def _as_typed(error: Exception) -> EngramError:
    if isinstance(error, EngramError):
        return error
    _logger.error("an observation cannot be sent", exc_info=error)
    return InvalidInput(f"the observation cannot be sent: {error!r}", code="not_storable", field="observation")


def check_outgoing(batch: ObservationBatch, config: SpaceConfig) -> ObservationBatch:
    """Check a batch as the server will; it may lack vectors, which the embedder of the space then makes later.

    Raises
    ------
    InvalidInput
        As `engram.model.observations.check_batch`; also if vectors are missing and the space has no embedder, or a text
        to embed has no visible character.
    """
    if batch.vectors.shape[1:] != (0,):
        return check_batch(batch, config)
    _check_embeds(config)
    check_beside_vectors(batch)
    # An embedder refuses the whole batch if one text has no visible character.
    check_texts(batch.contents)
    check_bytes(batch.nbytes + 4 * config.dim * len(batch))
    return batch


def settle_rows(settles: Sequence[Settle]) -> Callable[[Answer], None]:
    """Return a callback that passes the answer to a batch on to each of its rows."""

    def settle(answer: Answer) -> None:
        if isinstance(answer, Exception):
            for settle_row in settles:
                settle_row(answer)
        else:
            for settle_row, ack in zip(settles, row_acks(answer, len(settles)), strict=True):
                settle_row(ack)

    return settle


def _checked(rows: Sequence[PendingRow], config: SpaceConfig) -> ObservationBatch:
    ids, vectors, values, _ = zip(*rows, strict=True)
    columns = zip(COLUMNS, zip(*values, strict=True), strict=True)
    gathered = {spec.name: spec.gather(column) for spec, column in columns}
    # All vectors of a batch have the same length, so there is no need to stack them one by one.
    matrix = np.concatenate(vectors).reshape(len(ids), -1) if vectors[0].size else np.empty((len(ids), 0), np.float32)
    return check_outgoing(fill_batch(ids, matrix, gathered), config)


def _check_embeds(config: SpaceConfig) -> None:
    if not config.embedder:
        raise InvalidInput(
            f"an observation without a vector needs an embedder, and space {config.name!r} has none",
            code="no_embedder",
            field="vector",
            limit=f"{config.dim} numbers",
            value="none",
        )
