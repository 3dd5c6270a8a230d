"""A record of observations that a client could not store, for callers that do not look at the futures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from engram.errors import EngramError

NAMED_MAX: Final = 3
"""Maximum number of ids that are named."""


@dataclass(slots=True)
class Losses:
    """Observations that were refused or given up.

    Parameters
    ----------
    count
        Number of these observations.
    first_ids
        Ids of the first of them, at most `NAMED_MAX`.
    error
        Error of the first of them; None if there are none.
    """

    count: int = 0
    first_ids: list[str] = field(default_factory=list)
    error: EngramError | None = None

    def add(self, count: int, first_ids: Sequence[str], error: EngramError) -> None:
        """Add `count` observations with the same error; `first_ids` are the first of their ids."""
        self.count += count
        self.first_ids.extend(first_ids[: NAMED_MAX - len(self.first_ids)])
        self.error = self.error or error

    def describe(self, space: str) -> str:
        """Return one sentence that describes the losses."""
        ids = ", ".join(map(repr, self.first_ids)) + (", ..." if self.count > len(self.first_ids) else "")
        observations = "1 observation" if self.count == 1 else f"{self.count} observations"
        verb = "was" if self.count == 1 else "were"
        reason = "" if self.error is None else f": {self.error.message}"
        return f"{observations} to space {space} ({ids}) {verb} not acknowledged{reason}"
