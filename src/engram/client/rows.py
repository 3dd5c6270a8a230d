"""Single observations that wait a few milliseconds for company, and the batch they leave as."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engram.client.outgoing import Answer
from engram.errors import InvalidInput
from engram.observations import ObservationBatch, check_batch, now_us
from engram.spaces import SpaceConfig

# The id and the objects that hold it all, on average.
ROW_OVERHEAD_BYTES = 128


class Row(NamedTuple):
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
class Rows:
    """A batch in the making: rows of one vector length, and whom to tell about each."""

    index: int
    opened_s: float
    rows: list[Row] = field(default_factory=list)
    settles: list[Settle] = field(default_factory=list)
    nbytes: int = 0

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(self.rows)

    def append(self, row: Row, settle: Settle) -> None:
        """Add an observation."""
        self.rows.append(row)
        self.settles.append(settle)
        self.nbytes += row.nbytes

    def takes(self, row: Row) -> bool:
        """Whether `row` can stand in the same matrix as the rows before it."""
        return not self.rows or self.rows[0].vector.size == row.vector.size


def make_row(
    config: SpaceConfig,
    id: str,
    vector: ArrayLike | None,
    content: str,
    *,
    timestamp: float | datetime | None = None,
    confidence: float = 1.0,
    importance: float = 0.5,
    metadata: Mapping[str, Any] | str | None = None,
    tags: Sequence[str] = (),
) -> Row:
    """Copy one observation of the caller into a row; only its shape is checked here, `seal` checks the rest.

    Raises
    ------
    InvalidInput
        The vector has another dimension than the space or is not numbers, or a value cannot be converted.
    """
    try:
        copied = np.array((), np.float32) if vector is None else np.array(vector, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"the vector of {id!r} cannot be read as float32: {error}", code="invalid_vector", field="vector"
        ) from error
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
    text = "" if metadata is None else metadata if isinstance(metadata, str) else _json(metadata)
    nbytes = copied.nbytes + len(content) + len(text) + sum(map(len, tags)) + ROW_OVERHEAD_BYTES
    return Row(
        id, copied, content, _time_us(timestamp), float(confidence), float(importance), text, tuple(tags), nbytes
    )


@dataclass(frozen=True, slots=True)
class Sealed:
    """What became of rows: the batch of those that pass the checks (None if none does), and the others."""

    batch: ObservationBatch | None
    settles: Sequence[Settle]
    refused: Sequence[tuple[Row, Settle, InvalidInput]] = ()


def seal(rows: Rows, config: SpaceConfig) -> Sealed:
    """Check rows and make them a batch.

    One bad observation must not take down the ones that happened to share its few milliseconds, so when the check
    fails, the rows are checked one by one.
    """
    try:
        return Sealed(_checked(rows.rows, config), rows.settles)
    except InvalidInput:
        pass
    good: list[Row] = []
    settles: list[Settle] = []
    refused: list[tuple[Row, Settle, InvalidInput]] = []
    for row, settle in zip(rows.rows, rows.settles, strict=True):
        try:
            _checked([row], config)
        except InvalidInput as error:
            refused.append((row, settle, error))
        else:
            good.append(row)
            settles.append(settle)
    return Sealed(_checked(good, config) if good else None, settles, refused)


def check_outgoing(batch: ObservationBatch, config: SpaceConfig) -> ObservationBatch:
    """Check a batch as the server will, also one without vectors, which its embedder makes later.

    Raises
    ------
    InvalidInput
        As `engram.observations.check_batch`; also vectors missing where the space has no embedder.
    """
    if batch.vectors.shape[1:] != (0,):
        return check_batch(batch, config)
    _check_embeds(config)
    stand_in = np.broadcast_to(np.ones(config.dim, np.float32), (len(batch.ids), config.dim))
    check_batch(replace(batch, vectors=stand_in), config)
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


def _checked(rows: Sequence[Row], config: SpaceConfig) -> ObservationBatch:
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


def _time_us(timestamp: float | datetime | None) -> int:
    if timestamp is None:
        return now_us()
    seconds = timestamp.timestamp() if isinstance(timestamp, datetime) else timestamp
    try:
        return round(seconds * 1e6)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput(
            f"timestamp {timestamp!r} is not a number of seconds since 1970",
            code="invalid_time",
            field="timestamp",
            limit="finite seconds, or a datetime",
            value=timestamp,
        ) from error


def _json(metadata: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(metadata), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"metadata is not a JSON object: {error}", code="invalid_metadata", field="metadata"
        ) from error
