"""Micro-batching: single observations wait up to `linger_ms` and are sent together as one batch."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engram.client.losses import NAMED_MAX
from engram.client.sending.outgoing_batch import Answer
from engram.errors import EngramError, InvalidInput
from engram.model.metadata import encode_metadata
from engram.model.observations import ObservationBatch, check_batch, check_beside_vectors, check_bytes
from engram.model.scalars import as_real, as_text
from engram.model.sequences import as_list
from engram.model.spaces import SpaceConfig
from engram.model.times import Moment, as_time_us, now_us
from engram.model.vectors import as_float32
from engram.text.embedder import check_texts

# Average size in bytes of the id and of the Python objects of a row.
ROW_OVERHEAD_BYTES = 128
_logger: Final = logging.getLogger(__name__)


class PendingRow(NamedTuple):
    """One observation, with a copy of the caller's data."""

    id: str
    vector: NDArray[np.float32]
    content: str
    time_us: int
    confidence: float
    importance: float
    metadata: str
    tags: tuple[str, ...]
    nbytes: int
    """Approximate size in the client's buffer."""


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
    content: str,
    *,
    timestamp: Moment | None = None,
    confidence: float = 1.0,
    importance: float = 0.5,
    metadata: Mapping[str, Any] | str | None = None,
    tags: Sequence[str] = (),
) -> PendingRow:
    """Copy one observation of the caller into a row; check only types and the shape of the vector.

    `seal` makes all other checks.

    Raises
    ------
    InvalidInput
        If the vector does not have the dimension of the space or is not a vector of numbers, if it is missing and the
        space has no embedder, or if a value cannot be converted.
    """
    as_text("id", id)
    as_text("content", content)
    copied = (
        np.array((), np.float32) if vector is None else as_float32(vector, "vector", f"the vector of {id!r}").copy()
    )
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
    text = encode_metadata(metadata, "metadata")
    labels = tuple(as_list("tags", tags, '["urgent"]', ordered=False))
    for label in labels:
        as_text("tags", label)
    nbytes = copied.nbytes + len(content) + len(text) + sum(map(len, labels)) + ROW_OVERHEAD_BYTES
    return PendingRow(
        id,
        copied,
        content,
        now_us() if timestamp is None else as_time_us(timestamp, "timestamp"),
        as_real("confidence", confidence, "a number within 0..1", code="confidence_range"),
        as_real("importance", importance, "a number within 0..1", code="importance_range"),
        text,
        labels,
        nbytes,
    )


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
            for tell in settles:
                tell(answer)
        else:
            for offset, tell in enumerate(settles):
                tell(answer.row(offset))

    return settle


def _checked(rows: Sequence[PendingRow], config: SpaceConfig) -> ObservationBatch:
    ids, vectors, contents, times, confidences, importances, metadata, tags, _ = zip(*rows, strict=True)
    batch = ObservationBatch(
        ids=ids,
        vectors=np.stack(vectors),
        contents=contents,
        times_us=np.fromiter(times, np.int64, len(rows)),
        confidences=np.fromiter(confidences, np.float32, len(rows)),
        importances=np.fromiter(importances, np.float32, len(rows)),
        metadata=metadata if any(metadata) else None,
        tags=tags if any(tags) else None,
    )
    return check_outgoing(batch, config)


def _check_embeds(config: SpaceConfig) -> None:
    if not config.embedder:
        raise InvalidInput(
            f"an observation without a vector needs an embedder, and space {config.name!r} has none",
            code="no_embedder",
            field="vector",
            limit=f"{config.dim} numbers",
            value="none",
        )
