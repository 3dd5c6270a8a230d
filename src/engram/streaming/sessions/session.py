"""One client's ordered stream into a space: its next sequence number, and the outcome of the earlier ones."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from engram.errors import EngramError, SequenceError
from engram.model.priority import Priority
from engram.store.commit.queue import CommitResult
from engram.store.commit.session_table import SequenceRange
from engram.streaming.counters import Counters
from engram.streaming.loop.condition import LoopCondition
from engram.streaming.sessions.acks import AckHistory, AckStatus, SessionAck, Unindexed
from engram.streaming.sessions.outbox import SessionOutbox
from engram.streaming.sessions.states import SessionState, check_move

_logger: Final = logging.getLogger(__name__)


class SequenceVerdict(Enum):
    """The verdict on the sequence numbers of a message: new, or a duplicate of one that is in flight or durable."""

    NEW = "new"
    IN_FLIGHT = "in_flight"
    DURABLE = "durable"


@dataclass(slots=True, eq=False)
class InFlight:
    """A message between admission and the committer's result. `outbox` is that of the connection it came on."""

    first_sequence: int
    last_sequence: int
    nbytes: int
    memory_id: str = ""
    outbox: SessionOutbox | None = None
    priority: Priority = Priority.NORMAL

    @property
    def count(self) -> int:
        """The number of observations."""
        return self.last_sequence - self.first_sequence + 1


