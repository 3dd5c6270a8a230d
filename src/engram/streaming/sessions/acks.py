"""Acknowledgements: cumulative, merged per commit, and followed by INDEXED once the watermark has passed."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Final

from engram.errors import EngramError

# Beyond this many entries, `AckHistory` forgets the oldest generations and `Unindexed` merges neighbours. Their answers
# become less detailed, never wrong.
_HISTORY_MAX: Final = 256
_UNINDEXED_MAX: Final = 1024


class AckStatus(Enum):
    """The outcome that an ack reports for the observations it covers."""

    ACCEPTED = "accepted"
    INDEXED = "indexed"
    REJECTED = "rejected"


@dataclass(slots=True)
class SessionAck:
    """The answer for the sequence numbers `first_sequence` to `last_sequence` of a session.

    Parameters
    ----------
    first_generation, last_generation
        The generations of the first and the last observation; 0 if they are not known (any more). Generations in
        between may belong to other sessions.
    memory_id
        Id of the last observation, if it came as a single message.
    error
        For REJECTED: the reason, and the sequence number that the session waits for.
    """

    status: AckStatus
    first_sequence: int
    last_sequence: int
    first_generation: int = 0
    last_generation: int = 0
    memory_id: str = ""
    error: EngramError | None = None

    def absorb(self, later: SessionAck) -> bool:
        """Extend this ack by `later` if both together form one cumulative ack; return whether they do."""
        follows = later.first_sequence == self.last_sequence + 1 and later.status is self.status
        if not follows or self.status is AckStatus.REJECTED:
            return False
        self.last_sequence = later.last_sequence
        self.last_generation = later.last_generation
        self.memory_id = later.memory_id
        return True


class AckHistory:
    """The latest accepted acks of a session, so that a duplicate is answered with the generations of the original."""

    __slots__ = ("_acks",)

    def __init__(self) -> None:
        # First and last sequence number, and the generation of the first. The acks themselves merge when they are sent,
        # so they cannot be kept.
        self._acks: deque[tuple[int, int, int]] = deque(maxlen=_HISTORY_MAX)

    def add(self, last_sequence: int, last_generation: int, count: int) -> None:
        """Record what one message newly stored. Its generations have no gaps."""
        self._acks.append((last_sequence - count + 1, last_sequence, last_generation - count + 1))

    def repeat(self, first_sequence: int, last_sequence: int) -> SessionAck:
        """Return the ack for sequence numbers that were accepted before, with generation 0 where it is forgotten."""
        repeated = SessionAck(AckStatus.ACCEPTED, first_sequence, last_sequence)
        for first, last, generation in self._acks:
            if first <= first_sequence <= last:
                repeated.first_generation = generation + first_sequence - first
            if first <= last_sequence <= last:
                repeated.last_generation = generation + last_sequence - first
        return repeated


class Unindexed:
    """Accepted sequence numbers of one session whose generations the indexed watermark has not passed yet."""

    __slots__ = ("_marks",)

    def __init__(self) -> None:
        self._marks: deque[SessionAck] = deque()

    def __len__(self) -> int:
        return len(self._marks)

    def add(self, ack: SessionAck) -> None:
        """Add an accepted ack. Beyond a bound, neighbours are merged, and INDEXED then covers both at once."""
        if len(self._marks) >= _UNINDEXED_MAX:
            self._join_neighbours()
        self._marks.append(
            SessionAck(
                AckStatus.INDEXED, ack.first_sequence, ack.last_sequence, ack.first_generation, ack.last_generation
            )
        )

    def pass_watermark(self, generation: int) -> SessionAck | None:
        """Return one cumulative INDEXED ack for everything up to `generation`, or None if there is nothing new."""
        passed: SessionAck | None = None
        while self._marks and self._marks[0].last_generation <= generation:
            mark = self._marks.popleft()
            if passed is None:
                passed = mark
            else:
                passed.last_sequence = mark.last_sequence
                passed.last_generation = mark.last_generation
        return passed

    def _join_neighbours(self) -> None:
        joined: deque[SessionAck] = deque()
        for position, mark in enumerate(self._marks):
            if position % 2 and joined[-1].absorb(mark):
                continue
            joined.append(mark)
        self._marks = joined
