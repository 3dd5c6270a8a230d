"""The acknowledgement that a client gets for stored observations."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ack:
    """The acknowledgement that observations are durable and recallable.

    Parameters
    ----------
    first_sequence, last_sequence
        Sequence numbers of the observations in their session, both inclusive.
    first_generation, last_generation
        Generations of the observations, both inclusive.
    exact
        Whether the generations are those of the observations. False if the original acknowledgement was lost and the
        client learned of the commit after a reconnect, or if the acknowledgement covers interleaved commits. Then the
        observations are visible at `last_generation`, but their own generations may be lower.
    """

    first_sequence: int
    last_sequence: int
    first_generation: int
    last_generation: int
    exact: bool = True

    @property
    def sequence(self) -> int:
        """Last sequence number covered by the acknowledgement."""
        return self.last_sequence

    @property
    def generation(self) -> int:
        """Generation from which on all observations are visible: the least ``max_generation`` of a recall for them."""
        return self.last_generation

    @property
    def count(self) -> int:
        """Number of observations covered by the acknowledgement."""
        return self.last_sequence - self.first_sequence + 1

    def row(self, offset: int) -> Ack:
        """Return the acknowledgement of the single observation at position `offset` of the batch."""
        sequence = self.first_sequence + offset
        first = self.first_generation + offset if self.exact else self.first_generation
        last = first if self.exact else self.last_generation
        return Ack(sequence, sequence, first, last, self.exact)
