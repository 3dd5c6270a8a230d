"""What is given to the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engram.log.records.header import RecordKind
from engram.model.metadata import read_metadata
from engram.model.observations import ObservationBatch


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One thing to log.

    Parameters
    ----------
    kind
        OBSERVE stores `batch`; DELETE removes `ids`.
    first_generation
        The generation of the first row; each row or id uses one.
    batch
        The observations, checked; None for DELETE.
    ids
        The ids to delete; empty for OBSERVE.
    session, first_sequence
        Where the observations came from; ``""`` and 0 without a session.
    committed_us
        When it was written first, microseconds since 1970 UTC, of an entry that is copied from another log; 0 for now.
    writer
        Number of the client that sent them in that session; 0 if it has none.
    """

    kind: RecordKind
    first_generation: int
    batch: ObservationBatch | None = None
    ids: Sequence[str] = ()
    session: str = ""
    first_sequence: int = 0
    committed_us: int = 0
    writer: int = 0

    @property
    def count(self) -> int:
        """How many generations it uses."""
        return len(self.ids) if self.batch is None else len(self.batch)

    @property
    def last_generation(self) -> int:
        """The generation of the last row."""
        return self.first_generation + self.count - 1

    @property
    def times_us(self) -> NDArray[np.int64]:
        """As in `Record`, which this becomes; so are the others. OBSERVE only."""
        return self._observed().times_us

    @property
    def confidences(self) -> NDArray[np.float32]:
        """float32, shape ``(count,)``."""
        return self._observed().confidences

    def metadata_column(self) -> list[dict[str, Any] | None] | None:
        """The metadata of all rows, None where there is none; None if no row has any."""
        texts = self._observed().metadata
        return None if texts is None else list(map(read_metadata, texts))

    def tags_column(self) -> list[list[str] | None] | None:
        """The tags of all rows, None where there are none; None if no row has any."""
        tags = self._observed().tags
        return None if tags is None else [list(row) or None for row in tags]

    def _observed(self) -> ObservationBatch:
        if self.batch is None:
            raise ValueError("a deletion has no columns")
        return self.batch


def check_order(entries: Sequence[LogEntry], expected: int, *, gaps: bool = False) -> None:
    """Refuse entries that do not follow each other from the generation `expected` on.

    Parameters
    ----------
    gaps
        Whether generations may be left out between them.

    Raises
    ------
    ValueError
        Naming the first that does not.
    """
    if not entries:
        raise ValueError("nothing to append")
    for entry in entries:
        follows = entry.first_generation >= expected if gaps else entry.first_generation == expected
        if not follows or entry.count == 0:
            raise ValueError(f"entry of generation {entry.first_generation} where {expected} comes next")
        expected = entry.first_generation + entry.count
