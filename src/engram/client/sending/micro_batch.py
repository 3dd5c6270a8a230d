"""Micro-batching: single observations wait up to `linger_ms` and are sent together as one batch."""

from __future__ import annotations

import contextlib
import copy
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from engram.client.losses import NAMED_MAX
from engram.client.sending.outgoing_batch import Answer
from engram.errors import EngramError, InvalidInput
from engram.model.ack import row_acks
from engram.model.arguments import OneObservation
from engram.model.observation_row import ObservationRow, batch_of
from engram.model.observations import (
    ObservationBatch,
    check_batch,
    check_beside_vectors,
    check_bytes,
    has_vectors,
    lacks_vectors,
    rows_to_embed,
)
from engram.model.spaces import SpaceConfig
from engram.model.values.vector_rows import check_none_missing, check_width
from engram.model.values.vectors import check_vectors
from engram.text.embedder import check_texts
from engram.text.registry import no_embedder

if TYPE_CHECKING:
    from engram.tracing.recorder import Origin

_logger: Final = logging.getLogger(__name__)


class Settle(Protocol):
    """A callback that receives the answer to one observation."""

    def __call__(self, answer: Answer, /) -> None:
        """Receive the answer."""
        ...


@dataclass(slots=True, eq=False)
class OpenBatch:
    """A batch that still takes rows: rows with vectors of one length, embedded alike, and the callback of each row.

    `origin` is where the first of them was handed over; None without tracing.
    """

    index: int
    opened_s: float
    rows: list[ObservationRow] = field(default_factory=list)
    settles: list[Settle] = field(default_factory=list)
    nbytes: int = 0
    origin: Origin | None = None

    @property
    def count(self) -> int:
        """Number of rows in the batch."""
        return len(self.rows)

    def append(self, row: ObservationRow, settle: Settle) -> None:
        """Add an observation and its callback."""
        self.rows.append(row)
        self.settles.append(settle)
        self.nbytes += row.nbytes

    def takes(self, row: ObservationRow) -> bool:
        """Return whether the vector of `row` has the same length as those of the rows before, and is made alike."""
        first = self.rows[0] if self.rows else row
        return first.vector.size == row.vector.size and first.embeds == row.embeds


def make_row(config: SpaceConfig, observation: OneObservation) -> ObservationRow:
    """Copy one observation of the caller into a row; check only types and the shape of the vector.

    `seal` makes all other checks.

    Raises
    ------
    InvalidInput
        As `OneObservation.row`.
    FailedPrecondition
        If there is no vector, the space requires one, and has no embedder.
    """
    row = observation.row(config)
    if observation.vector is None and config.vectors == "required" and row.embeds:
        _check_embeds(config)
    return row


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
    refused: Sequence[tuple[ObservationRow, Settle, EngramError]] = ()


def seal(rows: OpenBatch, config: SpaceConfig, encode: Callable[[ObservationBatch], Any]) -> Sealed:
    """Check rows and encode them as a batch. Never raises: each row is either in the payload or refused.

    If the batch as a whole fails, the rows are tried one by one, because a bad observation must not fail the others
    that are in the same batch only by chance.
    """
    with contextlib.suppress(Exception):
        return Sealed(encode(_checked(rows.rows, config)), rows.settles, _first_ids(rows.rows))
    good: list[ObservationRow] = []
    settles: list[Settle] = []
    refused: list[tuple[ObservationRow, Settle, EngramError]] = []
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
    refused.extend((row, settle, copy.copy(failure)) for row, settle in zip(good, settles, strict=True))
    return Sealed(None, (), (), refused)


def _first_ids(rows: Sequence[ObservationRow]) -> tuple[str, ...]:
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
        As `engram.model.observations.check_batch`; also if a text to embed has no visible character.
    FailedPrecondition
        If vectors are missing, the space requires them, and has no embedder.
    """
    if not lacks_vectors(batch):
        return check_batch(batch, config)
    check_beside_vectors(batch)
    if config.vectors == "required" and batch.vector_presence is None and batch.embeds:
        _check_embeds(config)
    rows = rows_to_embed(batch, config)
    # An embedder refuses the whole batch if one text has no visible character.
    check_texts([batch.contents[row] for row in rows.tolist()])
    _check_given(batch, rows, config)
    check_bytes(batch.nbytes + 4 * config.dim * (len(rows) if has_vectors(batch) else len(batch)))
    return batch


def _check_given(batch: ObservationBatch, rows: NDArray[np.int64], config: SpaceConfig) -> None:
    """Check the vectors that are there, and that none is missing that the space requires and no embedder makes."""
    presence = np.zeros(len(batch), np.bool_) if batch.vector_presence is None else batch.vector_presence
    check_width(batch.vectors, presence, config.dim)
    if config.vectors == "required":
        completed = presence.copy()
        completed[rows] = True
        check_none_missing(completed, config)
    given = np.flatnonzero(presence)
    if len(given):
        check_vectors(batch.vectors[given], config, given)


def settle_rows(settles: Sequence[Settle]) -> Callable[[Answer], None]:
    """Return a callback that passes the answer to a batch on to each of its rows."""

    def settle(answer: Answer) -> None:
        if isinstance(answer, Exception):
            for settle_row in settles:
                # Each caller raises its own copy, because raising modifies the exception.
                settle_row(copy.copy(answer))
        else:
            for settle_row, ack in zip(settles, row_acks(answer, len(settles)), strict=True):
                settle_row(ack)

    return settle


def _checked(rows: Sequence[ObservationRow], config: SpaceConfig) -> ObservationBatch:
    return check_outgoing(batch_of(rows), config)


def _check_embeds(config: SpaceConfig) -> None:
    if not config.embedder:
        raise no_embedder()
