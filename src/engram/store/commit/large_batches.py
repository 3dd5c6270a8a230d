"""Batches that are larger than one request may be: they are stored in parts, in their order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING

from engram.errors import EngramError
from engram.model.ack import Ack, joined_ack
from engram.model.batches.joined_answers import JoinedAnswers
from engram.model.batches.parts import Parts, rows_of
from engram.model.limits import BATCH_COUNT_MAX
from engram.model.observations import ObservationBatch
from engram.text.embeddable import check_all_rows

if TYPE_CHECKING:
    from engram.store.space_engine import SpaceEngine

# The engine of a space is asked for each time: the space may have come to rest while texts were embedded.
EngineOf = Callable[[], "SpaceEngine"]


def observe_all(engine_of: EngineOf, batch: ObservationBatch) -> Ack:
    """Store a batch of any size, each part as a whole or not at all, and return when all is durable and recallable.

    Raises
    ------
    EngramError
        As `SpaceEngine.prepare` and `SpaceEngine.submit`. Its `stored_count` says how many observations are stored all
        the same; nothing is, if what came is refused.
    """
    if len(batch) < 2:
        prepared = engine_of().prepare(batch)
        return engine_of().submit(prepared).result().ack
    _check(engine_of, batch)
    parts = Parts(len(batch))
    acks: list[Ack] = []
    for part in parts:
        with parts.storing(part):
            prepared = engine_of().prepare(rows_of(batch, part))
            acks.append(engine_of().submit(prepared).result().ack)
    return joined_ack(acks)


def submit_all(engine_of: EngineOf, batch: ObservationBatch, made_ids: Sequence[str] = ()) -> Future[Ack]:
    """Queue a batch of any size; the future is done when all of it is durable and recallable, or a part failed.

    The answer has `made_ids`, which are those that were made up for the batch.

    Raises
    ------
    EngramError
        As `SpaceEngine.prepare` and `SpaceEngine.submit_answered`, if nothing is queued. What a later part is refused
        for fails the future.
    """
    if len(batch) < 2:
        prepared = engine_of().prepare(batch)
        return engine_of().submit_answered(prepared, made_ids)
    _check(engine_of, batch)
    parts = Parts(len(batch))
    if len(batch) <= BATCH_COUNT_MAX:
        # Nearly every batch is one part, whose answer is that of the whole.
        with parts.halving(next(parts)):
            return engine_of().submit_answered(engine_of().prepare(batch), made_ids)
    return _submit_parts(engine_of, batch, parts, made_ids)


def _submit_parts(engine_of: EngineOf, batch: ObservationBatch, parts: Parts, made_ids: Sequence[str]) -> Future[Ack]:
    answer: Future[Ack] = Future()
    # What is queued will be stored, so it can no longer be cancelled.
    answer.set_running_or_notify_cancel()
    joined = JoinedAnswers(len(batch), partial(_settle, answer, made_ids))
    has_begun = False
    for part in parts:
        try:
            with parts.halving(part):
                prepared = engine_of().prepare(rows_of(batch, part))
                engine_of().submit_answered(prepared).add_done_callback(partial(_hand_on, joined.of(part)))
                has_begun = True
        except EngramError as error:
            if not has_begun:
                raise
            joined.end(part.start, error)
            break
    return answer


def _check(engine_of: EngineOf, batch: ObservationBatch) -> None:
    """Check all of a batch that has more than one part, so that nothing is stored of one that is refused."""
    if len(batch) > BATCH_COUNT_MAX:
        engine = engine_of()
        check_all_rows(batch, engine.config)
        engine.text_sizes.check(batch)


def _hand_on(take: Callable[[Ack | EngramError], None], stored: Future[Ack]) -> None:
    error = stored.exception()
    if error is None:
        take(stored.result())
    elif isinstance(error, EngramError):
        take(error)


def _settle(answer: Future[Ack], made_ids: Sequence[str], outcome: Ack | EngramError) -> None:
    if isinstance(outcome, EngramError):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome.with_ids(made_ids))
