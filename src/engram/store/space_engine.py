"""The inside of a memory space: what the store, the committer and servers work with; users have `Space`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np

from engram.errors import EngramError, FailedPrecondition, Unavailable
from engram.log.damage import Damages
from engram.log.identity import Identity
from engram.metrics import table
from engram.metrics.health import Problem
from engram.metrics.sample import MetricSample
from engram.metrics.samples import MetricSamples
from engram.metrics.space_statistics import SpaceStatistics
from engram.model.batches.checks import (
    check_batch,
    check_beside_vectors,
    check_columns,
    check_count,
    check_embedded_bytes,
    check_with_vectors,
)
from engram.model.batches.text_sizes import TextSizes
from engram.model.observations import ObservationBatch, lacks_vectors, rows_to_embed, with_expiry
from engram.model.operations.erasure_receipt import ErasureReceipt
from engram.model.spaces import SpaceConfig
from engram.model.values.expiry import ttl_us_of
from engram.model.values.retention_policy import RetentionPolicy
from engram.store.commit.answer_thread import AnswerThread
from engram.store.commit.group_commit import GroupCommit
from engram.store.commit.missing_vectors import with_missing_vectors
from engram.store.commit.queue import CommitRequest, CommitResult
from engram.store.commit.serial_executor import SerialExecutor
from engram.store.commit.session_table import SequenceRange
from engram.store.commit.tail_budget import SpaceRests
from engram.store.commit.writable_space import WritableSpace
from engram.store.expiry.present import present_us
from engram.store.health.problem_kinds import SYNC_REFUSED
from engram.store.health.space_health import SpaceHealth
from engram.store.indexing.attempt import Attempt
from engram.store.meter.recall_meter import RecallMeter
from engram.store.options import StoreOptions
from engram.store.resting.seen_erasures import SeenErasures, SpaceErasures
from engram.store.scrub import scrub
from engram.store.space_state import SpaceState
from engram.text.embeddable import check_present_vectors


class SpaceEngine(WritableSpace):
    """The inside of a `Space`; made by `StoreEngine.space`.

    Any thread may call any method, except where a method says otherwise. Recalls and look-ups take no locks. A space is
    not usable in a forked child.
    """

    def __init__(
        self,
        config: SpaceConfig,
        state: SpaceState,
        options: StoreOptions,
        submit: Callable[[CommitRequest], None],
        published: Callable[[SpaceEngine], None],
        encoder: SerialExecutor,
        answers: AnswerThread,
        meter: RecallMeter,
    ) -> None:
        super().__init__(config, state, options, submit, published, answers, meter)
        self._writer = GroupCommit(config.name, state, encoder)
        self.health: SpaceHealth = SpaceHealth(config.name, state, self._writer, self.indexing, self.log_compaction)
        self.text_sizes: TextSizes = TextSizes(options.content_bytes_max, options.metadata_bytes_max)
        self._published = published
        self._counted: Mapping[str, float] = {}

    def check_process(self) -> None:
        """Refuse to work in a forked child, with `FailedPrecondition` (code ``forked``)."""
        self._reader.check_process()

    def prepare(self, batch: ObservationBatch) -> ObservationBatch:
        """Return `batch`, checked against the space, with vectors from the space's embedder where it has none.

        Times to live count from now on.

        Raises
        ------
        InvalidInput, FailedPrecondition
            As for `observe`.
        """
        self._reader.check_process()
        if isinstance(batch.vectors, np.ndarray) and lacks_vectors(batch):
            # Checked before the embedder sees the texts: a plain string in place of a list would be embedded letter by
            # letter.
            check_count(batch)
            check_beside_vectors(batch)
            self.text_sizes.check(batch)
            rows = rows_to_embed(batch, self.config)
            if batch.vector_presence is not None:
                check_present_vectors(batch, rows, self.config)
            check_embedded_bytes(batch, rows, self.config)
            batch = with_missing_vectors(batch, self.config, self._reader.search.embed)
            check_with_vectors(batch, self.config)
        else:
            check_batch(batch, self.config, self.text_sizes)
        return with_expiry(batch, ttl_us_of(self.config.ttl_s), present_us())

    def durable_sequence(self, session: str) -> int:
        """Return the last durable sequence number of `session`; 0 for an unknown session."""
        return self._state.sessions.last_sequence(session)

    def latest_sequences(self, session: str) -> tuple[SequenceRange, ...]:
        """Return the latest stored sequence ranges of `session`, oldest first, as far as they are remembered."""
        return self._state.sessions.latest(session)

    def last_writer(self, session: str) -> int:
        """Return the number of the writer that stored the last sequence number of `session`; 0 if it is not known."""
        return self._state.sessions.last_writer(session)

    # ---- watermarks and numbers ---------------------------------------------------------------------------------

    @property
    def generation(self) -> int:
        """Newest visible generation."""
        return self._state.index.visible_generation

    @property
    def durable_generation(self) -> int:
        """Generation up to which everything is on disk."""
        return self._state.log.synced_generation

    @property
    def indexed_generation(self) -> int:
        """Generation up to which everything is linked into the graph."""
        return self._state.index.indexed_generation

    @property
    def identity(self) -> Identity:
        """Random ids of the store, the space and its present incarnation."""
        return self._state.manifest.identity

    @property
    def incarnation(self) -> str:
        """Id of the history to which generations and sequence numbers belong, as 32 hexadecimal digits.

        Restoring or repairing a space begins a new incarnation.
        """
        return self.identity.incarnation

    @property
    def damages(self) -> Damages:
        """Damage found in what the space stores."""
        return self._state.log.damages

    @property
    def log_bytes(self) -> int:
        """Size of all records of the log, in bytes."""
        return self._state.log.nbytes

    @property
    def index_bytes(self) -> int:
        """Memory of the index and the metadata index, in bytes."""
        return self._state.index.nbytes + self._state.attributes.nbytes

    def add_indexed_listener(self, callback: Callable[[int], None]) -> None:
        """Have `callback` called with the indexed generation whenever it moves.

        `callback` runs on an index thread and must be short. For a generation, it is called after `done` of the request
        that stored the generation.
        """
        self.indexing.add_listener(callback)

    def stats(self) -> SpaceStatistics:
        """Return statistics of the space; each number is current, but they are not all of the same instant."""
        problems = self.health.look()
        return SpaceStatistics.of(MetricSamples(self._samples()), problems)

    # ---- for the store --------------------------------------------------------------------------------------------

    def admit(self, request: CommitRequest) -> None:
        """Reserve room in the tail for `request`, before it is queued.

        Raises
        ------
        InvalidInput
            If a batch has not been checked and its arrays are not what the log writes.
        OverCapacity
            If too much is not linked yet.
        Unavailable
            If the space takes no more writes.
        FailedPrecondition
            If the log is closed.
        SpaceRests
            If the space has come to rest; another engine admits the request.
        """
        if request.batch is not None:
            check_columns(request.batch, self.config.dim)
        try:
            self._writer.check()
        except FailedPrecondition:
            if self.occupancy.rests:
                raise SpaceRests from None
            raise
        self.tail.reserve(request.tail_count)

    def withdraw(self, request: CommitRequest) -> None:
        """Release the room of a request that was admitted but could not be queued."""
        self.tail.release(request.tail_count)

    def commit(self, requests: Sequence[CommitRequest]) -> None:
        """Store `requests` in one group commit and answer each. Belongs to the committer thread.

        An exception comes only from notifying others of the commit, after every request has been answered.
        """
        try:
            if self._writer.commit(requests):
                self._published(self)
            else:
                # It may have been refused.
                self.health.look()
        finally:
            self.tail.release(sum(request.tail_count for request in requests), len(requests))

    def failure(self) -> EngramError | None:
        """Return why the space takes no writes until it is opened again; None if it takes them."""
        try:
            self._writer.check()
        except EngramError as error:
            return error
        return None

    def set_retention(self, policy: RetentionPolicy) -> None:
        """Record how much of its history the space retains from now on.

        Raises
        ------
        FailedPrecondition
            If the store is closed: somebody else may have the directory by now.
        Unavailable
            If it cannot be recorded, or the space takes no more writes; the old policy holds then.
        """
        self.check_process()
        self._state.log.check_usable()
        self.retention.set_policy(policy)

    @property
    def unfinished(self) -> Attempt | None:
        """The last attempt to compact the log or to erase something, if that failed or is not finished; else None."""
        attempt = self.log_compaction.attempt
        return attempt if attempt.failure is not None or self._state.manifest.erasing else None

    def go_on(
        self,
        erasures: SpaceErasures,
        counted: Mapping[str, float],
        problems: Sequence[Problem] = (),
        unfinished: Attempt | None = None,
    ) -> None:
        """Go on where the engine of the space before this one was, before anybody uses this one.

        Parameters
        ----------
        erasures
            The erasures of the space.
        counted
            The values of the counters by then, by the names of the metrics.
        problems
            The problems that the space had at rest. What reading its log has ended is no problem from the next look on.
        unfinished
            The last attempt at what is to go on, whose failure stays one until another attempt succeeds.
        """
        self._state.erasures = SeenErasures(erasures)
        if self._state.manifest.erasing:
            # What the engine before this one has begun to erase, this one erases now.
            self._state.erasures.begin()
        self._counted = counted
        self.health.problems.go_on(problems)
        if unfinished is not None:
            self.log_compaction.attempt = unfinished
        for problem in problems:
            if problem.name == SYNC_REFUSED.name:
                # Only somebody who has seen to the disk can say that it keeps again what it is given.
                self._state.log.sync_refused = True
                self._writer.refuse(Unavailable(problem.message, code="log_failed", field="disk"))

    def erase_deleted(self, ids: Sequence[str], deleted: CommitResult) -> ErasureReceipt:
        """Remove what was written under ids until they were deleted, which `deleted` tells. Raises as `erase`."""
        if not self.occupancy.rests:
            self._state.erasures.begin()
        return super().erase_deleted(ids, deleted)

    def retire(self, *, unlinked: bool = False) -> bool:
        """Admit no more writes and standing recalls, unless the space is in use; return whether it has come to rest.

        One that failed rests like any other, and the next opening reads its log again. `unlinked` is that of
        `Occupancy.retire`.
        """
        return self.occupancy.retire(unlinked=unlinked)

    def rest(self, *, saving: bool = True) -> None:
        """Close a space that has been retired, or whose life has ended, as `RestableSpace.rest` does."""
        try:
            super().rest(saving=saving)
        finally:
            self.spans.end()

    def counters(self) -> Iterator[MetricSample]:
        """Yield what was counted in the space since the store was opened, also before it rested, and some gauges."""
        name = self.config.name
        yield from self._meter.samples(name)
        for sample in chain(self._writer.samples(), self.indexing.samples(name), self.log_compaction.samples(name)):
            before = self._counted.get(sample.name, 0)
            yield replace(sample, value=before + sample.value) if before else sample

    def leave_mark(self) -> None:
        """Record outside the log how far it is durable; see `Log.leave_mark`."""
        self._state.log.leave_mark()

    def scrub(self) -> Iterator[int]:
        """Read and check everything that the space stores, a piece at a time; see `engram.store.scrub`."""
        return scrub(self._state)

    def _samples(self) -> Iterator[MetricSample]:
        state, name = self._state, self.config.name
        # Read in this order; otherwise one watermark could seem to overtake another.
        indexed, visible, durable = self.indexed_generation, self.generation, self.durable_generation
        yield table.GENERATION.sample(durable, name, "durable")
        yield table.GENERATION.sample(visible, name, "visible")
        yield table.GENERATION.sample(indexed, name, "indexed")
        yield table.INDEX_LAG.sample(visible - indexed, name)
        yield table.INDEX_LAG_LIMIT.sample(self.tail.limit, name)
        yield table.LIVE_OBSERVATIONS.sample(self.live_count, name)
        yield table.LOG_BYTES.sample(state.log.nbytes, name)
        yield table.INDEX_BYTES.sample(self.index_bytes, name)
        yield table.STORED_SESSIONS.sample(len(state.sessions), name)
        yield table.STANDING_CUES.sample(self.subscriptions.cue_count, name)
        yield table.SNAPSHOT_AGE.sample(self.retention.held_s(), name)
        yield table.OLDEST_GENERATION.sample(self.retention.oldest, name)
        yield table.DAMAGED_PLACES.sample(state.log.damages.count, name)
        yield from self.health.problems.samples()
        yield from self.counters()
