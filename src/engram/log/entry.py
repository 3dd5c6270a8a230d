"""What is given to the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engram.log.header import RecordKind
from engram.observations import ObservationBatch


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
    """

    kind: RecordKind
    first_generation: int
    batch: ObservationBatch | None = None
    ids: Sequence[str] = ()
    session: str = ""
    first_sequence: int = 0

    @property
    def count(self) -> int:
        """How many generations it uses."""
        return len(self.ids) if self.batch is None else len(self.batch)
