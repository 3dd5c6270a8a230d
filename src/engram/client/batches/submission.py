"""A batch that is submitted: as it is, or in parts, whose answers become one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

from engram.client.losses import NAMED_MAX
from engram.client.sending.answer_future import AnyFuture, settle_future, settle_with_ids
from engram.client.sending.micro_batch import Settle
from engram.client.sending.observe_session import ObserveSession
from engram.errors import EngramError
from engram.model.arguments import ManyObservations
from engram.model.batches.joined_answers import JoinedAnswers
from engram.model.batches.parts import Parts, rows_of
from engram.model.limits import BATCH_COUNT_MAX
from engram.model.observations import ObservationBatch
from engram.model.spaces import SpaceConfig
from engram.text.embeddable import check_all_rows


class Submission(Iterator[slice]):
    """The parts of a batch on their way to the send buffer, for threads that wait for room and for coroutines.

    Parameters
    ----------
    session
        The session that they are added to.
    observations
        The batch, of any size.
    future
        Receives the answer to all, with the ids that were made up for them.

    Raises
    ------
    InvalidInput, FailedPrecondition
        As `checked_batch`.
    """

    def __init__(self, session: ObserveSession, observations: ManyObservations, future: AnyFuture) -> None:
        self._session = session
        self._batch = checked_batch(session.config, observations)
        self._settle = settle_future(future)
        if observations.is_made:
            self._settle = settle_with_ids(self._settle, observations.made_ids)
        # No rows are one part, which is refused.
        self._parts = Parts(len(self._batch) or 1)
        self._has_begun = False
        self._has_failed = False

    @cached_property
    def _joined(self) -> JoinedAnswers:
        return JoinedAnswers(len(self._batch), self._settle)

    def __next__(self) -> slice:
        if self._has_failed:
            raise StopIteration
        return next(self._parts)

    @contextmanager
    def adding(self, part: slice) -> Iterator[tuple[Settle, ObservationBatch]]:
        """Add a part inside of the block: what receives its answer, and its rows.

        What fails once other parts are on their way is the answer to all; what fails before is raised.
        """
        rows = rows_of(self._batch, part)
        try:
            with self._parts.halving(part):
                yield self._settle if rows is self._batch else self._joined.of(part), rows
                self._has_begun = True
        except EngramError as error:
            if not self._has_begun:
                raise
            self._has_failed = True
            left = self._batch.ids[part.start :]
            self._session.outbox.lost(len(left), left[:NAMED_MAX], error)
            self._joined.end(part.start, error)


def checked_batch(config: SpaceConfig, observations: ManyObservations) -> ObservationBatch:
    """Return columns as a batch; one that has more rows than one request is checked as a whole.

    Raises
    ------
    InvalidInput
        As `ManyObservations.batch` and `check_all_rows`.
    FailedPrecondition
        As `check_all_rows`.
    """
    batch = observations.batch(config)
    if len(batch) > BATCH_COUNT_MAX:
        check_all_rows(batch, config)
    return batch
