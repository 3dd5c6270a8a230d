"""The methods of a memory space that read it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from engram.errors import FailedPrecondition, Unavailable
from engram.log.log import Log
from engram.model.filters.conditions import Condition
from engram.model.filters.filter import Filter
from engram.model.hit import Hit, Hits
from engram.model.many.many_query import ManyQuery
from engram.model.many.many_recalled import ManyRecalled
from engram.model.operations.results import Counted
from engram.model.operations.scans import CountFacets, ReadPage
from engram.model.query import Recalled, RecallQuery, check_one_snapshot
from engram.model.scans.facets import Facets
from engram.model.scans.page import ScanPage
from engram.model.spaces import SpaceConfig
from engram.model.values.scalars import as_text
from engram.store.expiry.present import present_us
from engram.store.meter.exact_scan import ExactScan
from engram.store.meter.recall_meter import RecallMeter
from engram.store.options import StoreOptions
from engram.store.recall.executor import RecallExecutor
from engram.store.recall.retention import Retention
from engram.store.recall.snapshot import Snapshot, exhausted
from engram.store.recall.stream import RecallStream
from engram.store.space_state import SpaceState
from engram.store.subscriptions.registry import Subscriptions

T = TypeVar("T")
_OVERTAKEN_MAX: Final = 3


class SpaceRecalls:
    """The recalls and look-ups of a space; the base class of `SpaceEngine`.

    Parameters
    ----------
    config
        Settings of the space.
    state
        State of the space.
    options
        Settings of the store: the defaults of recalls.
    announce
        Has the matcher look at the space.
    meter
        Measures some of the recalls.
    """

    def __init__(
        self,
        config: SpaceConfig,
        state: SpaceState,
        options: StoreOptions,
        announce: Callable[[], None],
        meter: RecallMeter,
    ) -> None:
        self.config = config
        self.subscriptions: Subscriptions = Subscriptions(config, state, options.follower_count_max)
        self.retention: Retention = Retention(state, options, self.subscriptions)
        self._state = state
        self._reader = RecallExecutor(config, state, options, self.subscriptions, self.retention.hold_stream)
        self._announce = announce
        self._meter = meter
        self.exact_scan: ExactScan = ExactScan(config, state, self._reader.search)

    def answer(self, query: RecallQuery) -> Recalled:
        """Answer `query` at once.

        Raises
        ------
        InvalidInput
            If the cue does not fit the space, or the generation is yet to come.
        FailedPrecondition
            If a text is to be embedded and the space has no embedder, or the snapshot is no longer retained.
        CorruptData
            If the ranking needs damaged bytes.
        Unavailable
            With code ``erased``, if something is erased again and again while it is answered.
        """
        is_measured = self._meter.is_waiting
        if is_measured:
            # The meter may use very little of the processors, and an embedder takes as many as it likes.
            self._reader.check_process()
            query = self._reader.search.embedded(query)
        recalled = self._as_of(query, lambda generation, due_us: self._reader.recall(query, generation, due_us))
        # What is hidden because it is due would count as not found.
        if is_measured and not self._hides(recalled.generation):
            self._meter.offer(self.config.name, self.exact_scan, query, recalled)
        return recalled

    def answer_many(self, query: ManyQuery) -> list[Hits]:
        """Answer all cues of `query` as of one generation.

        Raises
        ------
        InvalidInput, FailedPrecondition, CorruptData
            As for `answer`; an error about a cue names it.
        """
        common = query.common
        is_now = common.snapshot_us is None and common.max_generation is None
        return _repeated(lambda: list(exhausted(self.recall_many(query)).results), is_now=is_now)

    def recall_many(self, query: ManyQuery, hits_max: int | None = None) -> Generator[None, None, ManyRecalled]:
        """Answer all cues of `query` as of one generation, which is held; yield where others may have their turn.

        Raises
        ------
        InvalidInput
            Also with code ``results_bytes``, if there are more than `hits_max` hits.
        FailedPrecondition, CorruptData
            As for `answer`.
        """
        held = self.present(query.common.max_generation, query.common.snapshot_us)
        due_us = 0 if self._state.attributes.expiring is None else query.due_us or held._due_us
        results = yield from self._reader.recall_many(query, held.generation, hits_max, due_us)
        if self._meter.is_waiting and results and not self._hides(held.generation):
            self._offer_first(query, results[0])
        return ManyRecalled(results, held.generation, due_us)

    def _offer_first(self, query: ManyQuery, hits: Hits) -> None:
        """Have the recall of the first cue measured."""
        first = query.one(0)
        # The meter may use very little of the processors, and an embedder takes as many as it likes.
        if first.cue.vector is not None:
            recalled = Recalled(hits, hits.generation, len(hits), 0.0, hits.incomplete)
            self._meter.offer(self.config.name, self.exact_scan, first, recalled)

    def open(self, query: RecallQuery) -> RecallStream:
        """Open a stream of hits for `query`.

        Raises
        ------
        InvalidInput, FailedPrecondition, CorruptData, Unavailable
            As for `answer`.
        OverCapacity
            If there are too many standing recalls.
        """
        if query.follow:
            return self._follow(query)
        return self._stream(query)

    def _follow(self, query: RecallQuery) -> RecallStream:
        stream = self._stream(query)
        # A commit during the subscription may not have been announced to the matcher.
        self._announce()
        return stream

    def _stream(self, query: RecallQuery) -> RecallStream:
        return self._as_of(query, lambda generation, due_us: self._reader.stream(query, generation, due_us))

    def get(self, id: str, max_generation: int | None = None) -> Hit | None:
        """Return the observation with this id, or None.

        With `max_generation`, return the version that was alive then. If the id changed since, this searches the log.

        Raises
        ------
        InvalidInput
            If the id is not a text, or the generation is yet to come.
        FailedPrecondition
            If the generation is no longer retained.
        Unavailable
            With code ``erased``, if something is erased again and again while it is looked up.
        """
        as_text("id", id)

        def found() -> Hit | None:
            if max_generation is None:
                return self._reader.get(id, None, present_us())
            generation = self.retention.check(max_generation)
            return self.retention.whole(self._reader.get(id, generation), generation)

        return _repeated(found, is_now=max_generation is None)

    def count(self, filter: Filter | Condition, max_generation: int | None = None) -> Counted:
        """Return how many observations pass `filter`, now or as of a generation.

        Raises
        ------
        InvalidInput
            If the generation is yet to come.
        FailedPrecondition
            If the generation is no longer retained.
        CorruptData
            If the filter needs a text that is damaged.
        """

        def counted() -> Counted:
            newest = self._state.index.visible_generation
            generation = newest if max_generation is None else self.retention.check(max_generation)
            due_us = present_us() if max_generation is None else 0
            return self.retention.whole(self._reader.count(filter, generation, due_us), generation)

        return _repeated(counted, is_now=max_generation is None)

    def _as_of(self, query: RecallQuery, answer: Callable[[int, int], T]) -> T:
        """Return what `answer` makes of the generation as of which `query` is answered, and of the present time.

        The time is 0 if a generation or a time is named: then the generation alone counts.
        """
        is_now = query.snapshot_us is None and query.max_generation is None

        def whole() -> T:
            generation = self.retention.generation_of(query)
            return self.retention.whole(answer(generation, present_us() if is_now else 0), generation)

        return _repeated(whole, is_now=is_now)

    def _hides(self, generation: int) -> bool:
        """Return whether something is due that was alive at `generation`."""
        return len(self._state.attributes.due(present_us(), generation, generation)) > 0

    def present(self, max_generation: int | None = None, snapshot_us: int | None = None) -> Snapshot:
        """Return what `snapshot` does, for one answer: if it is of now, what is due by now is hidden from it.

        Raises as `snapshot`.
        """
        held = self.snapshot(max_generation, snapshot_us)
        if max_generation is None and snapshot_us is None:
            held._due_us = present_us()
        return held

    def snapshot(self, max_generation: int | None = None, snapshot_us: int | None = None) -> Snapshot:
        """Return the space as it is now, or was at a generation or time (microseconds since 1970 UTC).

        Raises
        ------
        InvalidInput
            If the generation is yet to come, or both are given.
        FailedPrecondition
            If the generation is no longer retained.
        """
        self._reader.check_process()
        check_one_snapshot(max_generation, snapshot_us)
        return self.retention.hold(self._reader, max_generation, snapshot_us)

    # ---- everything that passes a filter ------------------------------------------------------------------------

    @property
    def log(self) -> Log:
        """The store of record."""
        return self._state.log

    @property
    def live_count(self) -> int:
        """Number of observations that are alive now, and not due."""
        generation = self._state.index.visible_generation
        return len(self._state.versions) - len(self._state.attributes.due(present_us(), generation, generation))

    def live_versions(self, ids: Sequence[str]) -> list[int | None]:
        """Return the generation of the live version of each of `ids`, which are texts; None for an id without one."""
        attributes, found = self._state.attributes, list(map(self._state.versions.live, ids))
        if attributes.expiring is None:
            return found
        left = attributes.without_due([generation or 0 for generation in found], present_us())
        return [generation or None for generation in left]

    def lease(self, generation: int | None = None) -> Snapshot:
        """Return a snapshot that can be leased again within a minute, by its generation; None for the newest.

        Raises
        ------
        InvalidInput, FailedPrecondition
            As for `snapshot`.
        """
        self._reader.check_process()
        return self.retention.lease(self._reader, generation)

    def leased(self, request: ReadPage) -> Snapshot:
        """Return the snapshot of the scan that a request is part of.

        Raises
        ------
        InvalidInput
            If the cursor is none of this scan, or the generation is yet to come.
        FailedPrecondition
            If the generation is no longer retained, or the space has been restored or repaired since.
        """
        return self.lease(self._reader.scans.generation_of(request))

    def renew(self, held: Snapshot) -> None:
        """Let the generation of a snapshot that the caller refers to be leased for a minute from now on."""
        self._reader.check_process()
        self.retention.renew(held)

    def page(self, request: ReadPage, generation: int) -> ScanPage:
        """Return one page of a scan at `generation`, which the caller holds. Raises as `Scans.page`."""
        begins_now = not request.cursor and request.max_generation is None
        return self._reader.scans.page(request, generation, present_us() if begins_now else 0)

    def expire_scans(self) -> None:
        """Let go of the rows of scans that have not gone on for a minute."""
        self._reader.scans.ordered.expire()

    def cut(self, request: ReadPage, page: ScanPage) -> ScanPage:
        """Return the first half of a page that has more than one hit."""
        return self._reader.scans.cut(request, page)

    def facets(self, request: CountFacets, generation: int) -> Generator[None, None, Facets]:
        """Count facets at `generation`, which the caller holds; yield where others may have their turn.

        Raises
        ------
        InvalidInput
            With code ``facet_values``, if there are too many different values.
        CorruptData
            If what is counted cannot be read.
        Unavailable
            With code ``erased``, if something of it is erased meanwhile.
        """
        return self._reader.scans.facets(request, generation, present_us() if request.max_generation is None else 0)

    def passing_alive(self, filter: Filter | Condition, generation: int) -> NDArray[np.int64]:
        """Return what passed `filter` at `generation` and is still alive: int64, shape ``(n,)``, ascending."""
        rows = self._reader.scans.ordered.rows(filter, generation)
        attributes, newest = self._state.attributes, self._state.index.visible_generation
        rows = rows[attributes.columns.alive(rows, newest)]
        # What is due goes by itself, and nobody sees it any more.
        hidden = attributes.due(present_us(), newest, newest)
        return rows[~np.isin(rows, hidden)] if len(hidden) else rows


def _repeated(answer: Callable[[], T], *, is_now: bool) -> T:
    """Return what `answer` returns.

    An answer as of now that is overtaken by so many writes that what it needs is dropped meanwhile is made anew, and so
    is any answer of which something is erased meanwhile.
    """
    for _ in range(_OVERTAKEN_MAX):
        try:
            return answer()
        except (FailedPrecondition, Unavailable) as error:
            if error.code != "erased" and not (is_now and error.code == "snapshot_expired"):
                raise
    return answer()
