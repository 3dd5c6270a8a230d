"""Bounded buffers for the messages that a client sends while its session is paused, until it resumes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from engram.errors import OverCapacity
from engram.model.observations import ObservationBatch
from engram.model.priority import Priority

PAUSED_BYTES_MAX: Final = 256 * 1024 * 1024
# Room becomes free when other sessions resume, expire or end, which cannot be predicted.
_RETRY_AFTER_MS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Message:
    """Observations as they were received: the sequence number of the first, the columns, and the lane.

    Parameters
    ----------
    first_sequence, batch, priority
        Sequence number of the first observation, the observations, and the lane.
    memory_id
        Id of the last observation, if it came as a single message.
    are_joined
        Whether each observation came as a message of its own, so that one that is refused does not concern the others.
    traceparent
        The client's span (W3C Trace Context); empty if it named none.
    """

    first_sequence: int
    batch: ObservationBatch
    priority: Priority
    memory_id: str = ""
    are_joined: bool = False
    traceparent: str = ""

    def parts(self) -> Iterator[Message]:
        """Yield a message for each observation."""
        for row, id in enumerate(self.batch.ids):
            yield Message(
                self.first_sequence + row,
                self.batch.rows(row, row + 1),
                self.priority,
                id,
                traceparent=self.traceparent,
            )


class BacklogBudget:
    """The bytes that all backlogs of a server may hold together. Used on the event loop's thread only."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self.nbytes: int = 0

    def take(self, nbytes: int) -> None:
        """Reserve `nbytes` bytes of the budget.

        Raises
        ------
        OverCapacity
            If they do not fit; nothing is reserved then.
        """
        total = self.nbytes + nbytes
        if total > self._bytes_max:
            raise OverCapacity(
                f"all paused sessions together keep at most {self._bytes_max} bytes; resume before sending more",
                code="paused",
                field="paused_bytes_of_all",
                limit=self._bytes_max,
                value=total,
                retry_after_ms=_RETRY_AFTER_MS,
            )
        self.nbytes = total

    def give_back(self, nbytes: int) -> None:
        """Return `nbytes` reserved bytes to the budget."""
        self.nbytes -= nbytes


class PausedBacklog:
    """Buffered messages in order, bounded in observations and bytes, and by the budget of all backlogs together."""

    def __init__(self, count_max: int, bytes_max: int, budget: BacklogBudget) -> None:
        self._messages: deque[Message] = deque()
        self._count = 0
        self._nbytes = 0
        self._count_max = count_max
        self._bytes_max = bytes_max
        self._budget = budget

    def __bool__(self) -> bool:
        return bool(self._messages)

    def keep(self, message: Message) -> None:
        """Append `message`.

        Raises
        ------
        OverCapacity
            If it does not fit; nothing is kept then.
        """
        count = self._count + len(message.batch)
        nbytes = self._nbytes + message.batch.nbytes
        for what, value, limit in (("observations", count, self._count_max), ("bytes", nbytes, self._bytes_max)):
            if value > limit:
                raise OverCapacity(
                    f"a paused session keeps at most {limit} {what}; resume before sending more",
                    code="paused",
                    field=f"paused_{what}",
                    limit=limit,
                    value=value,
                )
        self._budget.take(message.batch.nbytes)
        self._count, self._nbytes = count, nbytes
        self._messages.append(message)

    def pop(self) -> Message:
        """Remove and return the oldest message."""
        message = self._messages.popleft()
        self._count -= len(message.batch)
        self._nbytes -= message.batch.nbytes
        self._budget.give_back(message.batch.nbytes)
        return message

    def clear(self) -> None:
        """Drop all messages. Their client is gone and will send them again."""
        while self._messages:
            self.pop()
