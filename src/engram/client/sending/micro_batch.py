"""Single observations that wait a few milliseconds for company, and the batch they leave as."""

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
from engram.model.observations import ObservationBatch, check_batch, check_beside_vectors, check_bytes, now_us
from engram.model.scalars import as_real, as_text
from engram.model.sequences import as_list
from engram.model.spaces import SpaceConfig
from engram.model.times import Moment, as_time_us
from engram.model.vectors import as_float32
from engram.text.embedder import check_texts

# The id and the objects that hold it all, on average.
ROW_OVERHEAD_BYTES = 128
_logger: Final = logging.getLogger(__name__)


class PendingRow(NamedTuple):
    """One observation, its data already copied from the caller."""

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
    """Receives the answer to one observation."""

    def __call__(self, answer: Answer, /) -> None: ...


@dataclass(slots=True, eq=False)
class OpenBatch:
    """A batch in the making: rows of one vector length, and whom to tell about each."""

    index: int
    opened_s: float
    rows: list[PendingRow] = field(default_factory=list)
    settles: list[Settle] = field(default_factory=list)
    nbytes: int = 0

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(self.rows)

    def append(self, row: PendingRow, settle: Settle) -> None:
        """Add an observation."""
        self.rows.append(row)
        self.settles.append(settle)
        self.nbytes += row.nbytes

    def takes(self, row: PendingRow) -> bool:
        """Whether `row` can stand in the same matrix as the rows before it."""
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
    """Copy one observation of the caller into a row; only types and shape are checked here, `seal` checks the rest.

    Raises
    ------
    InvalidInput
        The vector has another dimension than the space or is not numbers, or a value cannot be converted.
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
    """What became of rows: what the transport sends of those that can be sent (None if none can), and the others.

    `first_ids` names some of those that can be sent, for whoever has to tell of them.
    """

    payload: Any | None
    settles: Sequence[Settle]
    first_ids: tuple[str, ...] = ()
    refused: Sequence[tuple[PendingRow, Settle, EngramError]] = ()


def seal(rows: OpenBatch, config: SpaceConfig, encode: Callable[[ObservationBatch], Any]) -> Sealed:
    """Check rows, make them a batch and encode it. Never raises: whatever fails, each row is sent or refused.

    One bad observation must not take down the ones that happened to share its few milliseconds, so when something
    fails, the rows are tried one by one.
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
        # Each of them could be sent and all together cannot.
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
    """Check a batch as the server will, also one without vectors, which its embedder makes later.

    Raises
    ------
    InvalidInput
        As `engram.model.observations.check_batch`; also vectors missing where the space has no embedder.
    """
    if batch.vectors.shape[1:] != (0,):
        return check_batch(batch, config)
    _check_embeds(config)
    check_beside_vectors(batch)
    # An embedder refuses a whole batch for one text that says nothing.
    check_texts(batch.contents)
    check_bytes(batch.nbytes + 4 * config.dim * len(batch))
    return batch


def settle_rows(settles: Sequence[Settle]) -> Callable[[Answer], None]:
    """One answer to a batch, told to each of its rows."""

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
