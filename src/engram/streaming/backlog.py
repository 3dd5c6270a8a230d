"""What a client sends although it has paused its session: kept, within bounds, until it resumes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from engram.errors import OverCapacity
from engram.observations import ObservationBatch
from engram.store.intake import Priority


@dataclass(frozen=True, slots=True)
class Message:
    """Observations as they came: the sequence number of the first, the columns, and the lane."""

    first_sequence: int
    batch: ObservationBatch
    priority: Priority
    memory_id: str = ""


class Backlog:
    """Messages in order, bounded in observations and bytes."""

    def __init__(self, count_max: int, bytes_max: int) -> None:
        self._messages: deque[Message] = deque()
        self._count = 0
        self._nbytes = 0
        self._count_max = count_max
        self._bytes_max = bytes_max

    def __bool__(self) -> bool:
        return bool(self._messages)

    def keep(self, message: Message) -> None:
        """Append `message`.

        Raises
        ------
        OverCapacity
            If it does not fit; nothing was kept.
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
        self._count, self._nbytes = count, nbytes
        self._messages.append(message)

    def pop(self) -> Message:
        """Remove and return the oldest message."""
        message = self._messages.popleft()
        self._count -= len(message.batch)
        self._nbytes -= message.batch.nbytes
        return message
