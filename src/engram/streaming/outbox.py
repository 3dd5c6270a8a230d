"""What one connection still has to be told: acks and statuses in order, merged while they wait."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Final

from engram.errors import EngramError
from engram.streaming.acks import Ack, AckStatus
from engram.streaming.signal import Signal

# Acks merge, so only answers to single bad messages can pile up; the reader waits while this many are unsent.
_READY_MAX: Final = 256


class StreamState(Enum):
    """What a status tells the client about its stream."""

    ACTIVE = "active"
    PAUSED = "paused"
    BACKPRESSURE = "backpressure"
    OVERLOADED = "overloaded"
    ERROR = "error"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Opened:
    """The session is open; the client continues with the number after `initial_sequence`."""

    session_id: str
    initial_sequence: int
    dimension: int
    generation: int


@dataclass(frozen=True, slots=True)
class Status:
    """The state of the stream changed, or an error happened that ends nothing."""

    state: StreamState
    message: str = ""
    sequence: int = 0
    error: EngramError | None = None


Event = Opened | Ack | Status


class Outbox:
    """Events for one connection. A session and a reader put, one writer takes; all on the event loop's thread.

    While held (the client asked for a pause), acks of success wait and merge; rejections and statuses still go out,
    since they do not merge and must not pile up. INDEXED acks wait in one slot behind the acks before them, so that
    their number never depends on how fast the client reads.
    """

    def __init__(self) -> None:
        self._ready: deque[Event] = deque()
        self._held: deque[Event] = deque()
        self._indexed: Ack | None = None
        self._holding = False
        self._finished = False
        self.error: EngramError | None = None
        self._changed = Signal()

    @property
    def finished(self) -> bool:
        """Whether nothing more will be put."""
        return self._finished

    @property
    def holding(self) -> bool:
        """Whether the client has asked for a pause."""
        return self._holding

    async def released(self) -> None:
        """Wait until the client lets results be sent."""
        await self._changed.wait_for(lambda: not self._holding)

    def put(self, event: Event) -> None:
        """Queue `event`, merged into the one before if both are one cumulative ack. Ignored once finished."""
        if self._finished:
            return
        if isinstance(event, Ack) and event.status is AckStatus.INDEXED:
            if self._indexed is None or not self._indexed.absorb(event):
                self._indexed = event
        else:
            if isinstance(event, Status):
                self._queue_indexed()
            queue = self._held if self._holding and _may_wait(event) else self._ready
            last = queue[-1] if queue else None
            if not (isinstance(event, Ack) and isinstance(last, Ack) and last.absorb(event)):
                queue.append(event)
        self._changed.notify()

    def hold(self) -> None:
        """Keep acks back from now on."""
        self._holding = True

    def release(self) -> None:
        """Let acks go out again, first those that were kept back."""
        self._holding = False
        self._ready.extend(self._held)
        self._held.clear()
        self._changed.notify()

    def finish(self, error: EngramError | None = None) -> None:
        """Take nothing more; the writer ends after what is queued, with `error` if any. Only the first call counts."""
        if self._finished:
            return
        self.release()
        self._finished = True
        self.error = error
        self._changed.notify()

    async def take(self) -> list[Event]:
        """Wait for events and return all that may go out, in order; an empty list means finished."""
        await self._changed.wait_for(lambda: bool(self._ready) or self._indexed_may_go() or self._finished)
        self._queue_indexed()
        events = list(self._ready)
        self._ready.clear()
        self._changed.notify()
        return events

    async def room(self) -> None:
        """Wait until few enough events are unsent for another message to be read."""
        if len(self._ready) >= _READY_MAX:
            await self._changed.wait_for(lambda: len(self._ready) < _READY_MAX)

    def _indexed_may_go(self) -> bool:
        return self._indexed is not None and not self._holding

    def _queue_indexed(self) -> None:
        if self._indexed is not None and not self._holding:
            self._ready.append(self._indexed)
            self._indexed = None


def _may_wait(event: Event) -> bool:
    return isinstance(event, Ack) and event.status is AckStatus.ACCEPTED
