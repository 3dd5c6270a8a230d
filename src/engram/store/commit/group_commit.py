"""Group commits: how requests change the state of a space."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import wait
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engram.errors import EngramError, FailedPrecondition, InvalidInput, Unavailable
from engram.log.files.prepared_write import PreparedWrite
from engram.log.records.entry import LogEntry
from engram.log.records.record import Record
from engram.metrics import table
from engram.metrics.sample import MetricSample
from engram.model.observations import ObservationBatch
from engram.model.values.presence import gathered, unless_all
from engram.store.commit.plan import CommitPlan
from engram.store.commit.queue import CommitRequest
from engram.store.commit.serial_executor import SerialExecutor
from engram.store.expiry.due_versions import DueVersions
from engram.store.expiry.present import present_us
from engram.store.space_state import SpaceState

# Fewer observations are encoded faster than another thread wakes up.
_ENCODED_BESIDE_MIN: Final = 64
logger: logging.Logger = logging.getLogger(__name__)


class GroupCommit:
    """Commits groups of requests to one space. Belongs to the committer thread; any thread may read the counters.

    Parameters
    ----------
    name
        The space's name, for messages.
    state
        State of the space, which commits change.
    encoder
        Thread that encodes vectors while the committer thread writes.
    """

    def __init__(self, name: str, state: SpaceState, encoder: SerialExecutor) -> None:
        self._name = name
        self._state = state
        self._encoder = encoder
        self._failure: str | None = None
        self._barred: Unavailable | None = None
        # Of the present group, the size of the smallest deletion (True) and batch (False) that the disk had no room
        # for, and the error.
        self._no_room: dict[bool, tuple[int, Unavailable]] = {}
        self.commits: int = 0
        self.observed: int = 0
        self.deleted: int = 0
        self.duplicates: int = 0

    def check(self) -> None:
        """Check that the space can still be written to.

        Raises
        ------
        Unavailable
            After a failure that only reopening the store can resolve.
        FailedPrecondition
            If the log is closed, or the space has been dropped or renamed.
        """
        self._state.life.check()
        self._state.log.check_usable()
        if self._failure is not None:
            raise Unavailable(self._failure, code="commit_failed", field="space")
        if self._barred is not None:
            # Each caller raises its own copy, because raising modifies the exception.
            raise copy.copy(self._barred)

    def refuse(self, error: Unavailable) -> None:
        """Take no writes from now on, because of what happened to the log before it was opened again."""
        self._barred = error

    def samples(self) -> Iterator[MetricSample]:
        """Yield the metrics of the commits."""
        yield table.COMMITS.sample(self.commits, self._name)
        yield table.OBSERVATIONS_STORED.sample(self.observed, self._name)
        yield table.OBSERVATIONS_DELETED.sample(self.deleted, self._name)
        yield table.OBSERVATIONS_DUPLICATE.sample(self.duplicates, self._name)

    def commit(self, requests: Sequence[CommitRequest]) -> bool:
        """Store `requests` durably, make them visible and answer each; return whether anything changed.

        Requests are answered last: what an answer reports is on disk and recallable by then.
        """
        self._no_room.clear()
        return self._commit(requests)

    def _commit(self, requests: Sequence[CommitRequest]) -> bool:
        state = self._state
        due = DueVersions(state.attributes, present_us())
        plan = CommitPlan(state.versions, state.sessions, state.log.last_generation, due)
        try:
            prepared = self._prepare(plan, requests)
        except (Unavailable, FailedPrecondition) as error:
            if isinstance(error, Unavailable) and error.code == "disk_full":
                if len(requests) == 1:
                    self._no_room[requests[0].batch is None] = requests[0].nbytes, error
                elif self._refusal(requests) is None:
                    return self._commit_halves(requests)
            plan.settle(requests, error)
            return False
        except Exception as error:
            return self._refuse(plan, requests, error)
        failure: Unavailable | None = None
        try:
            self.duplicates += plan.duplicates
            if prepared is not None:
                self._write(plan, prepared)
        except Unavailable as error:
            failure = error
        except Exception as error:
            # The log, the graph and the versions may disagree now. Only reading the log again makes them consistent.
            logger.exception("a commit to space %s failed", self._name, extra={"space": self._name})
            self._failure = f"a commit failed: {error!r}; space {self._name} takes no more writes until it is reopened"
            failure = Unavailable(self._failure, code="commit_failed", field="space")
        plan.settle(requests, failure)
        if failure is not None or prepared is None:
            return False
        self._state.answered_generation = plan.last_generation
        return True

    def _prepare(self, plan: CommitPlan, requests: Sequence[CommitRequest]) -> PreparedWrite | None:
        """Plan `requests` and encode the log entries, with nothing changed yet; None if there is nothing to log."""
        for request in requests:
            plan.add(request)
        self.check()
        entries = plan.entries()
        if not entries:
            return None
        refusal = self._refusal(requests)
        if refusal is not None:
            raise refusal
        if any(request.ends_segment for request in requests):
            self._state.log.end_segment()
        # A full disk raises here, where nothing has changed yet.
        return self._state.log.prepare(entries)

    def _refusal(self, requests: Sequence[CommitRequest]) -> Unavailable | None:
        """Return the error for a group of which the disk had no room for something as small as each of `requests`.

        Every try makes and removes files, and a group may have thousands of requests, for which all spaces wait.
        """
        error = None
        for request in requests:
            nbytes, error = self._no_room.get(request.batch is None, (0, None))
            if error is None or request.nbytes < nbytes:
                return None
        return error

    def _refuse(self, plan: CommitPlan, requests: Sequence[CommitRequest], error: Exception) -> bool:
        """Refuse only the request that cannot be stored; return whether the other requests changed anything."""
        if len(requests) > 1:
            return self._commit_halves(requests)
        logger.error("a request to space %s cannot be stored", self._name, exc_info=error, extra={"space": self._name})
        refusal = InvalidInput(
            f"the request cannot be stored, and nothing of it is: {error!r}", code="not_storable", field="request"
        )
        plan.settle(requests, error if isinstance(error, EngramError) else refusal)
        return False

    def _commit_halves(self, requests: Sequence[CommitRequest]) -> bool:
        """Commit the halves of `requests`, of which one may be what cannot be stored or finds no room on the disk."""
        middle = len(requests) // 2
        # In order, because a request can depend on what an earlier one stores.
        return any([self._commit(requests[:middle]), self._commit(requests[middle:])])

    def _write(self, plan: CommitPlan, prepared: PreparedWrite) -> None:
        state, entries = self._state, plan.entries()
        encode = partial(self._encode, entries, prepared)
        if plan.observed < _ENCODED_BESIDE_MIN:
            self._make_durable(prepared)
            encode()
        else:
            self._make_durable_beside(prepared, encode)
        for entry in entries:
            state.attributes.add(entry)
        if plan.changes.ended:
            ended = plan.changes.ended_arrays()
            state.index.delete(*ended)
            state.attributes.end(*ended)
        # Everything is durable from here on, so other threads may see the new versions and sequence numbers.
        state.versions.apply(plan.changes)
        for session, stored, writer in plan.stored_sequences:
            state.sessions.store(session, stored, writer)
        state.index.publish(plan.last_generation)
        self.commits += 1
        self.observed += plan.observed
        self.deleted += plan.deleted

    def _make_durable(self, prepared: PreparedWrite) -> None:
        self._state.log.write(prepared)
        self._state.log.sync()

    def _make_durable_beside(self, prepared: PreparedWrite, encode: Callable[[], None]) -> None:
        """Write and sync while the encoder encodes; neither needs the other's result."""
        encoding = self._encoder.begin(encode)
        try:
            self._make_durable(prepared)
            encoding.result()
        except BaseException:
            wait([encoding])
            self._state.index.discard()
            raise

    def _encode(self, entries: Sequence[LogEntry], prepared: PreparedWrite) -> None:
        for entry, record, sums in zip(entries, prepared.records, prepared.vector_sums, strict=True):
            if entry.batch is not None:
                # Encoded from memory: a large commit bypasses the page cache, so the mapped record would be read back
                # from the disk (docs/decisions/0009).
                self._append(entry.batch, record, sums)
                # What is not parsed yet is parsed here, beside the write, rather than on the committer's thread.
                entry.batch.metadata_objects()

    def _append(self, batch: ObservationBatch, record: Record, sums: NDArray[np.uint32] | None) -> None:
        """Append the vectors of a record that was just written to the graph, which passes over rows without one."""
        presence = unless_all(batch.vector_presence)
        if presence is None:
            self._state.index.append(batch.vectors, record.first_generation, record.raw_vectors, sums)
            return
        generations = record.generations[presence]
        if len(generations):
            vectors = gathered(batch.vectors, presence)
            self._state.index.append(vectors, int(generations[0]), record.raw_vectors, sums, generations)
