"""The spans of a space: one for each batch that is committed, and one for the way of that batch into the index."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from engram.errors import EngramError
from engram.store.commit.queue import CommitResult
from engram.tracing.switch import present_recorder

if TYPE_CHECKING:
    from engram.tracing.recorder import StageSpan

UNINDEXED_MAX: Final = 4096
"""Batches of a space whose spans wait for the index; further ones have none."""

Done = Callable[[CommitResult | EngramError], None]


class CommitSpans:
    """Records the spans of one space. Any thread may use it.

    Parameters
    ----------
    space
        Name of the space.
    listen
        Has a listener called with the indexed generation when it moves, after the requests up to it are answered.
    """

    def __init__(self, space: str, listen: Callable[[Callable[[int], None]], None]) -> None:
        self._space = space
        self._listen = listen
        self._is_listening = False
        self._is_over = False
        self._guard = threading.Lock()
        self._unindexed: Final[deque[tuple[int, StageSpan]]] = deque()

    def around(self, done: Done, count: int, admission: StageSpan | None = None) -> Done:
        """Return what answers a request by `done` and records its spans; `done` itself without tracing.

        Parameters
        ----------
        done
            See `CommitRequest`.
        count
            Number of observations in the request.
        admission
            The span that they are within; None for the current span of the caller, if there is one.
        """
        recorder = present_recorder()
        if recorder is None:
            return done
        begin = recorder.here if admission is None else admission.child
        span = begin("engram.commit", space=self._space, count=count)

        def answered(outcome: CommitResult | EngramError) -> None:
            done(outcome)
            if isinstance(outcome, EngramError):
                span.end(outcome)
                return
            span.end(first_generation=outcome.first_generation, last_generation=outcome.last_generation)
            if outcome.count and not outcome.duplicate:
                self._begin_index(span, outcome)

        return answered

    def end(self) -> None:
        """End the spans that wait for the index: the space rests, and who links what is left does not know them."""
        with self._guard:
            self._is_over = True
            ended = [span for _, span in self._unindexed]
            self._unindexed.clear()
        for span in ended:
            span.end()

    def _begin_index(self, commit: StageSpan, result: CommitResult) -> None:
        if not self._is_listening:
            self._is_listening = True
            self._listen(self._indexed)
        with self._guard:
            if len(self._unindexed) < UNINDEXED_MAX and not self._is_over:
                span = commit.child("engram.index", space=self._space, count=result.count)
                self._unindexed.append((result.last_generation, span))

    def _indexed(self, generation: int) -> None:
        ended = []
        with self._guard:
            while self._unindexed and self._unindexed[0][0] <= generation:
                ended.append(self._unindexed.popleft())
        for last_generation, span in ended:
            span.end(last_generation=last_generation)
