"""Micro-batching: single observations wait up to `linger_ms` and are sent together as one batch."""

from __future__ import annotations

import contextlib
import copy
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from engram.client.losses import NAMED_MAX
from engram.client.sending.outgoing_batch import Answer
from engram.errors import EngramError, InvalidInput
from engram.model.ack import row_acks
from engram.model.arguments import OneObservation
from engram.model.observation_row import ObservationRow, batch_of
from engram.model.observations import ObservationBatch
from engram.model.spaces import SpaceConfig
from engram.text.embeddable import check_embeddable, check_embeds

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
        check_embeds(config)
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
    return check_embeddable(batch_of(rows), config)
