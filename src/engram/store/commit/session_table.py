"""How far each session got, durably."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final, NamedTuple

# Clients repeat what they did not see an ack for, which is at most what fits into their window.
_REMEMBERED_MAX: Final = 64
_SESSIONS_REMEMBERED_MAX: Final = 10_000


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


class SessionTable:
    """The last durable sequence number of every session, who stored it, and the generations of its latest commits.

    Sequence number and writer are kept for good, or a session could not be resumed; the rest only of the sessions that
    stored something last. Changed by the committer's thread only; any thread may ask for `last_sequence`, `last_writer`
    and `latest`.
    """

    def __init__(self) -> None:
        self._last_sequences: dict[str, int] = {}
        self._last_writers: dict[str, int] = {}
        # By session, the one that stored last at the end; of each the latest commits, oldest first.
        self._latest: OrderedDict[str, deque[SequenceRange]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._last_sequences)

    def last_sequence(self, session: str) -> int:
        """The last durable sequence number of `session`, 0 for an unknown one."""
        return self._last_sequences.get(session, 0)

    def last_writer(self, session: str) -> int:
        """Number of the writer that got `session` there, 0 if it is not known."""
        return self._last_writers.get(session, 0)

    def store(self, session: str, stored: SequenceRange, writer: int = 0) -> None:
        """Note that `writer` got `session` to the end of `stored`."""
        self._last_sequences[session] = stored.last_sequence
        if writer:
            self._last_writers[session] = writer
        else:
            self._last_writers.pop(session, None)
        latest = self._latest.setdefault(session, deque(maxlen=_REMEMBERED_MAX))
        self._latest.move_to_end(session)
        if len(self._latest) > _SESSIONS_REMEMBERED_MAX:
            self._latest.popitem(last=False)
        if latest and latest[-1].is_continued_by(stored):
            stored = latest.pop().joined_with(stored)
        latest.append(stored)

    def latest(self, session: str) -> tuple[SequenceRange, ...]:
        """What `session` stored last, oldest first, as far as it is remembered."""
        # Copied in one step of the interpreter, so that the committer cannot come in between.
        return tuple(self._latest.get(session, ()))

    def generation_of(self, session: str, sequence: int) -> int:
        """The generation that a durable sequence number was given, or 0 if that is no longer remembered."""
        for stored in reversed(self._latest.get(session, ())):
            if stored.first_sequence <= sequence <= stored.last_sequence:
                return stored.first_generation + sequence - stored.first_sequence
        return 0