class Session:
    """The state of one session, independent of sockets. Used on the event loop's thread only.

    Messages are pipelined: several may be in flight, always without gaps. When one fails, those admitted after it fail
    as well: the store refuses them, because they would leave a gap. The session then waits again for the sequence
    number of the message that failed first, and the client sends again from there.

    A session has at most one connection. A newer connection first claims the session; from then on the older one has no
    effect any more. The newer one gets the session when nothing is in flight any more, so that the sequence number it
    is told to continue with is not taken already.

    Parameters
    ----------
    space, session_id
        Name of the space, and id of the session within the space.
    durable_sequence, generation
        The session's last sequence number that is durable in the space, and the present generation of the space.
    latest
        The generations of what the session stored last, as far as the space remembers them.
    counters
        Counts accepted and rejected observations.
    clock
        Monotonic clock in seconds.
    """

    def __init__(
        self,
        space: str,
        session_id: str,
        *,
        durable_sequence: int,
        generation: int,
        latest: Iterable[SequenceRange] = (),
        counters: Counters,
        clock: Callable[[], float],
    ) -> None:
        self.space: Final = space
        self.id: Final = session_id
        self.durable_sequence: int = durable_sequence
        self.state: SessionState = SessionState.INIT
        # The outboxes of the session's connection, and of a connection that waits to be the next.
        self.outbox: SessionOutbox | None = None
        self.claimant: SessionOutbox | None = None
        self.owner = 0
        self.changed: Final = LoopCondition()
        self.in_flight_count: int = 0
        self.in_flight_bytes: int = 0
        self._counters = counters
        self._clock = clock
        self.last_active_s: float = clock()
        self._expected_to_commit: deque[InFlight] = deque()
        self._history = AckHistory()
        for stored in latest:
            self._history.add(stored.last_sequence, stored.first_generation + stored.rows - 1, stored.rows)
        self._unindexed = Unindexed()
        if durable_sequence:
            # The generations of what is durable already are not known here, but none is above the present generation.
            self._unindexed.add(SessionAck(AckStatus.ACCEPTED, 1, durable_sequence, 0, generation))
        self._indexed: SessionAck | None = None

    @property
    def expected_sequence(self) -> int:
        """The next new sequence number."""
        queue = self._expected_to_commit
        return (queue[-1].last_sequence if queue else self.durable_sequence) + 1

    @property
    def settled(self) -> bool:
        """Whether nothing is in flight."""
        return self.in_flight_count == 0

    @property
    def unused(self) -> bool:
        """Whether the session has no connection, no connection waits for it, and nothing is in flight."""
        return self.outbox is None and self.claimant is None and self.settled

    @property
    def indexed(self) -> bool:
        """Whether everything accepted has been linked into the graph."""
        return not self._unindexed

    def move(self, wanted: SessionState) -> None:
        """Change the state to `wanted`.

        Raises
        ------
        FailedPrecondition
            If `wanted` cannot be reached from the present state.
        """
        self.state = check_move(self.id, self.state, wanted)
        self.touch()
        self.changed.notify()

    def touch(self) -> None:
        """Record activity now; the idle time of the session starts again."""
        self.last_active_s = self._clock()

    def offer(self, first_sequence: int, count: int) -> SequenceVerdict:
        """Return whether a message with these sequence numbers is new (at least at its end) or a duplicate.

        Raises
        ------
        SequenceError
            If the message would leave a gap, or starts below sequence number 1.
        """
        last_sequence = first_sequence + count - 1
        expected = self.expected_sequence
        if 1 <= first_sequence <= expected:
            if last_sequence <= self.durable_sequence:
                return SequenceVerdict.DURABLE
            return SequenceVerdict.IN_FLIGHT if last_sequence < expected else SequenceVerdict.NEW
        raise SequenceError(
            f"session {self.id} waits for sequence {expected}, not {first_sequence}..{last_sequence}",
            code="sequence_gap",
            field="sequence_number",
            limit=expected,
            value=first_sequence,
            expected_sequence=expected,
        )

    def admit(self, message: InFlight) -> None:
        """Record a new message that the store has queued. It came on the present connection."""
        message.outbox = self.outbox
        self._expected_to_commit.append(message)
        self.in_flight_count += message.count
        self.in_flight_bytes += message.nbytes

    def repeat(self, first_sequence: int, last_sequence: int) -> None:
        """Answer a duplicate of durable observations with the original ack."""
        self._send(self.outbox, self._history.repeat(first_sequence, last_sequence))

    def reject(self, first_sequence: int, count: int, error: EngramError) -> None:
        """Report that a message was refused before admission. Its sequence numbers are not consumed."""
        self._reject(self.outbox, first_sequence, count, error)

    def settle(self, message: InFlight, result: CommitResult | EngramError) -> None:
        """Process the committer's result for an admitted message."""
        self.in_flight_count -= message.count
        self.in_flight_bytes -= message.nbytes
        self.touch()
        if isinstance(result, EngramError):
            self._forget_from(message)
            self._reject(message.outbox, message.first_sequence, message.count, result)
        else:
            self._accept(message, result)
        self.changed.notify()

    def pass_watermark(self, generation: int) -> None:
        """Send an INDEXED ack for what has become indexed, now that everything up to `generation` is."""
        ack = self._unindexed.pass_watermark(generation)
        if ack is not None:
            self.touch()
            self._indexed = replace(ack)
            self._send(self.outbox, ack)
            self.changed.notify()

    def repeat_indexed(self) -> None:
        """Send a new connection how far the session is indexed, because the previous one may not have received it."""
        if self._indexed is not None:
            self._send(self.outbox, replace(self._indexed))

    def _accept(self, message: InFlight, result: CommitResult) -> None:
        queue = self._expected_to_commit
        while queue and queue[0].last_sequence <= message.last_sequence:
            queue.popleft()
        ack = SessionAck(
            AckStatus.ACCEPTED,
            message.first_sequence,
            message.last_sequence,
            result.first_generation,
            result.last_generation,
            message.memory_id,
        )
        if message.last_sequence > self.durable_sequence:
            self.durable_sequence = message.last_sequence
            self._counters.observations.accept(self.space, message.priority, result.count)
            self._history.add(ack.last_sequence, ack.last_generation, result.count)
            self._unindexed.add(ack)
        self._send(message.outbox, ack)

    def _reject(self, outbox: SessionOutbox | None, first_sequence: int, count: int, error: EngramError) -> None:
        self._counters.observations.reject(self.space, error.code, count)
        _logger.debug(
            "%d observations are refused: %s", count, error.code, extra={"space": self.space, "session": self.id}
        )
        self._send(
            outbox, SessionAck(AckStatus.REJECTED, first_sequence, first_sequence + max(count, 1) - 1, error=error)
        )

    def _forget_from(self, failed: InFlight) -> None:
        if failed in self._expected_to_commit:
            while self._expected_to_commit.pop() is not failed:
                pass

    def _send(self, outbox: SessionOutbox | None, ack: SessionAck) -> None:
        """Send `ack` to `outbox`, that of the connection the message came on, if it still has the session."""
        if outbox is not None and outbox is self.outbox:
            outbox.put(ack)
