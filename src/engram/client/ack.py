"""What a client learns about observations that are safe."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ack:
    """Proof that observations are durable and recallable.

    Parameters
    ----------
    first_sequence, last_sequence
        The session's sequence numbers of the observations, both inclusive.
    first_generation, last_generation
        The generations they were given, both inclusive.
    exact
        False if the original acknowledgement was lost on the way and only learned of after a reconnect, or covered
        interleaved commits: the observations are then visible at `last_generation`, but their own ones may be lower.
    """

    first_sequence: int
    last_sequence: int
    first_generation: int
    last_generation: int
    exact: bool = True

    @property
    def sequence(self) -> int:
        """The last sequence number covered."""
        return self.last_sequence

    @property
    def generation(self) -> int:
        """A recall with ``max_generation`` of at least this sees all the observations."""
        return self.last_generation

    @property
    def count(self) -> int:
        """How many observations are covered."""
        return self.last_sequence - self.first_sequence + 1

    def row(self, offset: int) -> Ack:
        """The part that belongs to the observation at position `offset` of the batch."""
        sequence = self.first_sequence + offset
        first = self.first_generation + offset if self.exact else self.first_generation
        last = first if self.exact else self.last_generation
        return Ack(sequence, sequence, first, last, self.exact)
