"""What a space must answer, now and in the past, as follows from what was acknowledged."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from campaigns.compaction.story import Kind, Step, Taken, rows_of, secret_id, secret_text


class Version(NamedTuple):
    """An observation that is alive: the generation of its version, and its text."""

    generation: int
    text: str


class _Change(NamedTuple):
    """What a generation did to an id: its new text, or None if it was deleted."""

    generation: int
    id: str
    text: str | None


class History:
    """The acknowledged steps of all lives.

    Attributes
    ----------
    sequences
        The last sequence number of each session.
    pending
        The step that has begun and is not answered; None if there is none.
    erased
        The numbers of the secrets that were erased.
    generation
        The last generation that was acknowledged.
    horizon
        How far the log had been compacted when it was last looked at.
    """

    def __init__(self) -> None:
        self.sequences: dict[str, int] = {}
        self.pending: Step | None = None
        self.erased: set[int] = set()
        self.generation = 0
        self.horizon = 0
        # What was alive before the changes that are kept.
        self._alive: dict[str, Version] = {}
        self._changes: deque[_Change] = deque()
        self._ends: deque[int] = deque()

    def begin(self, step: Step) -> None:
        """Note that a step begins."""
        self.pending = step

    def end(self, taken: Taken) -> list[str]:
        """Note the answer to the pending step; return what is wrong with it, in words."""
        step, new = self.pending, self.new()
        assert step is not None
        self.pending = None
        if len(new) != taken.row_count:
            return [f"{taken.row_count} are stored of {step}, and {len(new)} are new after {self.generation}"]
        if step.kind is Kind.ERASURE:
            self.erased.update(step.numbers)
        if not new:
            return []
        first = taken.generation - len(new) + 1
        if first <= self.generation:
            return [f"{step} has the generations from {first} on, behind {self.generation}"]
        self._changes += [_Change(first + row, id, text) for row, (id, text) in enumerate(new)]
        self._ends.append(taken.generation)
        self.generation = taken.generation
        if step.kind is Kind.ROWS:
            self.sequences[step.session] = step.numbers[-1]
        return []

    def new(self) -> list[tuple[str, str | None]]:
        """Return what the pending step changes, without duplicates: ids, with their texts or None for a deletion."""
        step = self.pending
        assert step is not None
        if step.kind is Kind.ROWS:
            known = self.sequences.get(step.session, 0)
            return [*rows_of(step.session, tuple(number for number in step.numbers if number > known))]
        if step.kind is Kind.SECRETS:
            return [(secret_id(number), secret_text(number)) for number in step.numbers]
        if step.kind is Kind.DELETION:
            return [(secret_id(number), None) for number in step.numbers]
        return []

    def states(self, oldest: int, newest: int) -> Iterator[tuple[int, Mapping[str, Version]]]:
        """Yield each generation from `oldest` on with which a step ended, and what was alive then; at last `newest`.

        What was erased is not alive. What is only needed for older generations is forgotten. A yielded state changes
        when the next one is asked for.
        """
        while self._changes and self._changes[0].generation <= oldest:
            _apply(self._alive, self._changes.popleft())
        while self._ends and self._ends[0] < oldest:
            self._ends.popleft()
        gone = {secret_id(number) for number in self.erased}
        alive = {id: version for id, version in self._alive.items() if id not in gone}
        left = deque(change for change in self._changes if change.id not in gone)
        for end in (*self._ends, newest):
            while left and left[0].generation <= end:
                _apply(alive, left.popleft())
            yield end, alive


def _apply(alive: dict[str, Version], change: _Change) -> None:
    if change.text is None:
        alive.pop(change.id, None)
    else:
        alive[change.id] = Version(change.generation, change.text)
