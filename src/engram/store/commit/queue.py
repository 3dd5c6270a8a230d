"""The way into the store: requests, their results, and the bounded queue between callers and the committer."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from engram.errors import EngramError, InvalidInput, OverCapacity, Unavailable
from engram.model.observations import ObservationBatch
from engram.model.priority import Priority
from engram.model.spaces import SpaceConfig

_RETRY_AFTER_MS: Final = 50


@dataclass(frozen=True, slots=True)
class CommitResult:
    """What became of a request.

    Parameters
    ----------
    first_generation, last_generation
        The generations it was given. 0 if none were needed, or if it is a duplicate whose generations are no longer
        remembered.
    count
        Observations stored, or ids deleted, by this request.
    duplicate
        Everything in it was stored before, by an earlier request with the same sequence numbers.
    existed
        For a delete: how many of the ids there were.
    """

    first_generation: int
    last_generation: int
    count: int
    duplicate: bool = False
    existed: int = 0


class CommitTarget(Protocol):
    """What can be committed to: a space, as far as the queue and the committer are concerned."""

    @property
    def config(self) -> SpaceConfig:
        """Its settings."""
        ...

    def admit(self, request: CommitRequest) -> None:
        """Reserve room for a request, or raise why there is none."""
        ...

    def withdraw(self, request: CommitRequest) -> None:
        """Give back what `admit` reserved for a request that is not going to be committed."""
        ...

    def commit(self, requests: Sequence[CommitRequest]) -> None:
        """Store the requests together, durably, and answer each."""
        ...


@dataclass(slots=True, kw_only=True, eq=False)
class CommitRequest:
    """Something to store in, or delete from, a space.

    Parameters
    ----------
    space
        Where.
    batch
        Observations that passed `Space.prepare`; None for a delete.
    delete_ids
        The ids to delete; None for observations.
    session, first_sequence
        The client's session, and the sequence number of the first observation; ``""`` and 0 outside of a session.
        Deletes have none.
    writer
        Number of the client that speaks for the session; 0 if it has none.
    done
        Called exactly once with the result or the error, on the committer's thread, so it must not block.
    priority
        Used by queues that have lanes.

    Raises
    ------
    InvalidInput
        If the fields do not go together.
    """

    space: CommitTarget
    batch: ObservationBatch | None = None
    delete_ids: Sequence[str] | None = None
    session: str = ""
    first_sequence: int = 0
    writer: int = 0
    done: Callable[[CommitResult | EngramError], None]
    priority: Priority = Priority.NORMAL

    def __post_init__(self) -> None:
        if (self.batch is None) == (self.delete_ids is None):
            raise InvalidInput("a request either stores a batch or deletes ids", code="invalid_request", field="batch")
        if (self.first_sequence and not self.session) or (self.session and self.batch is None):
            raise InvalidInput(
                "sequence numbers belong to the observations of a session",
                code="invalid_sequence",
                field="sequence_number",
                limit="observations with a session",
                value=self.first_sequence,
            )

    @property
    def count(self) -> int:
        """Observations, or ids."""
        return len(self.batch if self.batch is not None else self.delete_ids or ())

    @property
    def nbytes(self) -> int:
        """About what it holds in memory, in bytes."""
        if self.batch is not None:
            return self.batch.nbytes
        return sum(map(len, self.delete_ids or ()))

    @property
    def last_sequence(self) -> int:
        """The sequence number of the last observation; meaningful in a session only."""
        return self.first_sequence + self.count - 1


class CommitQueue(Protocol):
    """A bounded queue that any thread fills and the committer empties."""

    @property
    def depth(self) -> int:
        """Observations waiting."""

    def put(self, request: CommitRequest) -> None:
        """Queue `request` whole, or raise `OverCapacity`, or `Unavailable` after `close`."""

    def take(self, timeout_s: float | None) -> list[CommitRequest]:
        """The next requests, bounded in count and bytes; ``[]`` on timeout, or when closed and empty."""

    def close(self) -> None:
        """Admit nothing more; what waits can still be taken."""


class FifoCommitQueue:
    """First in, first out.

    With a lock, held for a few additions, where the lanes of a server need none: whoever puts here waits for the answer
    of the commit anyway, which takes a thousand times as long, so a lock-free queue would be more code for nothing.

    Parameters
    ----------
    count_max, bytes_max
        What may wait, in observations and bytes.
    take_count_max, take_bytes_max
        What one `take` returns at most, unless a single request is larger.
    """

    def __init__(self, count_max: int, bytes_max: int, take_count_max: int, take_bytes_max: int) -> None:
        self._count_max = count_max
        self._bytes_max = bytes_max
        self._take_count_max = take_count_max
        self._take_bytes_max = take_bytes_max
        self._filled = threading.Condition()
        # With the sizes as they were counted in, so that exactly those are counted out again.
        self._waiting: deque[tuple[CommitRequest, int, int]] = deque()
        self._count = 0
        self._nbytes = 0
        self._closed = False

    @property
    def depth(self) -> int:
        """Observations waiting."""
        return self._count

    def put(self, request: CommitRequest) -> None:
        """Queue `request` whole.

        Raises
        ------
        OverCapacity
            If it does not fit, naming the limit.
        Unavailable
            After `close`.
        """
        count, nbytes = request.count, request.nbytes
        with self._filled:
            if self._closed:
                raise Unavailable("the store is closing and takes no more writes", code="shutting_down")
            self._check_room("observations", self._count, count, self._count_max)
            self._check_room("bytes", self._nbytes, nbytes, self._bytes_max)
            self._waiting.append((request, count, nbytes))
            self._count += count
            self._nbytes += nbytes
            self._filled.notify()

    def take(self, timeout_s: float | None) -> list[CommitRequest]:
        """The next requests; ``[]`` on timeout, or when closed and empty."""
        taken: list[CommitRequest] = []
        taken_count = taken_bytes = 0
        with self._filled:
            self._filled.wait_for(lambda: self._waiting or self._closed, timeout_s)
            while self._waiting:
                request, count, nbytes = self._waiting[0]
                taken_count += count
                taken_bytes += nbytes
                if taken and (taken_count > self._take_count_max or taken_bytes > self._take_bytes_max):
                    break
                self._waiting.popleft()
                self._count -= count
                self._nbytes -= nbytes
                taken.append(request)
        return taken

    def close(self) -> None:
        """Admit nothing more; what waits can still be taken."""
        with self._filled:
            self._closed = True
            self._filled.notify_all()

    def _check_room(self, what: str, used: int, more: int, limit: int) -> None:
        if used + more > limit:
            raise OverCapacity(
                f"the queue holds {used} of {limit} {what}; {more} more do not fit",
                code="queue_full",
                field=f"queue_{what}",
                limit=limit,
                value=used + more,
                # What is larger than the whole queue will not fit later either.
                retry_after_ms=_RETRY_AFTER_MS if more <= limit else None,
            )
