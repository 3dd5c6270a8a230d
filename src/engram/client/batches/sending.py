"""The observations of many at once, for coroutines and for threads that wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from engram.client.batches.submission import Submission, checked_batch
from engram.client.sending.answer_future import AnyFuture, AwaitedAnswer, answered, answered_in_thread
from engram.client.sending.micro_batch import Settle
from engram.client.sending.observe_session import ObserveSession
from engram.client.threads.callback_thread import AnswerFuture
from engram.model.ack import Ack, joined_ack
from engram.model.arguments import ManyObservations
from engram.model.batches.parts import Parts, rows_of
from engram.model.observations import ObservationBatch

Answered = AnyFuture | AwaitedAnswer | Settle
AddSoon = Callable[[Answered, ObservationBatch], Awaitable[None]]
"""Adds a batch to the send buffer of the client as soon as there is room."""

AddWaiting = Callable[[Answered, ObservationBatch], None]
"""What `AddSoon` does, in a thread that waits."""


async def observe_many(session: ObserveSession, add: AddSoon, observations: ManyObservations, timeout_s: float) -> Ack:
    """Store many observations, a part at a time if there are too many for one request.

    Raises
    ------
    EngramError
        As `AsyncClient.observe`; its `stored_count` says how many are stored all the same.
    """
    batch = checked_batch(session.config, observations)
    # No rows are one part, which is refused.
    parts = Parts(len(batch) or 1)
    acks: list[Ack] = []
    for part in parts:
        with parts.storing(part):
            future: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
            awaited = AwaitedAnswer(future)
            await add(awaited, rows_of(batch, part))
            acks.append(await answered(awaited, future, timeout_s))
    return joined_ack(acks).with_ids(observations.made_ids)


async def submit_many(
    session: ObserveSession, add: AddSoon, observations: ManyObservations, future: asyncio.Future[Ack]
) -> None:
    """Send many observations, whose answer `future` receives; wait only while the buffer is full.

    Raises
    ------
    EngramError
        As `AsyncClient.submit`, if nothing is sent.
    """
    submission = Submission(session, observations, future)
    for part in submission:
        with submission.adding(part) as (answer, rows):
            await add(answer, rows)


def observe_many_waiting(
    session: ObserveSession,
    add: AddWaiting,
    new_future: Callable[[], AnswerFuture],
    observations: ManyObservations,
    timeout_s: float,
) -> Ack:
    """Do what `observe_many` does, in a thread that waits. Raises as `observe_many`."""
    batch = checked_batch(session.config, observations)
    parts = Parts(len(batch) or 1)
    acks: list[Ack] = []
    for part in parts:
        with parts.storing(part):
            future = new_future()
            awaited = AwaitedAnswer(future)
            add(awaited, rows_of(batch, part))
            acks.append(answered_in_thread(awaited, future, timeout_s))
    return joined_ack(acks).with_ids(observations.made_ids)


def submit_many_waiting(
    session: ObserveSession, add: AddWaiting, observations: ManyObservations, future: AnswerFuture
) -> None:
    """Do what `submit_many` does, in a thread that waits. Raises as `submit_many`."""
    submission = Submission(session, observations, future)
    for part in submission:
        with submission.adding(part) as (answer, rows):
            add(answer, rows)
