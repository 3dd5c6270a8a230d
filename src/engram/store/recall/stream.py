"""Recall streams: recalls in batches, which continue for as long as batches are taken."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from engram.errors import EngramError, Unavailable
from engram.index import Walk
from engram.lifecycle.forking import check_process
from engram.model.hit import Hit, Hits
from engram.model.limits import EF_MAX, RECALL_BATCH_MAX
from engram.model.query import RecallQuery
from engram.store.recall.left_out import LeftOut
from engram.store.recall.ranked import NOTHING, Ranked
from engram.store.recall.recent import RecentObservations
from engram.store.scans.leases import LEASE_S

if TYPE_CHECKING:
    from engram.store.naming.space_life import SpaceLife
    from engram.store.resting.seen_erasures import SeenErasures
    from engram.store.subscriptions.subscription import Subscription

# The number of candidates grows by one for every so many results that were returned.
_RESULTS_PER_BREADTH: Final = 3

MakeHits = Callable[[Ranked], list[Hit]]


class RecallStream(Iterator[Hits]):
    """Batches of hits from one snapshot, each best first; a later batch may hold better hits than an earlier one.

    Each batch is a `Hits`, which says whether anything damaged was left out up to this batch.

    Made by `Space.recall_stream`. A stream holds one walk of the graph and less than two of the largest batches,
    whatever the number of results; or it holds generations and scores of all results, if they were ranked in advance.
    Closing the stream, or dropping it, frees them. What is erased meanwhile is left out. One thread at a time may use
    it.

    Attributes
    ----------
    generation
        Generation of the snapshot.
    more_results
        Whether there may be more batches. Matches of a standing recall are not counted.
    subscription
        The subscription that continues a standing recall; None for other recalls.
    """

    def __init__(
        self,
        results: Walk | Ranked,
        query: RecallQuery,
        generation: int,
        ef: int,
        make_hits: MakeHits,
        left_out: LeftOut,
        recent: RecentObservations | None = None,
        subscription: Subscription | None = None,
        *,
        erasures: SeenErasures,
        life: SpaceLife,
    ) -> None:
        self._process = os.getpid()
        self._erasures = erasures
        self._life = life
        self.generation = generation
        self.more_results: bool = True
        self.subscription: Subscription | None = subscription
        self._walk: Walk | None = None
        # What was found and not returned yet, best first.
        self._found = NOTHING
        if isinstance(results, Ranked):
            self._found = results.at_least(query.cue.score_min)
        else:
            self._walk = results
        self._query = query
        self._ef = ef
        self._make_hits = make_hits
        self._left_out = left_out
        self._recent = recent
        self._left = query.k
        self._is_first = True
        self._failure: EngramError | None = None
        self._used_s = time.monotonic()
        self._deadline_s = None if query.timeout_ms is None else time.monotonic() + query.timeout_ms / 1000

    def __repr__(self) -> str:
        return f"RecallStream(generation={self.generation}, more_results={self.more_results})"

    @property
    def held_generation(self) -> int | None:
        """The generation that must be retained for further batches; None once there are none, or it is long unused."""
        is_used = time.monotonic() - self._used_s < LEASE_S
        return self.generation if self.more_results and is_used else None

    @property
    def incomplete(self) -> bool:
        """Whether damaged observations have been left out so far."""
        return self._left_out.any

    def next_batch(self) -> Hits:
        """Return the next batch; the last one, after which `more_results` is False, may be short or empty.

        Raises
        ------
        CorruptData
            If needed bytes are damaged, unless `RecallQuery.skip_damaged` is set.
        FailedPrecondition
            If the stream was left unused for so long that what it needs is no longer retained.
        Unavailable
            After `RecallQuery.timeout_ms`. Batches that were returned remain valid. With code ``erased`` if something
            is erased just now, and the next call goes on without it; or if something was erased since the space came to
            rest.
        """
        self._check_usable()
        self._used_s = time.monotonic()
        if not self.more_results:
            return self._batch(NOTHING)
        self._check_deadline()
        count = min(self._query.batch_size, self._left)
        self._search(count)
        self._add_recent(count)
        batch, self._found = self._found.head(count), self._found.rest(count)
        self._left -= len(batch)
        if len(batch) < count or self._left == 0:
            self._end()
        return self._batch(batch)

    def poll(self) -> Hits:
        """Return the new matches of a standing recall, up to a batch, without waiting.

        Their `generation` is the one up to which everything that matches has been returned, also if nothing does. A
        recall that follows as of this generation goes on there.

        Raises
        ------
        CorruptData
            As for `next_batch`; all matches committed before the damage have been returned.
        FailedPrecondition, Unavailable
            As for `next_batch`.
        """
        self._check_usable()
        if self.subscription is None:
            return self._batch(NOTHING)
        return self._matched(self.subscription, self.subscription.poll(self._query.batch_size))

    def take(self, until_s: float | None = None) -> Hits | None:
        """Wait for new matches of a standing recall, and return up to a batch of them; None once it has ended.

        Also None if there are none by `until_s`, a time of the monotonic clock in seconds. What was erased meanwhile
        may leave the batch empty.

        Raises
        ------
        CorruptData, FailedPrecondition, Unavailable
            As for `poll`.
        """
        self._check_usable()
        if self.subscription is not None:
            matched = self.subscription.take(self._query.batch_size, until_s)
            if matched is not None:
                return self._matched(self.subscription, matched)
        # It may have ended because the space has.
        self._life.check()
        return None

    def close(self) -> None:
        """Free the walk and end the subscription; there are no more batches."""
        self._end()
        if self.subscription is not None and os.getpid() == self._process:
            self.subscription.close()

    def __next__(self) -> Hits:
        self._check_usable()
        while self.more_results:
            if batch := self.next_batch():
                return batch
        while (matches := self.take()) is not None:
            if matches:
                return matches
        raise StopIteration

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _matched(self, subscription: Subscription, ranked: Ranked) -> Hits:
        batch = self._batch(ranked)
        batch.generation = max(self.generation, subscription.taken_generation)
        return batch

    def _batch(self, ranked: Ranked) -> Hits:
        # First, because this says what was left out.
        hits = self._hits(ranked)
        return Hits(hits, self.generation, self.incomplete)

    def _hits(self, ranked: Ranked) -> list[Hit]:
        """Return the hits of what was found, without what has been erased since."""
        try:
            return self._make_hits(ranked)
        except EngramError as error:
            if error.code != "erased":
                self._failure = error
                raise
        if len(ranked) == 1:
            return []
        middle = len(ranked) // 2
        return [*self._hits(ranked.head(middle)), *self._hits(ranked.rest(middle))]

    def _check_usable(self) -> None:
        check_process(self._process, "recall stream")
        # First: whoever is told that something was erased asks again.
        self._life.check()
        self._erasures.check()
        if self._failure is not None:
            # The hits of the failed batch are lost. Continuing would silently leave them out.
            raise copy.copy(self._failure)

    def _search(self, count: int) -> None:
        """Continue the walk until there is a batch to return, or nothing more to find."""
        while self._walk is not None and len(self._found) < count:
            found = Ranked(*self._walk.next(max(count, self._stride()), self._breadth(), self._left_out.generations))
            self._left_out.settle()
            similar = found.at_least(self._query.cue.score_min)
            # A walk goes from near to far, so a step that found nothing near enough is the last one.
            if not similar:
                self._walk = None
            self._found = self._found.merge(similar)

    def _breadth(self) -> int:
        """Return the number of candidates to compare.

        Small for a quick first batch, then growing with the results already returned: far from the query, scores lie
        close together and more candidates are needed to keep them in order.
        """
        handed_out = self._query.k - self._left
        return min(EF_MAX, self._ef + handed_out // _RESULTS_PER_BREADTH)

    def _stride(self) -> int:
        """Return the minimum number of results to request from the walk in one step.

        It is 0 for the first batch and later enough for several batches, because each step ranks all candidates and
        releases the interpreter lock, which takes long to get back under load.
        """
        return 0 if self._is_first else min(RECALL_BATCH_MAX, self._left)

    def _add_recent(self, count: int) -> None:
        # Skipped for the first batch: it should be fast, and almost nothing can have arrived since the snapshot.
        if self._recent is not None and not self._is_first:
            worst = float(self._found.scores[-1]) if len(self._found) >= count else None
            self._found = self._found.merge(self._recent.best(count, worst))
        self._is_first = False

    def _check_deadline(self) -> None:
        if self._deadline_s is not None and time.monotonic() > self._deadline_s:
            self.close()
            raise Unavailable(
                f"the recall took longer than {self._query.timeout_ms} ms",
                code="recall_timeout",
                field="timeout_ms",
                limit=self._query.timeout_ms,
                value="longer",
            )

    def _end(self) -> None:
        self.more_results = False
        self._walk = self._recent = None
        self._found = NOTHING
