"""Entries: the input of the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.log.records.header import RecordKind
from engram.log.records.progress import SessionProgress
from engram.model.observations import ObservationBatch


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry to append to the log: a batch of observations, or ids to delete.

    Parameters
    ----------
    kind
        OBSERVE stores `batch`; DELETE removes `ids`; PROGRESS keeps `progress`.
    first_generation
        The generation of the first row. Each row or deleted id uses one generation. For PROGRESS the last generation
        that is covered.
    batch
        The observations, already checked; None for DELETE.
    ids
        The ids to delete; empty for OBSERVE.
    session, first_sequence
        The session that the observations came from, and the sequence number of the first one; ``""`` and 0 without a
        session.
    committed_us
        For an entry that is copied from another log: the time of its first commit, microseconds since 1970 UTC. 0
        stands for the current time.
    writer
        Number of the client that sent the observations in that session; 0 if the client has none.
    generations
        For an entry that is copied from another log: the generation of each row, int64, shape ``(count,)``, rising.
        None if there are no gaps.
    progress
        The content of a PROGRESS record; else None.
    """

    kind: RecordKind
    first_generation: int
    batch: ObservationBatch | None = None
    ids: Sequence[str] = ()
    session: str = ""
    first_sequence: int = 0
    committed_us: int = 0
    writer: int = 0
    generations: NDArray[np.int64] | None = None
    progress: SessionProgress | None = None

    @property
    def count(self) -> int:
        """Number of generations that the entry uses."""
        return len(self.ids) if self.batch is None else len(self.batch)

    @property
    def last_generation(self) -> int:
        """The generation of the last row."""
        if self.progress is not None:
            return self.first_generation
        return self.first_generation + self.count - 1 if self.generations is None else int(self.generations[-1])

    @property
    def times_us(self) -> NDArray[np.int64]:
        """Observation times: int64, shape ``(count,)``, microseconds since 1970 UTC. OBSERVE entries only."""
        return self._observed().times_us

    @property
    def confidences(self) -> NDArray[np.float32]:
        """Confidences: float32, shape ``(count,)``. OBSERVE entries only."""
        return self._observed().confidences

    @property
    def importances(self) -> NDArray[np.float32]:
        """Importances of an observation: float32, shape ``(count,)``."""
        return self._observed().importances

    @property
    def expiries_us(self) -> NDArray[np.int64] | None:
        """When each row expires: int64, shape ``(count,)``; None if none does. Rows that never do have another number.

        See `engram.model.values.expiry.expires`.
        """
        return None if self.batch is None else self.batch.expires_us

    def metadata_column(self) -> list[dict[str, Any] | None] | None:
        """Return the metadata of all rows, None for a row without; None if no row has any. OBSERVE entries only."""
        return self._observed().metadata_objects()

    def tags_column(self) -> list[list[str] | None] | None:
        """Return the tags of all rows, None for a row without; None if no row has any. OBSERVE entries only."""
        tags = self._observed().tags
        return None if tags is None else [list(row) or None for row in tags]

    def _observed(self) -> ObservationBatch:
        if self.batch is None:
            raise ValueError("a deletion has no columns")
        return self.batch


def check_order(entries: Sequence[LogEntry], expected: int, *, gaps: bool = False) -> None:
    """Check that `entries` follow each other, beginning with the generation `expected`.

    Parameters
    ----------
    entries
        The entries, in order.
    expected
        The generation that comes next in the log.
    gaps
        Whether generations may be missing between entries.

    Raises
    ------
    ValueError
        If there are no entries, or if one is empty or out of order; the message names the first such entry.
    """
    if not entries:
        raise ValueError("nothing to append")
    for entry in entries:
        follows = entry.first_generation >= expected if gaps else entry.first_generation == expected
        if entry.progress is not None:
            # It has no rows, and covers at least those before it.
            follows = gaps and entry.first_generation >= expected - 1
        elif entry.count == 0:
            follows = False
        if not follows:
            raise ValueError(f"entry of generation {entry.first_generation} where {expected} comes next")
        expected = entry.last_generation + 1
