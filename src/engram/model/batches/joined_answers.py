"""The answers to the parts of one batch, which become the answer to the whole."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from engram.errors import EngramError
from engram.model.ack import Ack, joined_ack
from engram.model.batches.parts import of_all_rows, partly


class JoinedAnswers:
    """Makes one answer of those to all parts of a batch, as soon as all are there. Any thread may bring them.

    Parameters
    ----------
    count
        Number of rows of all parts together.
    settle
        Receives the answer, once: the acknowledgement of all rows, or the error of the first part that has one.
    """

    def __init__(self, count: int, settle: Callable[[Ack | EngramError], object]) -> None:
        self._count = count
        self._settle = settle
        self._lock = threading.Lock()
        # By the first row of each part.
        self._answers: dict[int, tuple[int, Ack | EngramError]] = {}
        self._answered = 0

    def of(self, part: slice) -> Callable[[Ack | EngramError], None]:
        """Return what receives the answer to one part; an error about one of its rows becomes one about all rows."""
        return partial(self._take_of, part)

    def end(self, start: int, error: EngramError) -> None:
        """Note that nothing from row `start` on was handed over, because of `error`."""
        self._take(slice(start, self._count), error)

    def _take_of(self, part: slice, answer: Ack | EngramError) -> None:
        self._take(part, of_all_rows(answer, part.start) if isinstance(answer, EngramError) else answer)

    def _take(self, part: slice, answer: Ack | EngramError) -> None:
        with self._lock:
            self._answers[part.start] = part.stop - part.start, answer
            self._answered += part.stop - part.start
            if self._answered < self._count:
                return
        self._settle(self._whole())

    def _whole(self) -> Ack | EngramError:
        acks: list[Ack] = []
        stored = 0
        for start in sorted(self._answers):
            rows, answer = self._answers[start]
            if isinstance(answer, EngramError):
                return partly(answer, stored, self._count)
            acks.append(answer)
            stored += rows
        return joined_ack(acks)
