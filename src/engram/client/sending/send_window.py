"""The sending half of a session as pure state: which batches were sent, are answered, or have to be sent again.

The window uses no socket and no clock, so tests can produce every order of network events by plain calls. The rules:

- A batch gets its sequence numbers when it is sent, without gaps. The numbers of a refused batch are free again.
- The server processes the stream in order. Once it refuses a batch, it refuses all batches that were sent after it as
  gaps. Therefore the window goes back to the refused number (go-back-N). The refusals of the later batches, which are
  still on the way, are recognised as stale and ignored.
- A batch keeps its numbers as long as any copy of the batch could still become durable. A transient refusal does not
  rule that out, because it may concern a copy that was sent over an earlier connection. Later batches take over the
  numbers of a batch only if that batch can never be stored. Therefore sending a batch again cannot store it twice: the
  server knows the numbers.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from engram.client.retry import may_resend
from engram.client.sending.outgoing_batch import Answer, OutgoingBatch
from engram.errors import EngramError, FailedPrecondition, SequenceError
from engram.model.ack import Ack

Settled = tuple[OutgoingBatch, Answer]
"""A batch that is finished with, and how."""


@dataclass(frozen=True, slots=True)
class _Flight:
    serial: int
    first: int
    last: int
    outgoing: OutgoingBatch


class SendWindow:
    """The batches of one session that are in flight or have to be sent again.

    Parameters
    ----------
    flight_count_max
        Maximum number of unanswered observations. A larger batch is sent alone.
    final
        Classes of transient refusals that nevertheless settle a batch. Only refusals before a batch is admitted, such
        as `OverCapacity`, can be final, because then no copy of the batch can become durable later.
    """

    def __init__(self, flight_count_max: int, final: tuple[type[EngramError], ...] = ()) -> None:
        self._final = final
        self.flight_count_max = flight_count_max
        self.acked_sequence: int = 0
        self.flight_count: int = 0
        self._next_sequence = 1
        # Highest sequence number ever used; None before the first connection.
        self._used_sequence: int | None = None
        self._serial = 0
        self._flights: deque[_Flight] = deque()
        self._stale: deque[_Flight] = deque()
        self._returned: deque[OutgoingBatch] = deque()

    def __len__(self) -> int:
        return len(self._flights) + len(self._returned)

    @property
    def known_sequence(self) -> int | None:
        """The last acknowledged number, on whichever stream that was; None before the first connection of any."""
        return None if self._used_sequence is None else self.acked_sequence

    def can_send(self, count: int) -> bool:
        """Return whether `count` more observations may be in flight."""
        return not self._flights or self.flight_count + count <= self.flight_count_max

    def pop_returned(self) -> OutgoingBatch | None:
        """Remove and return the oldest batch that has to be sent again, before any new one; None if it does not fit."""
        if self._returned and self.can_send(self._returned[0].count):
            return self._returned.popleft()
        return None

    @property
    def has_returned(self) -> bool:
        """Whether there are batches that have to be sent again."""
        return bool(self._returned)

    def send(self, outgoing: OutgoingBatch) -> int:
        """Give a batch its sequence numbers and count it as in flight; return the first number."""
        first = outgoing.first_sequence = self._next_sequence
        self._next_sequence += outgoing.count
        self._used_sequence = max(self._used_sequence or 0, outgoing.last_sequence)
        self._serial += 1
        self._flights.append(_Flight(self._serial, first, outgoing.last_sequence, outgoing))
        self.flight_count += outgoing.count
        return first

    def accepted(self, ack: Ack) -> list[Settled]:
        """Apply a cumulative acknowledgement; return the batches it settles.

        Everything up to the last sequence number of `ack` is durable.
        """
        settled: list[Settled] = []
        serial = 0
        while self._flights and self._flights[0].last <= ack.last_sequence:
            flight = self._flights.popleft()
            serial = flight.serial
            self.flight_count -= flight.outgoing.count
            self.acked_sequence = flight.last
            settled.append((flight.outgoing, _share(ack, flight)))
        # The server answers in order, so everything that was sent before an acknowledged batch has been answered.
        while self._stale and self._stale[0].serial < serial:
            self._stale.popleft()
        return settled

    def rejected(self, first: int, last: int, error: EngramError) -> list[Settled]:
        """Apply the refusal of the batch that was sent as ``first..last``; return the batches it settles.

        After a transient refusal (a full queue, an unavailable store, a gap), everything from this batch on has to be
        sent again. Any other refusal settles the batch with the error, and the batches behind it get its numbers.

        Raises
        ------
        SequenceError
            If the refusal matches no batch in flight, or the server expects a number that is already acknowledged. Only
            a reconnect can determine the state of the session.
        """
        for flight in self._stale:
            if (flight.first, flight.last) == (first, last):
                self._stale.remove(flight)
                return []
        if first >= self._next_sequence:
            # The batch was sent over an earlier connection and refused in the server's queue. It is sent again anyway.
            return []
        if isinstance(error, SequenceError) and error.expected_sequence is not None:
            first = error.expected_sequence
        for position, flight in enumerate(self._flights):
            if flight.first == first:
                return self._rewind(position, flight, last, error)
        raise SequenceError(
            f"the server refused sequence {first}, which is not in flight (acknowledged up to {self.acked_sequence})",
            code="unknown_sequence",
            field="sequence_number",
            limit=f"> {self.acked_sequence}",
            value=first,
            expected_sequence=error.expected_sequence,
        )

    def disconnected(self) -> None:
        """Mark everything in flight to be sent again, oldest first.

        The batches keep their numbers until the server reports its last durable number.
        """
        self._returned.extendleft(flight.outgoing for flight in reversed(self._flights))
        self._flights.clear()
        self._stale.clear()
        self.flight_count = 0

    def resumed(self, durable_sequence: int, generation: int) -> list[Settled]:
        """Continue after the last durable number that the server reports on a (re)connect; return the settled batches.

        Parameters
        ----------
        durable_sequence
            Sequence number up to which everything is stored and thereby answered.
        generation
            Generation of the space at this moment.

        Raises
        ------
        FailedPrecondition
            With code ``lost_future``, if the server has less than it acknowledged; to continue would hide the loss.
            With code ``session_taken_over``, if it has more than was ever sent, because only another client can have
            stored that.
        SequenceError
            With code ``session_mismatch``, if the durable number is inside a batch: the server has other data.
        """
        if durable_sequence < self.acked_sequence:
            raise _lost_future(durable_sequence, self.acked_sequence)
        if self._used_sequence is not None and durable_sequence > self._used_sequence:
            raise _taken_over(durable_sequence, self._used_sequence)
        stored = [each for each in self._returned if 0 < each.first_sequence <= durable_sequence]
        if stored and stored[-1].last_sequence > durable_sequence:
            # Raise before any batch is settled, so that this error becomes the answer to all of them.
            raise _mismatch(durable_sequence, stored[-1])
        settled: list[Settled] = []
        for outgoing in stored:
            self._returned.popleft()
            ack = Ack(outgoing.first_sequence, outgoing.last_sequence, generation, generation, exact=False)
            settled.append((outgoing, ack))
        self.acked_sequence = durable_sequence
        self._used_sequence = max(self._used_sequence or 0, durable_sequence)
        self._next_sequence = durable_sequence + 1
        return settled

    def abandon(self, error: EngramError) -> list[Settled]:
        """Remove all unanswered batches and settle them with `error`."""
        self.disconnected()
        settled: list[Settled] = [(outgoing, error) for outgoing in self._returned]
        self._returned.clear()
        return settled

    def _rewind(self, position: int, refused: _Flight, last: int, error: EngramError) -> list[Settled]:
        while len(self._flights) > position:
            flight = self._flights.pop()
            self.flight_count -= flight.outgoing.count
            self._returned.appendleft(flight.outgoing)
            if flight.last != last:
                self._stale.append(flight)
        self._stale = deque(sorted(self._stale, key=lambda flight: flight.serial))
        self._next_sequence = refused.first
        if may_resend(error) and not isinstance(error, self._final):
            return []
        return [(self._returned.popleft(), error)]


def _share(ack: Ack, flight: _Flight) -> Ack:
    """Return the part of a cumulative acknowledgement that belongs to one batch."""
    spans_match = ack.last_generation - ack.first_generation == ack.last_sequence - ack.first_sequence
    if ack.exact and spans_match and ack.first_generation > 0 and flight.first >= ack.first_sequence:
        generation = ack.first_generation + flight.first - ack.first_sequence
        return Ack(flight.first, flight.last, generation, generation + flight.outgoing.count - 1)
    return Ack(flight.first, flight.last, ack.last_generation, ack.last_generation, exact=False)


def _lost_future(durable: int, acked: int) -> FailedPrecondition:
    return FailedPrecondition(
        f"the server has this session only up to sequence {durable}, but acknowledged it up to {acked}: it runs on "
        "other or restored data, or acknowledged observations are lost. Compare with your source, then go on with a "
        "new client and a new session id",
        code="lost_future",
        field="initial_sequence",
        limit=f">= {acked}",
        value=durable,
        expected_sequence=durable + 1,
    )


def _taken_over(durable: int, used: int) -> FailedPrecondition:
    return FailedPrecondition(
        f"the server has this session up to sequence {durable}, where this client has sent up to {used}: "
        "another client has gone on with it",
        code="session_taken_over",
        field="initial_sequence",
        limit=f"<= {used}",
        value=durable,
    )


def _mismatch(durable: int, outgoing: OutgoingBatch) -> SequenceError:
    return SequenceError(
        f"the server has this session up to sequence {durable}, in the middle of a batch that was sent as "
        f"{outgoing.first_sequence}..{outgoing.last_sequence}: it runs on other data",
        code="session_mismatch",
        field="initial_sequence",
        limit=f"< {outgoing.first_sequence} or >= {outgoing.last_sequence}",
        value=durable,
        expected_sequence=durable + 1,
    )
