"""The methods of a memory space that read it."""

from __future__ import annotations

from collections.abc import Callable

from engram.model.cue import CueLike, as_cue
from engram.model.hit import Hit, Hits
from engram.model.limits import RESULTS_MAX
from engram.model.query import Recalled, RecallQuery, check_range
from engram.model.scalars import as_text
from engram.model.spaces import SpaceConfig
from engram.model.strength import Strength
from engram.model.times import Moment, as_time_us
from engram.store.options import StoreOptions
from engram.store.recall.executor import RecallExecutor
from engram.store.recall.retention import Retention
from engram.store.recall.snapshot import Snapshot
from engram.store.recall.stream import RecallStream
from engram.store.space_state import SpaceState
from engram.store.subscriptions.registry import Subscriptions


class SpaceRecalls:
    """The recalls and look-ups of a space; the base class of `Space`.

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
    """

    def __init__(
        self, config: SpaceConfig, state: SpaceState, options: StoreOptions, announce: Callable[[], None]
    ) -> None:
        self.config = config
        self.subscriptions = Subscriptions(config, state, options.follower_count_max)
        self.retention = Retention(state, options, self.subscriptions)
        self._state = state
        self._reader = RecallExecutor(config, state, options, self.subscriptions)
        self._announce = announce

    def recall(
        self,
        cue: CueLike,
        k: int = 10,
        max_generation: int | None = None,
        ef: int | None = None,
        *,
        snapshot_time: Moment | None = None,
        strength: Strength | None = None,
        skip_damaged: bool = False,
    ) -> Hits:
        """Find the observations that match a cue best, best first.

        Parameters
        ----------
        cue
            A vector of shape ``(dim,)``, a text for the space's embedder, or a `Cue`, which can say more.
        k
            Maximum number of hits.
        max_generation
            Answer as of this generation; None: now.
        ef
            Breadth of the graph search, 1 to 10 000; a larger number is slower and more exact. It is doubled if there
            is a filter.
        snapshot_time
            Answer as of this time instead: seconds since 1970, a datetime (UTC if it has no zone) or another `Moment`.
            A time to come means now.
        strength
            Rank by the strength of memories instead of similarity alone.
        skip_damaged
            Leave out observations with damaged bytes that the answer needs, instead of raising; the answer is then
            marked as ``incomplete``.

        Returns
        -------
        Hits
            A list of `Hit` with the ``generation`` of the snapshot it is from.

        Raises
        ------
        InvalidInput
            If the cue does not fit the space, or a number is out of range.
        FailedPrecondition
            If a text is to be embedded and the space has no embedder, or the snapshot is no longer retained.
        CorruptData
            If the ranking needs damaged bytes. A hit raises it, too, if its own text or another of its columns is
            damaged.
        """
        query = RecallQuery(
            as_cue(cue),
            results_max=check_range("k", k, 1, RESULTS_MAX),
            max_generation=max_generation,
            snapshot_us=_moment_us(snapshot_time),
            ef=ef,
            strength=strength,
            skip_damaged=skip_damaged,
        )
        answer = self.answer(query)
        return Hits(answer.hits, answer.generation, answer.incomplete)

    def recall_stream(
        self,
        cue: CueLike,
        max_results: int = 100,
        batch_size: int = 10,
        max_generation: int | None = None,
        *,
        ef: int | None = None,
        snapshot_time: Moment | None = None,
        include_recent: bool = False,
        follow: bool = False,
        strength: Strength | None = None,
        timeout_ms: int | None = None,
        skip_damaged: bool = False,
    ) -> RecallStream:
        """Return the hits of a recall in batches, as they are found, all from one snapshot.

        The first batch comes after the first pass of the search. Each further batch continues the same walk.

        Parameters
        ----------
        max_results, batch_size
            Maximum number of hits, up to 10 000, and of hits per batch, up to 100.
        include_recent
            Whether batches after the first may also contain observations made meanwhile, marked as ``recent``.
        follow
            Whether to wait for new matching observations after the last batch, and to return each of them once, in the
            order of generations, until the stream is closed. The cue needs a `score_min` if it has a vector or text.
        timeout_ms
            Raise an error if the batches take longer than this many milliseconds.
        cue, max_generation, ef, snapshot_time, strength, skip_damaged
            As for `recall`; the stream has its own ``incomplete``.

        Raises
        ------
        InvalidInput, FailedPrecondition
            As for `recall`, at once and not during iteration.
        OverCapacity
            If there are too many standing recalls.
        CorruptData
            If a ranking that is made at once needs damaged bytes. During iteration, batches raise it.
        """
        return self.open(
            RecallQuery(
                as_cue(cue),
                max_results,
                batch_size,
                max_generation,
                _moment_us(snapshot_time),
                ef,
                include_recent,
                follow,
                strength,
                timeout_ms,
                skip_damaged,
            )
        )

    def answer(self, query: RecallQuery) -> Recalled:
        """Answer `query` as `recall` does; the answer also has the generation of the snapshot."""
        return self._reader.recall(query, self.retention.generation_of(query))

    def open(self, query: RecallQuery) -> RecallStream:
        """Open a stream for `query` as `recall_stream` does."""
        stream = self._reader.stream(query, self.retention.generation_of(query))
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
            return self._reader.get(id, None)
        return self._reader.get(id, self.retention.check(max_generation))

    def snapshot(self, max_generation: int | None = None, *, time: Moment | None = None) -> Snapshot:
        """Return the space as it is now, or was at a generation or time, for any number of recalls.

        Raises
        ------
        InvalidInput
            If the generation is yet to come, or `time` is not a time.
        FailedPrecondition
            If the generation is no longer retained.
        """
        self._reader.check_process()
        if time is not None:
            max_generation = self.retention.generation_at(as_time_us(time, "time"))
        if max_generation is None:
            max_generation = self._state.index.visible_generation
        return self.retention.hold(Snapshot(self._reader, self.retention.check(max_generation)))


def _moment_us(moment: Moment | None) -> int | None:
    return None if moment is None else as_time_us(moment, "snapshot_time")
