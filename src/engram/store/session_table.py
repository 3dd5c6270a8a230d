"""How far each session got, durably."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final, NamedTuple

# Clients repeat what they did not see an ack for, which is at most what fits into their window.
_REMEMBERED_MAX: Final = 64


class SequenceRange(NamedTuple):
    """Sequence numbers that were stored, and the generation of the first."""

    first_sequence: int
    rows: int
    first_generation: int

    @property
    def last_sequence(self) -> int:
        """The last sequence number."""
        return self.first_sequence + self.rows - 1

    def is_continued_by(self, other: SequenceRange) -> bool:
        """Whether `other` follows without a gap, in sequence numbers and in generations."""
        follows = other.first_sequence == self.first_sequence + self.rows
        return follows and other.first_generation == self.first_generation + self.rows

    def joined_with(self, other: SequenceRange) -> SequenceRange:
        """This range and `other`, which continues it."""
        return self._replace(rows=self.rows + other.rows)


@dataclass(slots=True)
class _Progress:
    last_sequence: int = 0
    # The latest commits, oldest first.
    remembered: deque[SequenceRange] = field(default_factory=lambda: deque(maxlen=_REMEMBERED_MAX))


class SessionTable:
    """The last durable sequence number of every session, and the generations of its latest commits.

    Changed by the committer's thread only; any thread may ask for `last_sequence`.
    """

    def __init__(self) -> None:
        self._sessions: dict[str, _Progress] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def last_sequence(self, session: str) -> int:
        """The last durable sequence number of `session`, 0 for an unknown one."""
        progress = self._sessions.get(session)
        return progress.last_sequence if progress is not None else 0

    def store(self, session: str, stored: SequenceRange) -> None:
        """Note that `session` got to the end of `stored`."""
        progress = self._sessions.setdefault(session, _Progress())
        progress.last_sequence = stored.last_sequence
        if progress.remembered and progress.remembered[-1].is_continued_by(stored):
            stored = progress.remembered.pop().joined_with(stored)
        progress.remembered.append(stored)

    def generation_of(self, session: str, sequence: int) -> int:
        """The generation that a durable sequence number was given, or 0 if that is no longer remembered."""
        progress = self._sessions.get(session)
        for stored in reversed(progress.remembered if progress is not None else ()):
            if stored.first_sequence <= sequence <= stored.last_sequence:
                return stored.first_generation + sequence - stored.first_sequence
        return 0
