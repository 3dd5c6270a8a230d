"""The events that one connection still has to send: acks and statuses in order, merged while they wait."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from engram.errors import EngramError
from engram.streaming.loop.condition import LoopCondition
from engram.streaming.loop.mailbox import Mailbox
from engram.streaming.loop.standby import Standby
from engram.streaming.sessions.acks import AckStatus, SessionAck
from engram.streaming.sessions.send_rate import SendRate

# Acks merge, so only rejections of single messages and answers to duplicates can pile up. The reader waits while this
# many events are unsent, and no more than this many are held back.
_READY_MAX: Final = 256
# How long an INDEXED ack waits for another message to leave with. Nobody waits for one as he waits for an ACCEPTED, and
# alone it would cost either side as much as the message of the next observation, at the moment when that one comes.
_INDEXED_WAIT_S: Final = 0.005


class StreamState(Enum):
    """The state of a stream that a status reports to the client."""

    ACTIVE = "active"
    PAUSED = "paused"
    BACKPRESSURE = "backpressure"
    OVERLOADED = "overloaded"
    ERROR = "error"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Opened:
    """The session is open. The client continues with the sequence number after `initial_sequence`."""

    session_id: str
    initial_sequence: int
    dimension: int
    generation: int
    incarnation: str = ""


@dataclass(frozen=True, slots=True)
class StateChange:
    """The state of the stream changed, or an error happened that ends nothing."""

    state: StreamState
    message: str = ""
    sequence: int = 0
    error: EngramError | None = None


Event = Opened | SessionAck | StateChange
Write = Callable[[list[Event]], Coroutine[Any, Any, None]]
"""Writes events, in order."""


class SessionOutbox:
    """Queue of events for one connection. A session and a reader put, one writer takes, all on the event loop's thread.

    Acks of success wait and merge while the outbox is held (the client asked for a pause or has no room), and between
    two messages if the client asked for a rate. Rejections and statuses still go out, because they do not merge and
    must not pile up. INDEXED acks wait in one slot, behind the acks before them, for up to 5 ms, so that they leave
    with another event. Statuses about pressure wait in another slot, where the latest replaces one that was not sent.
    So the number of both never depends on how fast the client reads.

    Parameters
    ----------
    mailbox
        The mailbox that delivers to the session, if any. What is put in one of its deliveries is written when that
        ends, without waking the writer.
    """

    def __init__(self, mailbox: Mailbox | None = None) -> None:
        self._mailbox = mailbox
        self._writing = Standby()
        self._write: Write | None = None
        self._ready: deque[Event] = deque()
        self._held: deque[Event] = deque()
        self._indexed: SessionAck | None = None
        self._indexed_timer: asyncio.TimerHandle | None = None
        self._indexed_is_due = False
        self._pressure: StateChange | None = None
        self._holding = False
        self._send_rate = SendRate()
        self._timer: asyncio.TimerHandle | None = None
        self._finished = False
        self.error: EngramError | None = None
        self._changed = LoopCondition()

    @property
    def finished(self) -> bool:
        """Whether the outbox takes no more events."""
        return self._finished

    @property
    def holding(self) -> bool:
        """Whether messages that can wait are held back at the client's request."""
        return self._holding

    async def wait_for_send_slot(self) -> None:
        """Wait until one more message that can wait may be sent, and count it as sent."""
        await self._changed.wait_for(self._is_open)
        self._send_rate.sent(_now_s())

    def set_rate(self, change: Callable[[SendRate], None]) -> None:
        """Change the rate at which messages that can wait are sent."""
        change(self._send_rate)
        self._notify()

    def put(self, event: Event) -> None:
        """Queue `event`, merged into the one before if both form one cumulative ack. Ignored once finished."""
        if self._finished:
            return
        if isinstance(event, SessionAck) and event.status is AckStatus.INDEXED:
            self._put_indexed(event)
            return
        if isinstance(event, StateChange):
            self._flush_before(event)
        if len(self._held) >= _READY_MAX:
            self._flush_held()
        # An ack goes behind those that are held back already; otherwise it would overtake them.
        queue = self._held if _may_wait(event) and (self._held or not self._is_open()) else self._ready
        last = queue[-1] if queue else None
        if not (isinstance(event, SessionAck) and isinstance(last, SessionAck) and last.absorb(event)):
            queue.append(event)
        if self._mailbox is None or not self._mailbox.afterwards(self._write_now):
            self._writing.notify()

    def put_pressure(self, status: StateChange) -> None:
        """Queue a status about the pressure in place of one that was not sent yet. Ignored once finished."""
        if not self._finished:
            self._pressure = status
            self._notify()

    def hold(self) -> None:
        """Hold back acks from now on."""
        self._holding = True

    def release(self) -> None:
        """Let acks go out again, first those that were held back."""
        self._holding = False
        self._notify()

    def finish(self, error: EngramError | None = None) -> None:
        """Take no more events. The writer ends after the queued ones, with `error` if any.

        Only the first call counts.
        """
        if self._finished:
            return
        self._finished = True
        self.error = error
        # A client that leaves need not know the pressure, and no status may come after CLOSED.
        self._pressure = None
        self.release()

    async def hand_to(self, write: Write) -> None:
        """Have events written as soon as they may be sent, until the outbox is finished. Raises what `write` raises."""
        self._write = write
        while events := await self.take():
            await self._writing.run(write(events))

    async def take(self) -> list[Event]:
        """Wait for events and return all that may be sent now, in order; an empty list means finished."""
        await self._writing.wait_for(lambda: self._finished or self._may_send())
        return self._taken()

    async def room(self) -> None:
        """Wait until so few events are unsent that another message may be read."""
        if len(self._ready) >= _READY_MAX:
            await self._changed.wait_for(lambda: len(self._ready) < _READY_MAX)

    def _write_now(self) -> None:
        """Begin to write what may be sent; a writer that is not free, or takes events itself, comes to it later."""
        write = self._write
        if write is None or not self._may_send() or not self._writing.begin(lambda: write(self._taken())):
            self._writing.notify()

    def _taken(self) -> list[Event]:
        if self._pressure is not None:
            self._ready.append(self._pressure)
            self._pressure = None
        if self._is_open():
            if self._held or self._indexed is not None or any(map(_may_wait, self._ready)):
                self._send_rate.sent(_now_s())
            self._flush_held()
        events = list(self._ready)
        self._ready.clear()
        self._changed.notify()
        return events

    def _notify(self) -> None:
        self._changed.notify()
        self._writing.notify()

    def _may_send(self) -> bool:
        if self._ready or self._pressure is not None:
            return True
        return bool(self._held or self._indexed_is_due) and self._is_open()

    def _is_open(self) -> bool:
        """Return whether messages that can wait may go now. If only the rate forbids it, a timer wakes the waiters."""
        if self._finished:
            return True
        if self._holding or self._send_rate.rate is None:
            return not self._holding
        delay_s = self._send_rate.delay_s(_now_s())
        if delay_s > 0 and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._on_timer)
        return delay_s <= 0

    def _on_timer(self) -> None:
        self._timer = None
        self._notify()

    def _put_indexed(self, ack: SessionAck) -> None:
        if self._indexed is None or not self._indexed.absorb(ack):
            self._indexed = ack
        if self._indexed_timer is None and not self._indexed_is_due:
            self._indexed_timer = asyncio.get_running_loop().call_later(_INDEXED_WAIT_S, self._on_indexed_due)

    def _on_indexed_due(self) -> None:
        self._indexed_timer = None
        self._indexed_is_due = True
        self._notify()

    def _flush_before(self, status: StateChange) -> None:
        """Flush held acks ahead of `status`: all of them before CLOSED, otherwise only those that may be sent now."""
        if status.state is StreamState.CLOSED or (not self._held and self._is_open()):
            self._flush_held()

    def _flush_held(self) -> None:
        self._ready.extend(self._held)
        self._held.clear()
        if self._indexed is not None:
            self._ready.append(self._indexed)
            self._indexed = None
        self._indexed_is_due = False
        if self._indexed_timer is not None:
            self._indexed_timer.cancel()
            self._indexed_timer = None


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _may_wait(event: Event) -> bool:
    return isinstance(event, SessionAck) and event.status is AckStatus.ACCEPTED
