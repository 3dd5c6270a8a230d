"""The buffer between the threads that observe and the loop that sends: bounded, ordered, safe from any thread."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from engram.client.losses import Losses
from engram.client.sending.micro_batch import OpenBatch, PendingRow, Settle
from engram.client.sending.outgoing_batch import Answer, OutgoingBatch
from engram.errors import EngramError, FailedPrecondition
from engram.model.limits import BATCH_BYTES_MAX, BATCH_COUNT_MAX


@dataclass(frozen=True, slots=True)
class OutboxLimits:
    """How much a client holds and how it groups single observations.

    Parameters
    ----------
    count_max, bytes_max
        Bound on observations that are not answered yet; at the bound, observing waits. A batch larger than the
        bound is taken when nothing else is held.
    batch_count, batch_bytes, linger_ms
        Single observations leave as a batch when there are that many, that many bytes, or the first has waited so
        long.
    """

    count_max: int = 65_536
    bytes_max: int = 128 * 1024 * 1024
    batch_count: int = 256
    batch_bytes: int = 1024 * 1024
    linger_ms: float = 2.0


class SendBuffer:
    """Everything a client has been given and the server has not answered.

    Producers add from any thread; one consumer takes, and settles what it took. Waiting for room and for a flush are
    futures, so that threads and coroutines can wait for the same thing.

    Parameters
    ----------
    limits
        Bounds and grouping.
    wake
        Called without the lock whenever the consumer may have something new to do; from any thread.
    clock
        Seconds, monotonic.
    """

    def __init__(self, limits: OutboxLimits, wake: Callable[[], None], clock: Callable[[], float]) -> None:
        self.limits = limits
        self._wake = wake
        self._clock = clock
        # More rows or bytes would be refused together, though each of them could be stored.
        self._batch_count = min(limits.batch_count, BATCH_COUNT_MAX)
        self._batch_bytes = min(limits.batch_bytes, BATCH_BYTES_MAX // 2)
        self._lock = threading.Lock()
        self._ready: deque[OutgoingBatch | OpenBatch] = deque()
        self._open: OpenBatch | None = None
        self._unsettled: dict[int, None] = {}
        self._next_index = 0
        self._count = 0
        self._nbytes = 0
        self._room_waiters: list[tuple[int, int, Future[None]]] = []
        self._flush_waiters: list[tuple[int, Future[None]]] = []
        self._refusal: EngramError | None = None
        self._losses = Losses()
        # By the clock, when something was answered last.
        self.answered_s = clock()

    def awake(self, wake: Callable[[], None]) -> None:
        """Have another consumer woken from now on."""
        self._wake = wake

    @property
    def count(self) -> int:
        """Observations held: waiting or unanswered."""
        return self._count

    @property
    def nbytes(self) -> int:
        """Approximate bytes held."""
        return self._nbytes

    def try_add_row(self, row: PendingRow, settle: Settle) -> bool:
        """Add a single observation; False if there is no room now.

        Raises
        ------
        EngramError
            The outbox is closed or has failed.
        """
        nbytes = row.nbytes
        with self._lock:
            if not self._reserve(1, nbytes):
                return False
            if self._open is not None and not self._open.takes(row):
                self._cut()
            opened = self._open is None
            if self._open is None:
                self._open = OpenBatch(self._new_index(), self._clock())
            self._open.append(row, settle)
            full = self._open.count >= self._batch_count or self._open.nbytes >= self._batch_bytes
            if full:
                self._cut()
        if opened or full:
            self._wake()
        return True

    def try_add_batch(self, outgoing: OutgoingBatch) -> bool:
        """Add a batch behind everything added before; False if there is no room now.

        Raises
        ------
        EngramError
            The outbox is closed or has failed.
        """
        with self._lock:
            if not self._reserve(outgoing.count, outgoing.nbytes):
                return False
            self._cut()
            outgoing.index = self._new_index()
            self._ready.append(outgoing)
        self._wake()
        return True

    def room(self, count: int, nbytes: int) -> Future[None]:
        """A future that is done when it is worth trying to add that much."""
        waiter: Future[None] = Future()
        with self._lock:
            if self._refusal is not None or self._fits(count, nbytes):
                waiter.set_result(None)
            else:
                self._room_waiters.append((count, nbytes, waiter))
        return waiter

    def flushed(self) -> Future[None]:
        """A future that is done when everything added so far is answered."""
        waiter: Future[None] = Future()
        with self._lock:
            self._cut()
            if self._unsettled:
                self._flush_waiters.append((self._next_index, waiter))
            else:
                waiter.set_result(None)
        self._wake()
        return waiter

    def take_error(self) -> EngramError | None:
        """The first refusal since the last call, for callers who do not look at the futures."""
        return self.take_losses().error

    def take_losses(self) -> Losses:
        """What was refused or given up since this was asked last."""
        with self._lock:
            losses, self._losses = self._losses, Losses()
        return losses

    def due_s(self) -> float | None:
        """When the next batch is due, by the clock: a full one at once, an open one after lingering; None if empty."""
        with self._lock:
            if self._ready:
                return 0.0
            return None if self._open is None else self._open.opened_s + self.limits.linger_ms / 1000

    def next_count(self) -> int:
        """Size of the batch that `take` would return; 0 if there is none."""
        with self._lock:
            head = self._ready[0] if self._ready else self._open
            return 0 if head is None else head.count

    def take(self) -> OutgoingBatch | OpenBatch:
        """The oldest batch, for the consumer to send and settle; `next_count` says whether there is one."""
        with self._lock:
            if not self._ready:
                self._cut()
            return self._ready.popleft()

    def settled(
        self, index: int | None, count: int, nbytes: int, answer: Answer, first_ids: Sequence[str] = ()
    ) -> None:
        """Free what an answered batch occupied and let waiting producers go on; None for only a part of a batch."""
        with self._lock:
            self.answered_s = self._clock()
            if index is not None:
                self._unsettled.pop(index, None)
            self._count -= count
            self._nbytes -= nbytes
            if isinstance(answer, EngramError):
                self._losses.add(count, first_ids, answer)
            waiters = self._due_waiters()
        _release(waiters)

    def close(self, error: EngramError | None = None) -> list[OutgoingBatch | OpenBatch]:
        """Refuse further additions, with `error` if given; return what was not taken yet."""
        with self._lock:
            self._cut()
            self._refusal = error or FailedPrecondition("the client is closed", code="client_closed")
            # Without an error the consumer still sends what waits.
            left = list(self._ready) if error is not None else []
            if error is not None:
                self._ready.clear()
            waiters = [waiter for _, _, waiter in self._room_waiters]
            self._room_waiters.clear()
        _release(waiters)
        self._wake()
        return left

    def _reserve(self, count: int, nbytes: int) -> bool:
        if self._refusal is not None:
            raise self._refusal
        if not self._fits(count, nbytes):
            return False
        self._count += count
        self._nbytes += nbytes
        return True

    def _fits(self, count: int, nbytes: int) -> bool:
        within = self._count + count <= self.limits.count_max and self._nbytes + nbytes <= self.limits.bytes_max
        return within or self._count == 0

    def _cut(self) -> None:
        if self._open is not None:
            self._ready.append(self._open)
            self._open = None

    def _new_index(self) -> int:
        index = self._next_index
        self._next_index += 1
        self._unsettled[index] = None
        return index

    def _due_waiters(self) -> list[Future[None]]:
        oldest = next(iter(self._unsettled), self._next_index)
        due = [waiter for target, waiter in self._flush_waiters if target <= oldest]
        self._flush_waiters = [(target, waiter) for target, waiter in self._flush_waiters if target > oldest]
        if self._room_waiters:
            due += [waiter for count, nbytes, waiter in self._room_waiters if self._fits(count, nbytes)]
            self._room_waiters = [item for item in self._room_waiters if not self._fits(item[0], item[1])]
        return due


def _release(waiters: list[Future[None]]) -> None:
    for waiter in waiters:
        # A waiter that gave up has cancelled its future; claiming it first makes the race harmless.
        if waiter.set_running_or_notify_cancel():
            waiter.set_result(None)
