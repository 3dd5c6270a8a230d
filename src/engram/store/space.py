"""A memory space, as its users see it; `engram.store.space_engine` is its inside."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, Unpack, overload

from numpy.typing import ArrayLike

from engram.metrics.space_statistics import SpaceStatistics
from engram.model.ack import Ack
from engram.model.arguments import ManyObservations, OneObservation, one_or_many, take_observations
from engram.model.columns import ObservationColumns, ObservationFields
from engram.model.cue import CueLike
from engram.model.filters.filter_like import FilterLike, as_filter
from engram.model.hit import Hits
from engram.model.observations import ObservationBatch
from engram.model.operations.conditions import ConditionalColumns, ConditionalFields, Expected, expected_of
from engram.model.operations.results import Counted
from engram.model.query import BATCH_DEFAULT, RESULTS_DEFAULT, RecallQuery, as_query
from engram.model.recall_options import (
    STREAM_COUNT_DEFAULT,
    RecallOptions,
    RecallStreamOptions,
    recall_query,
    stream_query,
)
from engram.model.times import Moment, as_time_us
from engram.model.values.keywords import accepts_old, spelled_out, warn_renamed
from engram.model.values.vector_rows import VectorsLike
from engram.store.commit.large_batches import observe_all, submit_all
from engram.store.recall.snapshot import Snapshot
from engram.store.recall.stream import RecallStream
from engram.store.resting.space_access import SpaceAccess
from engram.store.subscriptions.followed_space import FollowedSpace


class Space(FollowedSpace):
    """The observations of one tenant; made by `MemoryStore.space`.

    `Client` has the same methods for a space of a server. Any thread may call any method; recalls and look-ups take no
    locks. A space is not usable in a forked child (code ``forked``). ``id in space``, ``len(space)`` and ``for hit in
    space`` are about what is alive now.

    In a store of many spaces, one that is not used rests; the next call opens it again, takes longer, and may raise why
    that failed.
    """

    def __init__(self, access: SpaceAccess, store: object = None) -> None:
        super().__init__(access)
        # Whoever has a space has its store open.
        self._store = store

    def __repr__(self) -> str:
        config, engine = self.config, self._access.open_engine
        # Whoever looks at a space, such as a debugger, does not open it.
        state = "at rest" if engine is None else f"generation={engine.generation}"
        if self._is_over:
            state = "dropped or renamed"
        return f"Space({config.name!r}, dim={config.dim}, metric={config.metric!r}, {state})"

    # ---- writing ------------------------------------------------------------------------------------------------

    @overload
    def observe(
        self,
        id: str | None = None,
        vector: ArrayLike | None = None,
        content: str | None = "",
        **fields: Unpack[ConditionalFields],
    ) -> Ack: ...

    @overload
    def observe(
        self,
        ids: Sequence[str] | None = None,
        vectors: VectorsLike | None = None,
        contents: Sequence[str | None] | None = None,
        **columns: Unpack[ConditionalColumns],
    ) -> Ack: ...

    @one_or_many
    def observe(
        self, *arguments: Any, if_absent: bool = False, expected_generations: Expected = None, **keywords: Any
    ) -> Ack:
        """Store one observation or many; when this returns, they are durable and recallable.

        One: ``observe("note-1", vector, "a text", confidence=0.9)``; many, as columns: ``observe(ids, vectors, texts,
        confidences=[...])``. Without ids: ``observe(content="a text")``, ``observe(vectors=vectors, contents=texts)``.

        Parameters
        ----------
        ids
            The id of one observation, or any number of ids. An id that exists is superseded. Left out: new ids in
            rising order (UUIDs of version 7), which the answer has.
        vectors
            float32-like, shape ``(dim,)`` for one and ``(n, dim)`` for many; None, also in a list: the space's embedder
            makes it of the text, or there is none, if the space does not require vectors.
        contents
            The text of one observation, or one text each; None, also in a list: no text, as against an empty one.
        **columns
            ``timestamp``, ``confidence``, ... for one; see `ObservationFields`, and `ObservationColumns` for many.
        if_absent, expected_generations
            Store only if no id is alive, or only if the live version of each id has this generation: one for all, or
            one each; 0: only if the id is not alive. With either, each id is named once, and there are at most 10 000
            observations of 32 MiB.

        Returns
        -------
        Ack
            As a number, the generation of the last observation. Up to 10 000 observations of up to 32 MiB are stored as
            a whole or not at all. More are stored in parts of that size, in their order.

        Raises
        ------
        InvalidInput
            If a column is refused; the error names the field and the position. Nothing was stored.
        EngramError
            If a part fails, `stored_count` says how many observations, from the first on, are stored all the same.
        FailedPrecondition
            If vectors are missing and there is no embedder or it fails, or the store is closed; with code
            ``condition_failed``, if a condition does not hold, naming the first id.
        OverCapacity
            If too much is queued, or linking did not make room in time. Nothing was stored.
        Unavailable
            If the store is closing or cannot write.
        """
        observed = take_observations(arguments, keywords)
        batch = self._taken(observed)
        if if_absent is False and expected_generations is None:
            return observe_all(self._access.engine, batch).with_ids(observed.made_ids)
        batch = self._engine.prepare(batch)
        expected = expected_of(batch.ids, if_absent, expected_generations)
        # The engine comes last: the space may have come to rest while its texts were embedded.
        return self._engine.submit(batch, expected).result().ack.with_ids(observed.made_ids)

    @overload
    def submit(
        self,
        id: str | None = None,
        vector: ArrayLike | None = None,
        content: str | None = "",
        **fields: Unpack[ObservationFields],
    ) -> Future[Ack]: ...

    @overload
    def submit(
        self,
        ids: Sequence[str] | None = None,
        vectors: VectorsLike | None = None,
        contents: Sequence[str | None] | None = None,
        **columns: Unpack[ObservationColumns],
    ) -> Future[Ack]: ...

    @one_or_many
    def submit(self, *arguments: Any, **keywords: Any) -> Future[Ack]:
        """Store one observation or many without waiting for the disk; wait only while the queue is full.

        The arguments and errors are those of `observe`. What is wrong with the arguments is raised at once.

        Returns
        -------
        concurrent.futures.Future[Ack]
            Done when the observations are durable and recallable; it fails with a typed error if they are not stored.
            Its callbacks run one after the other on a thread of the store that does nothing else: they may take long,
            and may write to the store.

        Raises
        ------
        OverCapacity
            Also with code ``answers_full``, if callbacks are so slow that too many answers wait for them.
        """
        observed = take_observations(arguments, keywords)
        return submit_all(self._access.engine, self._taken(observed), observed.made_ids)

    def _taken(self, observed: OneObservation | ManyObservations) -> ObservationBatch:
        engine = self._engine
        engine.check_process()
        return observed.batch(engine.config)

    # ---- reading ------------------------------------------------------------------------------------------------

    @accepts_old("max_generation", "ef")
    @spelled_out(RecallOptions)
    def recall(self, cue: CueLike, k: int = RESULTS_DEFAULT, **options: Unpack[RecallOptions]) -> Hits:
        """Find the observations that match a cue best, best first.

        Parameters
        ----------
        cue
            A vector of shape ``(dim,)``, a text for the space's embedder, or a `Cue`, which can say more.
        k
            Maximum number of hits.
        **options
            See `RecallOptions`.

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
        return self.answer(recall_query(cue, k, **options))

    @accepts_old("max_generation", max_results="k")
    @spelled_out(RecallStreamOptions)
    def recall_stream(
        self,
        cue: CueLike,
        k: int = STREAM_COUNT_DEFAULT,
        batch_size: int = BATCH_DEFAULT,
        **options: Unpack[RecallStreamOptions],
    ) -> RecallStream:
        """Return the hits of a recall in batches, as they are found, all from one snapshot.

        The first batch comes after the first pass of the search. Each further batch continues the same walk.

        Parameters
        ----------
        cue
            As for `recall`.
        k, batch_size
            Maximum number of hits in all, and per batch, 1 to 100.
        **options
            See `RecallStreamOptions`.

        Raises
        ------
        InvalidInput, FailedPrecondition
            As for `recall`, at once and not during iteration.
        OverCapacity
            If there are too many standing recalls.
        FailedPrecondition
            If the store is closed and `follow` is set. A stream that follows ends when the store is closed.
        CorruptData
            If a ranking that is made at once needs damaged bytes. During iteration, batches raise it.
        """
        return self.open(stream_query(cue, k, batch_size, **options))

    def answer(self, query: RecallQuery) -> Hits:
        """Return the hits of `query`, as `recall` does."""
        answer = self._engine.answer(as_query(query))
        return Hits(answer.hits, answer.generation, answer.incomplete)

    def open(self, query: RecallQuery) -> RecallStream:
        """Open a stream of the hits of `query`, as `recall_stream` does."""
        return self._engine.open(as_query(query))

    def count(self, filter: FilterLike | None = None, max_generation: int | None = None) -> Counted:
        """Return how many observations pass a filter.

        Parameters
        ----------
        filter
            A `Filter`, a condition such as ``F.deck >= 2``, or a dict of either (docs/filters.md); None: all count.
        max_generation
            Count the observations that were alive at this generation; None: the newest.

        Returns
        -------
        Counted
            A number, with the ``generation`` as of which it was counted.

        Raises
        ------
        InvalidInput
            If the filter is none, or the generation is yet to come.
        FailedPrecondition
            If the generation is no longer retained.
        CorruptData
            If the filter needs a text that is damaged.
        """
        return self._engine.count(as_filter(filter), max_generation)

    @accepts_old(time="snapshot_time")
    def snapshot(self, max_generation: int | None = None, *, snapshot_time: Moment | None = None) -> Snapshot:
        """Return the space as it is now, or was at a generation or time, for any number of recalls.

        Raises
        ------
        InvalidInput
            If the generation is yet to come, `snapshot_time` is not a time, or both are given.
        FailedPrecondition
            If the generation is no longer retained.
        """
        snapshot_us = None if snapshot_time is None else as_time_us(snapshot_time, "snapshot_time")
        with self._access.held() as engine:
            # From here on, the snapshot keeps the space open.
            return engine.snapshot(max_generation, snapshot_us)

    # ---- state --------------------------------------------------------------------------------------------------

    @property
    def generation(self) -> int:
        """Newest generation: everything up to it is durable and recallable."""
        return self._engine.generation

    @property
    def visible_generation(self) -> int:
        """The same as `generation`. Deprecated."""
        warn_renamed("Space.visible_generation", "Space.generation")
        return self._engine.generation

    @property
    def durable_generation(self) -> int:
        """Generation up to which everything is on disk."""
        return self._engine.durable_generation

    @property
    def incarnation(self) -> str:
        """Id of the history to which generations and sequence numbers belong, as 32 hexadecimal digits.

        Restoring or repairing a space begins a new incarnation.
        """
        return self._engine.incarnation

    def stats(self) -> SpaceStatistics:
        """Return statistics of the space; each number is current, but they are not all of the same instant."""
        return self._engine.stats()
