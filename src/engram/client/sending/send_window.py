"""The sending half of a session as pure state: what was sent, what is answered, what has to go again.

Nothing here touches a socket or a clock, so every order of events that a network can produce can be tested as plain
calls. The rules:

- Sequence numbers are given when a batch is sent, without gaps. The number of a refused batch is free again.
- The server works through the stream in order. Once it refuses one batch, it refuses everything sent behind it as a
  gap, so the window goes back to the refused number (go-back-N). The refusals still on their way for those later
  batches are recognised as stale and ignored.
- A batch keeps its number for as long as any copy of it could still become durable, and a refusal that passes does
  not rule that out: it may speak of a copy that an earlier connection carried. Only behind a batch that can never be
  stored do the numbers move up. Therefore sending again cannot store anything twice: the server knows the number.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from engram.client.ack import Ack
from engram.client.sending.outgoing_batch import Answer, OutgoingBatch
from engram.errors import EngramError, FailedPrecondition, OverCapacity, SequenceError, Unavailable

Settled = tuple[OutgoingBatch, Answer]
"""A batch that is finished with, and how."""

_PASSING = (OverCapacity, Unavailable, SequenceError)


@dataclass(frozen=True, slots=True)
class _Flight:
    serial: int
    first: int
    last: int
    outgoing: OutgoingBatch


class SendWindow:
    """What one session has in flight.

    Parameters
    ----------
    flight_count_max
        How many observations may be unanswered at once. A single larger batch still goes, alone.
    final
        Kinds of passing refusals that settle a batch all the same. Only what is told before a batch is admitted, such
        as `OverCapacity`, can be final: then no copy of it could become durable later.
    """

    def __init__(self, flight_count_max: int, final: tuple[type[EngramError], ...] = ()) -> None:
        self._final = final
        self.flight_count_max = flight_count_max
        self.acked_sequence = 0
        self.flight_count = 0
        self._next_sequence = 1
        # The last number ever used; None before the first connection.
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
        """Whether `count` more observations fit into the flight."""
        return not self._flights or self.flight_count + count <= self.flight_count_max

    def pop_returned(self) -> OutgoingBatch | None:
        """The oldest batch that has to be sent again, if it fits; it goes before anything new."""
        if self._returned and self.can_send(self._returned[0].count):
            return self._returned.popleft()
        return None

    @property
    def has_returned(self) -> bool:
        """Whether batches wait to be sent again."""
        return bool(self._returned)

    def send(self, outgoing: OutgoingBatch) -> int:
        """Number a batch and count it as in flight; return its first sequence number."""
        first = outgoing.first_sequence = self._next_sequence
        self._next_sequence += outgoing.count
        self._used_sequence = max(self._used_sequence or 0, outgoing.last_sequence)
        self._serial += 1
        self._flights.append(_Flight(self._serial, first, outgoing.last_sequence, outgoing))
        self.flight_count += outgoing.count
        return first

    def accepted(self, ack: Ack) -> list[Settled]:
        """Take a cumulative acknowledgement: everything up to its last sequence is durable."""
        settled: list[Settled] = []
        serial = 0
        while self._flights and self._flights[0].last <= ack.last_sequence:
            flight = self._flights.popleft()
            serial = flight.serial
            self.flight_count -= flight.outgoing.count
            self.acked_sequence = flight.last
            settled.append((flight.outgoing, _share(ack, flight)))
        # What was sent before a batch that is now acknowledged has been answered, too.
        while self._stale and self._stale[0].serial < serial:
            self._stale.popleft()
        return settled

    def rejected(self, first: int, last: int, error: EngramError) -> list[Settled]:
        """Take the refusal of the batch that was sent as ``first..last``.

        A refusal that passes (a full queue, an unavailable store, a gap) makes the window send again from there; any
        other settles the batch with the error, and the ones behind it move up into its numbers.

        Raises
        ------
        SequenceError
            If the refusal fits nothing in flight, or the server expects a number that is already acknowledged. Only
            a reconnect can find out where the session stands.
        """
        for flight in self._stale:
            if (flight.first, flight.last) == (first, last):
                self._stale.remove(flight)
                return []
        if first >= self._next_sequence:
            # What an earlier connection left in the server's queue was refused; it is going to be sent again anyway.
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
        """Put everything in flight back, oldest first; the numbers are kept until the server says what it has."""
        self._returned.extendleft(flight.outgoing for flight in reversed(self._flights))
        self._flights.clear()
        self._stale.clear()
        self.flight_count = 0

    def resumed(self, durable_sequence: int, generation: int) -> list[Settled]:
        """Continue after the last durable sequence that the server reports on (re)connecting.

        Parameters
        ----------
        durable_sequence
            Everything up to here is stored and thereby answered.
        generation
            The space's generation at this moment.

        Raises
        ------
        FailedPrecondition
            Code ``lost_future``: the server has less than it acknowledged. Going on would hide that. Or code
            ``session_taken_over``: it has more than was ever sent, which only another client can have stored.
        SequenceError
            Code ``session_mismatch``: it ends inside a batch, as a server with other data would.
        """
        if durable_sequence < self.acked_sequence:
            raise _lost_future(durable_sequence, self.acked_sequence)
        if self._used_sequence is not None and durable_sequence > self._used_sequence:
            raise _taken_over(durable_sequence, self._used_sequence)
        stored = [each for each in self._returned if 0 < each.first_sequence <= durable_sequence]
        if stored and stored[-1].last_sequence > durable_sequence:
            # Before anything is settled, so that all of it is still there to be told what is wrong.
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
        """Give up on everything unanswered."""
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
        if isinstance(error, _PASSING) and not isinstance(error, self._final):
            return []
        return [(self._returned.popleft(), error)]


def _share(ack: Ack, flight: _Flight) -> Ack:
    """The part of a cumulative acknowledgement that belongs to one batch."""
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
