"""The methods of a memory space that read it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from engram.errors import FailedPrecondition
from engram.model.hit import Hit
from engram.model.query import Recalled, RecallQuery, check_one_snapshot
from engram.model.spaces import SpaceConfig
from engram.model.values.scalars import as_text
from engram.store.meter.exact_scan import ExactScan
from engram.store.meter.recall_meter import RecallMeter
from engram.store.options import StoreOptions
from engram.store.recall.executor import RecallExecutor
from engram.store.recall.retention import Retention
from engram.store.recall.snapshot import Snapshot
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
        """
        is_measured = self._meter.is_waiting
        if is_measured:
            # The meter may use very little of the processors, and an embedder takes as many as it likes.
            self._reader.check_process()
            query = self._reader.search.embedded(query)
        recalled = self._as_of(query, lambda generation: self._reader.recall(query, generation))
        if is_measured:
            self._meter.offer(self.config.name, self.exact_scan, query, recalled)
        return recalled

    def open(self, query: RecallQuery) -> RecallStream:
        """Open a stream of hits for `query`.

        Raises
        ------
        InvalidInput, FailedPrecondition, CorruptData
            As for `answer`.
        OverCapacity
            If there are too many standing recalls.
        """
        stream = self._as_of(query, lambda generation: self._reader.stream(query, generation))
        if query.follow:
            # A commit during the subscription may not have been announced to the matcher.
            self._announce()
        return stream

    def get(self, id: str, max_generation: int | None = None) -> Hit | None:
        """Return the observation with this id, or None.

        With `max_generation`, return the version that was alive then. If the id changed since, this searches the log.

        Raises
        ------
        InvalidInput
            If the id is not a text, or the generation is yet to come.
        FailedPrecondition
            If the generation is no longer retained.
        """
        as_text("id", id)
        if max_generation is None:
            return self._as_of(None, lambda generation: self._reader.get(id, None))
        return self._reader.get(id, self.retention.check(max_generation))

    def _as_of(self, query: RecallQuery | None, answer: Callable[[int], T]) -> T:
        """Return what `answer` makes of the generation as of which `query` is answered.

        A recall of now that is overtaken by so many writes that what it needs is dropped meanwhile is answered anew.
        """
        is_now = query is None or (query.snapshot_us is None and query.max_generation is None)
        for _ in range(_OVERTAKEN_MAX if is_now else 0):
            try:
                return answer(self.retention.generation_of(query) if query is not None else 0)
            except FailedPrecondition as error:
                if error.code != "snapshot_expired":
                    raise
        return answer(self.retention.generation_of(query) if query is not None else 0)

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
