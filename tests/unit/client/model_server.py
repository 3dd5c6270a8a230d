"""A server's view of one session, as plain lists: what the window is tested against."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from engram.errors import EngramError, InvalidInput, OverCapacity, SequenceError, Unavailable
from engram.model.ack import Ack


@dataclass(frozen=True)
class Sent:
    """A message on the wire: its first number and the observations, each an integer."""

    first: int
    rows: tuple[int, ...]
    bad: bool = False

    @property
    def last(self) -> int:
        return self.first + len(self.rows) - 1


@dataclass(frozen=True)
class Rejection:
    first: int
    last: int
    error: EngramError


Response = Ack | Rejection


@dataclass
class ModelServer:
    """Admits messages in order, stores them in order, and answers; everything a connection carries can be lost."""

    stored: list[int] = field(default_factory=list)
    generations: list[int] = field(default_factory=list)
    admitted: deque[Sent] = field(default_factory=deque)
    upstream: deque[Sent] = field(default_factory=deque)
    downstream: deque[Response] = field(default_factory=deque)
    foreign_generations: int = 0

    @property
    def durable(self) -> int:
        return len(self.stored)

    @property
    def generation(self) -> int:
        return self.durable + self.foreign_generations

    @property
    def expected(self) -> int:
        return (self.admitted[-1].last if self.admitted else self.durable) + 1

    def read(self, full: bool = False) -> None:
        """Take one message from the wire and admit or refuse it."""
        message = self.upstream.popleft()
        if message.last <= self.durable:
            self.downstream.append(Ack(message.first, message.last, 0, 0))
        elif message.last < self.expected:
            pass  # Still in flight from before; its answer will come.
        elif message.first != self.expected:
            self._reject(message, SequenceError("gap", expected_sequence=self.expected))
        elif message.bad:
            self._reject(message, InvalidInput("bad"))
        elif full:
            self._reject(message, OverCapacity("full", retry_after_ms=1))
        else:
            self.admitted.append(message)

    def commit(self, fail: bool = False) -> None:
        """Store what was admitted first; a failure dooms everything admitted behind it."""
        message = self.admitted.popleft()
        if not fail:
            generation = self.generation + 1
            self.stored.extend(message.rows)
            self.generations.extend(range(generation, generation + len(message.rows)))
            self.downstream.append(Ack(message.first, message.last, generation, generation + len(message.rows) - 1))
            return
        doomed = [message, *self.admitted]
        self.admitted.clear()
        self._reject(message, Unavailable("disk full"))
        for later in doomed[1:]:
            self._reject(later, SequenceError("gap", expected_sequence=self.durable + 1))

    def merge_acks(self) -> None:
        """Join the acks at the end of the wire, as a server does when the client reads slowly."""
        if len(self.downstream) < 2:
            return
        earlier, later = self.downstream[-2], self.downstream[-1]
        if isinstance(earlier, Ack) and isinstance(later, Ack) and later.first_sequence == earlier.last_sequence + 1:
            self.downstream.pop()
            self.downstream[-1] = Ack(
                earlier.first_sequence, later.last_sequence, earlier.first_generation, later.last_generation
            )

    def lose_connection(self) -> None:
        """Drop what is on the wire; what was admitted stays."""
        self.upstream.clear()
        self.downstream.clear()

    def restart(self) -> None:
        """Drop everything that is not stored."""
        self.lose_connection()
        self.admitted.clear()

    def _reject(self, message: Sent, error: EngramError) -> None:
        self.downstream.append(Rejection(message.first, message.last, error))
