"""The bounded, ordered, thread-safe buffer between the threads that observe and the event loop that sends."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from engram.client.losses import Losses
from engram.client.sending.micro_batch import OpenBatch, Settle
from engram.client.sending.outgoing_batch import Answer, OutgoingBatch, origin_here
from engram.client.threads.interruptible_future import InterruptibleFuture
from engram.errors import EngramError, FailedPrecondition
from engram.model.limits import BATCH_BYTES_MAX, BATCH_COUNT_MAX
from engram.model.observation_row import ObservationRow
from engram.settings.checks import check_settings
from engram.settings.setting import setting
from engram.showing import one_line


@dataclass(frozen=True, slots=True)
class OutboxLimits:
    """The limits of a client's send buffer and of micro-batching.

    Parameters
    ----------
    count_max, bytes_max
        Maximum number and bytes of unanswered observations; when the buffer is full, observing waits. A batch that is
        larger than the buffer is accepted when the buffer is empty.
    batch_count, batch_bytes, linger_ms
        Single observations are sent as a batch when there are `batch_count` of them, when they have `batch_bytes`, when
        the first has waited for `linger_ms` milliseconds, or when nothing that was sent is unanswered (Nagle, RFC 896).

    Raises
    ------
    InvalidInput
        If a value is no number, or out of range.
    """

    count_max: int = setting(65_536, low=1)
    bytes_max: int = setting(128 * 1024 * 1024, unit="bytes", low=1)
    batch_count: int = setting(256, low=1)
    batch_bytes: int = setting(1024 * 1024, unit="bytes", low=1)
    linger_ms: float = setting(2.0, unit="milliseconds", low=0)

    def __repr__(self) -> str:
        return one_line(self)

    def __post_init__(self) -> None:
        check_settings(self)


class SendBuffer:
    """All observations that a client has taken and the server has not answered.

    Producers add from any thread. One consumer takes batches and settles them. Room and flushes are awaited through
    futures, so that both threads and coroutines can wait.

    Parameters
    ----------
    limits
        Limits of the buffer and of micro-batching.
    wake
        Called from any thread, without the lock held, whenever the consumer may have something new to do.
    clock
        Returns monotonic time in seconds.
    """

    def __init__(self, limits: OutboxLimits, wake: Callable[[], None], clock: Callable[[], float]) -> None:
        self.limits = limits
        self._wake = wake
        self._clock = clock
        # A larger batch would be refused, although each of its rows alone could be stored.
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
        # Of the batch that is being answered: the observations whose callers are told of the answer.
        self._told_count = 0
        self._told_ids: set[str] = set()
        # Time of the last answer, by the clock.
        self.answered_s: float = clock()
        # Time since which something has been unanswered without a break, by the clock.
        self.busy_since_s: float = self.answered_s

    def set_wakeup(self, wake: Callable[[], None]) -> None:
        """Replace the function that wakes the consumer."""
        self._wake = wake

    @property
    def count(self) -> int:
        """Number of observations held, waiting or unanswered."""
        return self._count

    @property
    def nbytes(self) -> int:
        """Approximate number of bytes held."""
        return self._nbytes

    def try_add_row(self, row: ObservationRow, settle: Settle) -> bool:
        """Add a single observation; return False if there is no room now.

        Raises
        ------
        EngramError
            If the buffer is closed or has failed.
        """
        nbytes = row.nbytes
        with self._lock:
            if not self._reserve(1, nbytes):
                return False
            batch = self._open
            # A large row goes by itself: with those before it, it might be more than a request may be.
            opened = batch is None or not batch.takes(row) or nbytes >= self._batch_bytes
            if batch is None or opened:
                self._cut()
                batch = self._open = OpenBatch(self._new_index(), self._clock(), origin=origin_here())
            batch.append(row, settle)
            full = len(batch.rows) >= self._batch_count or batch.nbytes >= self._batch_bytes
            if full:
                self._cut()
        if opened or full:
            self._wake()
        return True

    def try_add_batch(self, outgoing: OutgoingBatch) -> bool:
        """Add a batch behind everything added before; return False if there is no room now.

        Raises
        ------
        EngramError
            If the buffer is closed or has failed.
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
        """Return a future that is done when it is worth trying to add `count` observations of `nbytes` bytes."""
        waiter: Future[None] = InterruptibleFuture()
        with self._lock:
            if self._refusal is not None or self._fits(count, nbytes):
                waiter.set_result(None)
            else:
                self._room_waiters.append((count, nbytes, waiter))
        return waiter

    def flushed(self) -> Future[None]:
        """Return a future that is done when everything added so far is answered."""
        waiter: Future[None] = InterruptibleFuture()
        with self._lock:
            self._cut()
            if self._unsettled:
                self._flush_waiters.append((self._next_index, waiter))
            else:
                waiter.set_result(None)
        self._wake()
        return waiter

    def take_error(self) -> EngramError | None:
        """Return the first refusal since the last call, or None; this also resets `take_losses`."""
        return self.take_losses().error

    def take_losses(self) -> Losses:
        """Return the observations that were refused or given up since the last call, and forget them."""
        with self._lock:
            losses, self._losses = self._losses, Losses()
        return losses

    def due_s(self) -> float | None:
        """Return the time by the clock when the next batch is due, 0 for a complete batch; None if there is none."""
        with self._lock:
            if self._ready:
                return 0.0
            if self._open is None:
                return None
            return 0.0 if self._is_alone() else self._open.opened_s + self.limits.linger_ms / 1000

    def next_count(self) -> int:
        """Return the number of observations in the batch that `take` would return; 0 if there is none."""
        with self._lock:
            head = self._ready[0] if self._ready else self._open
            return 0 if head is None else head.count

    def take(self) -> OutgoingBatch | OpenBatch:
        """Remove and return the oldest batch, for the consumer to send and settle.

        There must be one, see `next_count`.
        """
        with self._lock:
            if not self._ready:
                self._cut()
            return self._ready.popleft()

    def told(self, count: int, first_ids: Sequence[str]) -> None:
        """Do not count `count` of the observations that the next `settled` is about: their callers know the error.

        `first_ids` are the first of their ids.
        """
        with self._lock:
            self._told_count += count
            self._told_ids.update(first_ids)

    def lost(self, count: int, first_ids: Sequence[str], error: EngramError) -> None:
        """Count `count` observations as losses that were to be added, and of which nobody else tells.

        `first_ids` are the first of their ids, at most `NAMED_MAX`.
        """
        with self._lock:
            self._losses.add(count, first_ids, error)

    def settled(
        self, index: int | None, count: int, nbytes: int, answer: Answer, first_ids: Sequence[str] = ()
    ) -> None:
        """Free the room of an answered batch and let waiting producers continue.

        Parameters
        ----------
        index
            Index of the batch; None if only a part of the batch is answered.
        count, nbytes
            Number of observations, and bytes, that are answered.
        answer
            The answer; an error counts as a loss, except for observations that were `told` of it.
        first_ids
            Ids of the first of these observations.
        """
        with self._lock:
            self.answered_s = self._clock()
            if index is not None:
                self._unsettled.pop(index, None)
            self._count -= count
            self._nbytes -= nbytes
            if isinstance(answer, EngramError) and count > self._told_count:
                untold_ids = [id for id in first_ids if id not in self._told_ids]
                self._losses.add(count - self._told_count, untold_ids, answer)
            self._told_count = 0
            self._told_ids.clear()
            waiters = self._due_waiters()
            is_due = self._open is not None and self._is_alone()
        _release(waiters)
        if is_due:
            self._wake()

    def close(self, error: EngramError | None = None) -> list[OutgoingBatch | OpenBatch]:
        """Refuse further additions, with `error` if it is given.

        With `error`, all batches that the consumer has not taken are removed and returned. Without, none are.
        """
        with self._lock:
            self._cut()
            self._refusal = error or FailedPrecondition("the client is closed", code="client_closed")
            # Without an error, the consumer still sends the waiting batches.
            left = list(self._ready) if error is not None else []
            if error is not None:
                self._ready.clear()
            waiters = [waiter for _, _, waiter in self._room_waiters]
            self._room_waiters.clear()
        _release(waiters)
        self._wake()
        return left

    def _is_alone(self) -> bool:
        """Return whether everything but the open batch is answered, so that there is nothing to wait for."""
        return len(self._unsettled) == 1

    def _reserve(self, count: int, nbytes: int) -> bool:
        if self._refusal is not None:
            raise self._refusal
        if not self._fits(count, nbytes):
            return False
        if self._count == 0:
            self.busy_since_s = self._clock()
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
        # A caller that no longer waits has cancelled its future. This call prevents a race with the cancellation.
        if waiter.set_running_or_notify_cancel():
            waiter.set_result(None)
