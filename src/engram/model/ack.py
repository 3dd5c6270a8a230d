"""The answers to what was written: acknowledgements, which are also the generation, and deletions."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from itertools import pairwise
from typing import Any, Self

from engram.model.values.keywords import warn_renamed


class Ack(int):
    """The acknowledgement that observations are durable and recallable. As a number, it is their last generation.

    Parameters
    ----------
    first_sequence, last_sequence
        Sequence numbers of the observations in their session, both inclusive; 0 outside a session.
    first_generation, last_generation
        Generations of the observations, both inclusive. From the last one on all observations are visible: it is the
        least ``max_generation`` of a recall for them.
    exact
        Whether the generations are those of the observations. False if the original acknowledgement was lost and the
        client learned of the commit after a reconnect, or if the acknowledgement covers interleaved commits. Then the
        observations are visible at `last_generation`, but their own generations may be lower.
    ids
        The ids that were made up for the observations, in their order; empty if the caller gave them.
    count
        Number of observations; None: as many as there are sequence numbers or generations from the first to the last.
    """

    first_sequence: int
    last_sequence: int
    first_generation: int
    last_generation: int
    exact: bool
    ids: Sequence[str]
    _count: int | None = None

    def __new__(
        cls,
        first_sequence: int,
        last_sequence: int,
        first_generation: int,
        last_generation: int,
        exact: bool = True,
        ids: Sequence[str] = (),
        count: int | None = None,
    ) -> Self:
        """Make the acknowledgement of a range of sequence numbers and generations."""
        ack = int.__new__(cls, last_generation)
        ack.first_sequence = first_sequence
        ack.last_sequence = last_sequence
        ack.first_generation = first_generation
        ack.last_generation = last_generation
        ack.exact = exact
        ack.ids = ids
        if count is not None:
            ack._count = count
        return ack

    def __eq__(self, other: object) -> bool:
        return self._values() == other._values() if isinstance(other, Ack) else int(self) == other

    def __ne__(self, other: object) -> bool:
        # `int` has a comparison of its own, which would only compare the numbers.
        return not self == other

    def __hash__(self) -> int:
        return int.__hash__(self)

    def __repr__(self) -> str:
        sequences = f", sequences {self.first_sequence}..{self.last_sequence}" if self.last_sequence else ""
        made = f", ids made up: {len(self.ids)}" if self.ids else ""
        return f"Ack(generations {self.first_generation}..{self.last_generation}{sequences}{made})"

    def __str__(self) -> str:
        # A program that prints the generation prints a number.
        return int.__repr__(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return Ack, self._values()

    @property
    def sequence(self) -> int:
        """Last sequence number covered by the acknowledgement."""
        return self.last_sequence

    @property
    def generation(self) -> int:
        """Last generation; the number that the acknowledgement is."""
        return self.last_generation

    @property
    def count(self) -> int:
        """Number of observations covered by the acknowledgement."""
        if self._count is not None:
            return self._count
        if self.last_sequence:
            return self.last_sequence - self.first_sequence + 1
        return self.last_generation - self.first_generation + 1

    def row(self, offset: int) -> Ack:
        """Return the acknowledgement of the single observation at position `offset` of the batch."""
        sequence = self.first_sequence + offset
        first = self.first_generation + offset if self.exact else self.first_generation
        last = first if self.exact else self.last_generation
        return Ack(sequence, sequence, first, last, self.exact, self.ids[offset : offset + 1], 1)

    def with_ids(self, ids: Sequence[str]) -> Ack:
        """Return the acknowledgement with the ids that were made up; itself, if there are none."""
        return Ack(*[*self._values()[:5], ids, self._count]) if ids else self

    def result(self, timeout: float | None = None) -> Ack:
        """Return the acknowledgement itself, as ``observe`` returned a future until the version before. Deprecated."""
        warn_renamed("observe(...).result()", "observe(...), which waits itself, or submit(...).result()")
        return self

    def __await__(self) -> Generator[None, None, Ack]:
        warn_renamed("await (await observe(...))", "await observe(...), or await (await submit(...))")
        return self
        yield

    def _values(self) -> tuple[Any, ...]:
        generations = self.first_generation, self.last_generation
        return self.first_sequence, self.last_sequence, *generations, self.exact, self.ids, self.count


def joined_ack(acks: Sequence[Ack]) -> Ack:
    """Return the acknowledgement of observations whose parts have an acknowledgement each, in their order."""
    if len(acks) == 1:
        return acks[0]
    first, last = acks[0], acks[-1]
    follow = all(after.first_generation == ack.last_generation + 1 for ack, after in pairwise(acks))
    exact, count = follow and all(ack.exact for ack in acks), sum(ack.count for ack in acks)
    sequences, generations = (first.first_sequence, last.last_sequence), (first.first_generation, last.last_generation)
    return Ack(*sequences, *generations, exact, count=count)


def row_acks(ack: Ack, count: int) -> Iterator[Ack]:
    """Yield what `Ack.row` returns for each of the `count` observations of a batch."""
    first, last = (ack.first_generation, ack.last_generation)
    for sequence in range(ack.first_sequence, ack.first_sequence + count):
        yield Ack(sequence, sequence, first, first if ack.exact else last, ack.exact)
        first += ack.exact


class Deletion(int):
    """The answer to a deletion. As a number, it says how many of the ids existed.

    Parameters
    ----------
    existed
        Number of the ids that existed; for a deletion by filter, number of the observations that it deleted.
    generation
        Generation from which on they are gone.
    as_of
        Of a deletion by filter, the generation as of which the filter was applied: what was written later stays. 0 for
        a deletion by ids.
    more
        Whether there is more to delete, which the same call as of the generation `as_of` goes on with: a server answers
        after two seconds, or when it is too busy to go on. Clients and embedded spaces go on by themselves.
    """

    generation: int
    as_of: int
    more: bool

    def __new__(cls, existed: int, generation: int, as_of: int = 0, more: bool = False) -> Self:
        """Make the answer to one deletion."""
        deletion = super().__new__(cls, existed)
        deletion.generation = generation
        deletion.as_of = as_of
        deletion.more = more
        return deletion

    def __repr__(self) -> str:
        return f"Deletion({int(self)}, generation={self.generation})"

    def __str__(self) -> str:
        return int.__repr__(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return Deletion, (int(self), self.generation, self.as_of, self.more)


def joined_deletion(deletions: Sequence[Deletion]) -> Deletion:
    """Return the answer to a deletion by ids whose parts have an answer each, in their order."""
    return deletions[0] if len(deletions) == 1 else Deletion(sum(deletions), deletions[-1].generation)
