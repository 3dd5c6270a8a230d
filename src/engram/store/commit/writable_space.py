"""The part of an open space by which it is written to, from the process of the store."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from weakref import WeakMethod

from engram.errors import EngramError
from engram.model.ack import Ack
from engram.model.observations import ObservationBatch
from engram.model.operations.erasure_receipt import ErasureReceipt
from engram.model.spaces import SpaceConfig
from engram.model.times import now_us
from engram.model.values.ids import as_ids, check_id_count
from engram.store.commit.answer_thread import AnswerThread
from engram.store.commit.commit_spans import CommitSpans
from engram.store.commit.queue import CommitRequest, CommitResult
from engram.store.compaction.erasure import Erasure
from engram.store.compaction.log_compaction import LogCompaction
from engram.store.expiry.removal import ExpiryRemoval
from engram.store.meter.recall_meter import RecallMeter
from engram.store.options import StoreOptions
from engram.store.resting.restable_space import RestableSpace, closed_whatever_fails
from engram.store.space_settings import record, with_config
from engram.store.space_state import SpaceState

if TYPE_CHECKING:
    from engram.store.commit.queue import CommitTarget

T = TypeVar("T")
# A commit takes milliseconds, unless the disk hardly answers.
_ANSWERED_WITHIN_S: Final = 60.0
logger: logging.Logger = logging.getLogger(__name__)


class WritableSpace(RestableSpace):
    """A space that can be written to; the base class of `SpaceEngine`.

    Parameters
    ----------
    config, state, options, published, meter
        As for `RestableSpace`.
    submit
        Queues a request for the committer.
    answers
        The thread that runs callbacks which may block.
    """

    def __init__(
        self,
        config: SpaceConfig,
        state: SpaceState,
        options: StoreOptions,
        submit: Callable[[CommitRequest], None],
        published: Callable[[Any], None],
        answers: AnswerThread,
        meter: RecallMeter,
    ) -> None:
        super().__init__(config, state, options, published, meter)
        self.spans: CommitSpans = CommitSpans(config.name, self.indexing.add_listener)
        retention = self.retention
        self._erasure = Erasure(state, self.indexing, WeakMethod(self._end_segment))
        self.log_compaction: LogCompaction = LogCompaction(state, lambda: retention.expired, self._erasure)
        self._removal = ExpiryRemoval(state)
        self._answers = answers
        self._room_timeout_s = options.room_timeout_s
        self._submit = submit
        # What was recorded last has to be what holds.
        self._configuring = threading.Lock()

    def submit(
        self, batch: ObservationBatch, expected_generations: Sequence[int] | None = None
    ) -> Future[CommitResult]:
        """Queue a batch that passed `prepare`; wait for room if linking or committing is behind.

        With `expected_generations`, it is stored only if the live version of each id, each once, has this generation;
        the future fails with `FailedPrecondition` (code ``condition_failed``) otherwise.

        Raises
        ------
        OverCapacity
            If there is no room in time. Nothing was stored.
        FailedPrecondition
            If the store is closed, or the process is a forked child.
        Unavailable
            If the store is closing or cannot write.
        """
        answer = _running(Future[CommitResult]())
        self._queue(lambda outcome: _settle(answer, outcome), batch=batch, expected_generations=expected_generations)
        return answer

    def submit_answered(self, batch: ObservationBatch, made_ids: Sequence[str] = ()) -> Future[Ack]:
        """Queue a batch as `submit` does; the callbacks of the future may block, because no committer runs them.

        The answer has `made_ids`, which are those that were made up for the batch.

        Raises
        ------
        OverCapacity, FailedPrecondition, Unavailable
            As for `submit`.
        """
        answer, answers = _running(Future[Ack]()), self._answers
        answers.start()
        answers.wait_for_room(self._room_timeout_s)

        def done(outcome: CommitResult | EngramError) -> None:
            answers.put(answer, outcome if isinstance(outcome, EngramError) else outcome.ack.with_ids(made_ids))

        self._queue(done, batch=batch)
        return answer

    def delete(self, ids: Sequence[str], versions: Sequence[int] | None = None) -> CommitResult:
        """Delete observations durably; with `versions`, only those whose live version still has this generation.

        Raises
        ------
        InvalidInput
            If there are too many ids, or one is not a text.
        FailedPrecondition, OverCapacity, Unavailable
            As for `submit`.
        """
        ids = as_ids(ids)
        check_id_count(ids)
        answer = _running(Future[CommitResult]())
        self._queue(lambda outcome: _settle(answer, outcome), delete_ids=ids, delete_versions=versions)
        return answer.result()

    def set_ttl(self, ttl_s: float | None) -> None:
        """Record after how many seconds observations expire from now on of which nothing is said; None: never.

        Raises
        ------
        FailedPrecondition
            If the store is closed: somebody else may have the directory by now.
        Unavailable
            If it cannot be recorded; the old one holds then.
        """
        self._reader.check_process()
        self._state.log.check_usable()
        with self._configuring:
            changed = replace(self.config, ttl_s=ttl_s)
            record(self._state.manifest, lambda settings: with_config(settings, changed))
            self.config = changed

    def remove_expired(self) -> None:
        """Queue the deletion of some of what has expired, unless the space rests. The housekeeping thread calls it."""
        state = self._state
        # Held, because otherwise the deletion might open a space again that has just come to rest.
        if state.manifest.storage.read_only or state.attributes.expiring is None or not self.occupancy.hold():
            return
        try:
            self._removal.remove(self.retention.clock, self._delete_expired)
        finally:
            self.occupancy.release()

    def _delete_expired(
        self, ids: Sequence[str], versions: Sequence[int], done: Callable[[CommitResult | EngramError], None]
    ) -> None:
        # Nobody is held back for it: what finds no room is deleted in a later round.
        space = cast("CommitTarget", self)
        self._submit(CommitRequest(space=space, delete_ids=ids, delete_versions=versions, done=done))

    def erase(self, ids: Sequence[str]) -> ErasureReceipt:
        """Delete observations, and remove all that was ever written under their ids from every file of the space.

        Raises
        ------
        InvalidInput, OverCapacity
            As for `delete`.
        FailedPrecondition
            As for `delete`, and if Engram 0.1 wrote a part of the log.
        CorruptData
            If something cannot be read that might have to be erased.
        Unavailable
            If it could not be finished. It goes on by itself, and a second call waits for that, unless the error says
            that it could not even be noted.
        """
        self.check_erasable()
        ids = as_ids(ids)
        return self.erase_deleted(ids, self.delete(ids))

    def check_erasable(self) -> None:
        """Raise `FailedPrecondition` (code ``old_format``) if Engram 0.1 wrote a part of the log."""
        self._erasure.check()

    def erase_deleted(self, ids: Sequence[str], deleted: CommitResult) -> ErasureReceipt:
        """Remove what was written under ids until they were deleted, which `deleted` tells. Raises as `erase`.

        Only the deletion knows how far that is: others write under the same ids as soon as it is done.
        """
        identity = self._state.manifest.identity
        digests = self._erasure.note(ids, deleted.as_of)
        count = self.log_compaction.erase(digests)
        return ErasureReceipt(self.config.name, identity.space, digests, deleted.as_of, count, now_us())

    def end(self, *, saving: bool) -> None:
        """Close a space whose life has ended: answer what waits with the reason, and stop everything that changes it.

        Recalls that are under way go on with what they have. Call it once.

        Parameters
        ----------
        saving
            Whether its files will be opened again. Those of a dropped space will not.
        """
        name = self.config.name
        self.occupancy.end()
        self.subscriptions.close()
        if not self.tail.drained(_ANSWERED_WITHIN_S):
            logger.warning("space %s is closed while something is still written to it", name, extra={"space": name})
        self.log_compaction.end()
        self.indexing.end()
        # Whoever checks its files meanwhile finds that they are gone.
        self._state.log.damages.end()
        with closed_whatever_fails(name):
            self.rest(saving=saving)

    def _end_segment(self) -> None:
        """Let everything that is stored be in segments to which nothing is added."""
        answer = _running(Future[CommitResult]())
        self._queue(lambda outcome: _settle(answer, outcome), delete_ids=(), ends_segment=True)
        answer.result()

    def _queue(
        self,
        done: Callable[[CommitResult | EngramError], None],
        batch: ObservationBatch | None = None,
        delete_ids: Sequence[str] | None = None,
        delete_versions: Sequence[int] | None = None,
        *,
        expected_generations: Sequence[int] | None = None,
        ends_segment: bool = False,
    ) -> None:
        self._reader.check_process()
        if batch is not None:
            done = self.spans.around(done, len(batch))
        request = CommitRequest(
            # An engine, which is what is made, has the rest.
            space=cast("CommitTarget", self),
            batch=batch,
            delete_ids=delete_ids,
            delete_versions=delete_versions,
            ends_segment=ends_segment,
            expected_generations=expected_generations,
            done=done,
        )
        # If linking cannot keep up, a caller in this process is held back rather than refused.
        self.tail.hold_back(lambda: self._submit(request), request.tail_count)


def _running(future: Future[T]) -> Future[T]:
    """Return `future`, which can no longer be cancelled: what is queued will be stored."""
    future.set_running_or_notify_cancel()
    return future


def _settle(future: Future[CommitResult], outcome: CommitResult | EngramError) -> None:
    if isinstance(outcome, EngramError):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
