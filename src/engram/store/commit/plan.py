"""The plan of a group commit: it determines what the commit does to a space, without changing anything."""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from typing import Final, NamedTuple

from engram.errors import EngramError, SequenceError
from engram.log.records.entry import LogEntry
from engram.log.records.header import RecordKind
from engram.model.limits import BATCH_BYTES_MAX
from engram.model.observations import ObservationBatch, concatenate
from engram.store.commit.conditions import unmet_condition
from engram.store.commit.live_versions import LiveVersions, VersionChanges
from engram.store.commit.queue import CommitRequest, CommitResult
from engram.store.commit.session_table import SequenceRange, SessionTable
from engram.store.expiry.due_versions import DueVersions

# For fewer rows, a record of their own costs more than copying them into a shared record.
_SMALL_ROWS: Final = 64
_MERGED_ROWS_MAX: Final = 1024
NO_ID: Final = ""
"""What is deleted where nothing is: no observation has this id."""
logger: logging.Logger = logging.getLogger(__name__)


class CommitPlan:
    """Assigns generations to requests, in order, and determines what to log and what to answer.

    A session's sequence numbers decide what is new: an observation whose number was stored before is answered and not
    stored again, and a batch that leaves a gap is refused. Small neighbouring batches of one session and writer share a
    log record.

    Parameters
    ----------
    versions, sessions
        State of the space, which is only read.
    last_generation
        The last generation that is taken.
    due
        The versions that are due; None: nothing is.
    """

    def __init__(
        self,
        versions: LiveVersions,
        sessions: SessionTable,
        last_generation: int,
        due: DueVersions | None = None,
    ) -> None:
        self._due = due
        self._sessions = sessions
        self._generation_before = last_generation
        self._next_generation = last_generation + 1
        self._small: list[ObservationBatch] = []
        self._small_rows = 0
        self._small_bytes = 0
        self._small_origin = _NO_SESSION
        self._small_generation = 0
        self._progress: dict[str, int] = {}
        self._answers: list[_PlannedAnswer] = []
        self._entries: list[LogEntry] = []
        self.changes: VersionChanges = versions.change()
        self.stored_sequences: list[tuple[str, SequenceRange, int]] = []
        self.observed: int = 0
        self.deleted: int = 0
        self.duplicates: int = 0

    @property
    def last_generation(self) -> int:
        """Last generation that has been assigned."""
        return self._next_generation - 1

    def add(self, request: CommitRequest) -> None:
        """Plan one request."""
        if request.batch is None:
            self._delete(request)
        elif request.session:
            self._observe_in_session(request, request.batch)
        elif request.expected_generations is None or self._holds(request, request.batch, request.expected_generations):
            first = self._observe(request.batch, _NO_SESSION)
            self._answer(request, CommitResult(first, self.last_generation, len(request.batch)))

    def entries(self) -> list[LogEntry]:
        """Return the log entries of the requests."""
        self._flush_small()
        return self._entries

    def settle(self, requests: Sequence[CommitRequest], failure: EngramError | None) -> None:
        """Answer every request, with `failure` if it is not None and the answer depends on the log entries."""
        # If planning failed, the requests that follow have no answer of their own.
        unplanned = [_PlannedAnswer(request, CommitResult(0, 0, 0), True) for request in requests[len(self._answers) :]]
        for answer in (*self._answers, *unplanned):
            outcome = answer.outcome
            if failure is not None and answer.depends_on_log:
                # Each caller raises its own copy, because raising modifies the exception.
                outcome = copy.copy(failure)
            try:
                answer.request.done(outcome)
            except Exception:
                logger.exception("the receiver of a commit's result raised")

    def _observe(self, batch: ObservationBatch, origin: _Origin) -> int:
        first = self._next_generation
        self._next_generation += len(batch)
        self.changes.observe(batch.ids, range(first, self._next_generation))
        self.observed += len(batch)
        if self._due is not None:
            self._due.add(batch, first)
        if len(batch) < _SMALL_ROWS:
            self._add_small(batch, origin, first)
        else:
            self._flush_small()
            self._entries.append(LogEntry(RecordKind.OBSERVE, first, batch, **origin._asdict()))
        return first

    def _observe_in_session(self, request: CommitRequest, batch: ObservationBatch) -> None:
        session, first_sequence, last_sequence = request.session, request.first_sequence, request.last_sequence
        expected = self._progress.get(session, self._sessions.last_sequence(session)) + 1
        if not 1 <= first_sequence <= expected:
            self._answer(request, _gap(session, first_sequence, expected))
            return
        if last_sequence < expected:
            self.duplicates += len(batch)
            first, last = (self._generation_of(session, number) for number in (first_sequence, last_sequence))
            self._answer(request, CommitResult(first, last, 0, duplicate=True))
            return
        known = expected - first_sequence
        self.duplicates += known
        fresh = batch.rows(known) if known else batch
        first = self._observe(fresh, _Origin(session, expected, request.writer))
        self._progress[session] = last_sequence
        self.stored_sequences.append((session, SequenceRange(expected, len(fresh), first), request.writer))
        if known:
            first = self._generation_of(session, first_sequence) or first
        self._answer(request, CommitResult(first, self.last_generation, len(fresh)))

    def _holds(self, request: CommitRequest, batch: ObservationBatch, expected_generations: Sequence[int]) -> bool:
        """Return whether the conditions of a request hold; otherwise it has been answered."""
        unmet = unmet_condition(batch.ids, expected_generations, self._seen(batch.ids))
        if unmet is not None:
            # An earlier request of this commit may be why, and only if this commit succeeds.
            self._answers.append(_PlannedAnswer(request, unmet, self.observed > 0 or self.deleted > 0))
        return unmet is None

    def _delete(self, request: CommitRequest) -> None:
        wanted = request.delete_ids or ()
        if request.delete_versions is not None:
            wanted = self.changes.unchanged(wanted, request.delete_versions)
        ids = self.changes.existing(wanted) or ([NO_ID] if request.ends_segment else [])
        if not ids:
            # If this commit fails, its generations are given again, and the answer holds all the same unless something
            # was deleted. Until then nothing of the commit can have these ids: it would be alive.
            as_of = self.last_generation if self.deleted else self._generation_before
            self._answer(request, CommitResult(0, 0, 0, as_of=as_of))
            return
        self._flush_small()
        first = self._next_generation
        self._next_generation += len(ids)
        existed = 0 if ids == [NO_ID] else len(ids)
        self.deleted += existed
        if self._due is not None:
            # What is due goes, too, but nobody has seen it any more.
            existed = len(ids) - self._seen(ids).count(0)
        self.changes.delete(ids, range(first, self._next_generation))
        self._entries.append(LogEntry(RecordKind.DELETE, first, ids=ids))
        last = self.last_generation
        self._answer(request, CommitResult(first, last, len(ids), existed=existed, as_of=last))

    def _seen(self, ids: Sequence[str]) -> list[int]:
        """Return the generation of the live version of each of `ids`; 0 for an id without one, or if it is due."""
        found = self.changes.generations(ids)
        return found if self._due is None else self._due.without(found)

    def _add_small(self, batch: ObservationBatch, origin: _Origin, first_generation: int) -> None:
        nbytes = batch.nbytes
        fits = self._small_rows + len(batch) <= _MERGED_ROWS_MAX and self._small_bytes + nbytes <= BATCH_BYTES_MAX
        before = self._small_origin
        if not fits or (origin.session, origin.writer) != (before.session, before.writer):
            self._flush_small()
        if not self._small:
            self._small_origin, self._small_generation = origin, first_generation
        self._small.append(batch)
        self._small_rows += len(batch)
        self._small_bytes += nbytes

    def _flush_small(self) -> None:
        if self._small:
            batch = concatenate(self._small)
            self._entries.append(
                LogEntry(RecordKind.OBSERVE, self._small_generation, batch, **self._small_origin._asdict())
            )
            self._small = []
            self._small_rows = self._small_bytes = 0

    def _generation_of(self, session: str, sequence: int) -> int:
        for name, stored, _ in self.stored_sequences:
            if name == session and stored.first_sequence <= sequence <= stored.last_sequence:
                return stored.first_generation + sequence - stored.first_sequence
        return self._sessions.generation_of(session, sequence)

    def _answer(self, request: CommitRequest, outcome: CommitResult | EngramError) -> None:
        # A duplicate of something durable holds even if this commit fails, and so does a gap behind it, unless the
        # session has new rows in this commit. "Nothing to delete" does not: an earlier request of this commit may have
        # deleted the ids.
        if isinstance(outcome, CommitResult) and not (request.session and outcome.duplicate):
            depends_on_log = outcome.count > 0 or self.deleted > 0
        else:
            depends_on_log = request.session in self._progress
        self._answers.append(_PlannedAnswer(request, outcome, depends_on_log))


class _Origin(NamedTuple):
    """The origin of observations, as a log entry records it."""

    session: str = ""
    first_sequence: int = 0
    writer: int = 0


_NO_SESSION: Final = _Origin()


class _PlannedAnswer(NamedTuple):
    request: CommitRequest
    outcome: CommitResult | EngramError
    depends_on_log: bool


def _gap(session: str, first_sequence: int, expected: int) -> SequenceError:
    return SequenceError(
        f"session {session} waits for sequence number {expected}, not {first_sequence}",
        field="sequence_number",
        limit=expected,
        value=first_sequence,
        expected_sequence=expected,
    )
