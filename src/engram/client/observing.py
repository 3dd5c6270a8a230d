"""One open session of a client, and what a caller hands to it. Shared by the coroutine and the blocking client."""

from __future__ import annotations

import asyncio
import concurrent.futures
import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from engram.client.ack import Ack
from engram.client.bell import Bell
from engram.client.events import Transport
from engram.client.observe_stream import ObserveStream
from engram.client.outbox import Outbox, OutboxLimits
from engram.client.outgoing import Answer, Outgoing
from engram.client.rows import check_outgoing, make_row
from engram.client.stream_options import StreamOptions
from engram.errors import EngramError, FailedPrecondition, InvalidInput
from engram.observations import ObservationBatch, make_batch
from engram.spaces import SpaceConfig

_LASTING_CODES: Final = frozenset({"session_taken_over", "lost_future", "other_incarnation"})

AnyFuture = asyncio.Future[Ack] | concurrent.futures.Future[Ack]


@dataclass(frozen=True, slots=True)
class Offer:
    """Something to observe that may have to wait for room: try, wait for `room`, try again."""

    try_add: Callable[[], bool]
    room: Callable[[], concurrent.futures.Future[None]]


class Observing:
    """A session of one client with one space: buffer, stream and the task that runs it.

    Create it on the event loop; offers may be made from any thread.
    """

    def __init__(
        self,
        transport: Transport,
        config: SpaceConfig,
        encode: Callable[[ObservationBatch], Any],
        *,
        limits: OutboxLimits,
        options: StreamOptions,
        session_id: str = "",
        incarnation: str = "",
    ) -> None:
        loop = asyncio.get_running_loop()
        bell = Bell()
        self.config = config
        self.outbox = Outbox(limits, bell.ring, loop.time)
        self.stream = ObserveStream(
            transport,
            self.outbox,
            bell,
            config,
            encode,
            options=options,
            session_id=session_id,
            incarnation=incarnation,
        )
        self._encode = encode
        self.task = loop.create_task(self.stream.run(), name=f"engram-observe-{config.name}")

    @property
    def ended(self) -> bool:
        """Whether nothing can be observed here any more."""
        return self.task.done()

    def check_may_begin_anew(self) -> None:
        """Refuse to be followed by another stream of the same client after an end that its owner has to know of.

        Raises
        ------
        FailedPrecondition
            The session has been taken over, or what was acknowledged in it is lost. Going on would hide the one and
            fight for the other.
        """
        error = self.stream.failure
        if self.ended and isinstance(error, FailedPrecondition) and error.code in _LASTING_CODES:
            raise copy.copy(error)

    def offer_row(self, future: AnyFuture, id: str, vector: ArrayLike | None, content: str, **details: Any) -> Offer:
        """A single observation, answered through `future`; `details` as for `make_row`."""
        row = make_row(self.config, id, vector, content, **details)
        settle, nbytes = settle_future(future), row.nbytes
        return Offer(lambda: self.outbox.try_add_row(row, settle), lambda: self.outbox.room(1, nbytes))

    def offer_batch(self, future: AnyFuture, ids: Sequence[str], vectors: ArrayLike | None, **columns: Any) -> Offer:
        """A batch, stored as a whole or not at all, answered through `future`; `columns` as for `make_batch`."""
        if vectors is None:
            vectors = np.empty((len(ids), 0), np.float32)
        batch = make_batch(ids, vectors, **columns)
        count = len(batch)
        if count == 0:
            raise InvalidInput("a batch needs at least one observation", code="batch_count", field="ids", limit=">= 1")
        nbytes = check_outgoing(batch, self.config).nbytes
        outgoing = Outgoing(self._encode(batch), count, nbytes, settle_future(future))
        return Offer(lambda: self.outbox.try_add_batch(outgoing), lambda: self.outbox.room(count, nbytes))

    async def drain(self, timeout_s: float | None) -> None:
        """Send and await everything held, then end the session; after `timeout_s` give up on what is left."""
        self.outbox.close()
        self.stream.drain()
        _, late = await asyncio.wait([self.task], timeout=timeout_s)
        for task in late:
            task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def settle_future(future: AnyFuture) -> Callable[[Answer], None]:
    """What answers `future`, unless its owner has cancelled it."""

    def settle(answer: Answer) -> None:
        try:
            if isinstance(answer, EngramError):
                future.set_exception(answer)
                # Reported by flush and close, too, so an owner who never looks at it need not be told a third time.
                future.exception()
            else:
                future.set_result(answer)
        except (asyncio.InvalidStateError, concurrent.futures.InvalidStateError):
            pass  # Cancelled: nobody wants the answer.

    return settle
