"""The durable progress of each session."""

from __future__ import annotations

import sys
from collections import OrderedDict, deque
from typing import Final, NamedTuple

from engram.log.records.progress import SessionProgress

# A client resends only what it has no ack for, which is at most what fits into its window.
_REMEMBERED_MAX: Final = 64
_SESSIONS_REMEMBERED_MAX: Final = 10_000


class SequenceRange(NamedTuple):
    """A range of stored sequence numbers, and the generation of the first of them."""

    first_sequence: int
    rows: int
    first_generation: int

    @property
    def last_sequence(self) -> int:
        """Last sequence number of the range."""
        return self.first_sequence + self.rows - 1

    def is_continued_by(self, other: SequenceRange) -> bool:
        """Return whether `other` follows this range without a gap, in sequence numbers and in generations."""
        follows = other.first_sequence == self.first_sequence + self.rows
        return follows and other.first_generation == self.first_generation + self.rows

    def joined_with(self, other: SequenceRange) -> SequenceRange:
        """Return the union of this range and `other`, which must continue it."""
        return self._replace(rows=self.rows + other.rows)


class SessionTable:
    """The last durable sequence number of each session, the writer that stored it, and the latest stored ranges.

    Sequence numbers and writers are kept permanently; otherwise a session could not be resumed. Ranges are kept only
    for the sessions that stored something most recently. Only the committer thread changes the table. Any thread may
    call `last_sequence`, `last_writer` and `latest`.
    """

    def __init__(self) -> None:
        self._last_sequences: dict[str, int] = {}
        self._last_writers: dict[str, int] = {}
        # By session; the session that stored most recently comes last. The ranges of a session are in order, oldest
        # first.
        self._latest: OrderedDict[str, deque[SequenceRange]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._last_sequences)

    def last_sequence(self, session: str) -> int:
        """Return the last durable sequence number of `session`; 0 for an unknown session."""
        return self._last_sequences.get(session, 0)

    def last_writer(self, session: str) -> int:
        """Return the number of the writer that stored the last sequence number of `session`; 0 if it is not known."""
        return self._last_writers.get(session, 0)

    def store(self, session: str, stored: SequenceRange, writer: int = 0) -> None:
        """Record that `writer` stored the range `stored` in `session`."""
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

    def take_over(self, progress: SessionProgress) -> None:
        """Record what a compacted segment says of the rows that it had."""
        for session, stored in zip(progress.sessions, progress.ranges.tolist(), strict=True):
            first_sequence, rows, first_generation, writer = stored
            self.store(sys.intern(session), SequenceRange(first_sequence, rows, first_generation), writer)

    def latest(self, session: str) -> tuple[SequenceRange, ...]:
        """Return the latest stored ranges of `session`, oldest first, as far as they are remembered."""
        # The interpreter copies the ranges in one step, so the committer cannot change them meanwhile.
        return tuple(self._latest.get(session, ()))

    def generation_of(self, session: str, sequence: int) -> int:
        """Return the generation of a durable sequence number; 0 if it is no longer remembered."""
        for stored in reversed(self._latest.get(session, ())):
            if stored.first_sequence <= sequence <= stored.last_sequence:
                return stored.first_generation + sequence - stored.first_sequence
        return 0
