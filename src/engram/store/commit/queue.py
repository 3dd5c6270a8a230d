"""Requests to the store, their results, and the bounded queue between callers and the committer."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from engram.errors import EngramError, InvalidInput, OverCapacity, Unavailable
from engram.model.ack import Ack
from engram.model.observations import ObservationBatch
from engram.model.priority import Priority
from engram.model.spaces import SpaceConfig

_RETRY_AFTER_MS: Final = 50


@dataclass(frozen=True, slots=True)
class CommitResult:
    """The result of a request.

    Parameters
    ----------
    first_generation, last_generation
        Generations that were assigned to the request; 0 if it needed none, or if it is a duplicate whose generations
        are no longer remembered.
    count
        Number of observations stored, or ids deleted, by this request.
    duplicate
        Whether an earlier request with the same sequence numbers had stored everything in it.
    existed
        For a deletion: number of the ids that existed.
    as_of
        For a deletion: the generation as of which none of the ids exists. What was written under them up to it has
        ended; what is written later has not.
    """

    first_generation: int
    last_generation: int
    count: int
    duplicate: bool = False
    existed: int = 0
    as_of: int = 0

    @property
    def ack(self) -> Ack:
        """The acknowledgement of observations that were stored outside of a session."""
        return Ack(0, 0, self.first_generation, self.last_generation)


class CommitTarget(Protocol):
    """The part of a space that the queue and the committer use."""

    @property
    def config(self) -> SpaceConfig:
        """Settings of the space."""
        ...

    def admit(self, request: CommitRequest) -> None:
        """Reserve room for a request, or raise the reason why there is none."""
        ...

    def withdraw(self, request: CommitRequest) -> None:
        """Release what `admit` reserved for a request that will not be committed."""
        ...

    def commit(self, requests: Sequence[CommitRequest]) -> None:
        """Store the requests together, durably, and answer each."""
        ...


@dataclass(slots=True, kw_only=True, eq=False)
class CommitRequest:
    """A request to store observations in a space, or to delete ids from it.

    Parameters
    ----------
    space
        The space.
    batch
        Observations that passed `Space.prepare`; None for a deletion.
    delete_ids
        The ids to delete; None for observations.
    delete_versions
        The generation that the live version of each id must still have to be deleted; None to delete any version.
    ends_segment
        For a deletion: whether it is logged in a new segment, also if none of the ids exists.
    session, first_sequence
        The client's session, and the sequence number of the first observation; ``""`` and 0 outside a session.
        Deletions have none.
    writer
        Number of the client that writes in the session; 0 if it has none.
    expected_generations
        For observations outside of a session, of which no id occurs twice: the generation that the live version of each
        id must have for anything to be stored, 0 for an id that must not be alive; None: no conditions.
    done
        Called exactly once with the result or the error. It runs on the committer thread and must not block.
    priority
        Lane of the request; used by queues that have lanes.
    queued_s
        When the store queued the request, by the clock `time.perf_counter`.

    Raises
    ------
    InvalidInput
        If the fields contradict each other.
    """

    space: CommitTarget
    batch: ObservationBatch | None = None
    delete_ids: Sequence[str] | None = None
    delete_versions: Sequence[int] | None = None
    ends_segment: bool = False
    session: str = ""
    first_sequence: int = 0
    writer: int = 0
    expected_generations: Sequence[int] | None = None
    done: Callable[[CommitResult | EngramError], None]
    priority: Priority = Priority.NORMAL
    queued_s: float = 0.0

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
        """Number of observations, or of ids to delete."""
        return len(self.batch if self.batch is not None else self.delete_ids or ())

    @property
    def tail_count(self) -> int:
        """Number of observations that will have to be linked; deletions need no room in the tail."""
        return 0 if self.batch is None else len(self.batch)

    @property
    def nbytes(self) -> int:
        """Approximate memory of the request in bytes."""
        if self.batch is not None:
            return self.batch.nbytes
        return sum(map(len, self.delete_ids or ()))

    @property
    def last_sequence(self) -> int:
        """Sequence number of the last observation; meaningful only in a session."""
        return self.first_sequence + self.count - 1


class CommitQueue(Protocol):
    """A bounded queue that any thread fills and the committer empties."""

    @property
    def depth(self) -> int:
        """Number of observations that wait."""

    def put(self, request: CommitRequest) -> None:
        """Queue `request` as a whole, or raise `OverCapacity`, or `Unavailable` after `close`."""

    def take(self, timeout_s: float | None) -> list[CommitRequest]:
        """Return the next requests, bounded in count and bytes; ``[]`` on timeout, or when closed and empty."""

    def close(self) -> None:
        """Admit no more requests; those that are queued can still be taken."""


class FifoCommitQueue:
    """A queue that returns requests in the order in which they came.

    It has a lock, held for a few additions, whereas the lanes of a server need none. A caller waits for its commit
    anyway, which takes a thousand times as long, so a lock-free queue would be more code without a benefit.

    Parameters
    ----------
    count_max, bytes_max
        Maximum number of observations, and of bytes, that may wait.
    take_count_max, take_bytes_max
        Maximum number of observations, and of bytes, that one `take` returns, unless a single request is larger.
    """

    def __init__(self, count_max: int, bytes_max: int, take_count_max: int, take_bytes_max: int) -> None:
        self._count_max = count_max
        self._bytes_max = bytes_max
        self._take_count_max = take_count_max
        self._take_bytes_max = take_bytes_max
        self._filled = threading.Condition()
        # Each request with the sizes that were added for it, so that exactly these are subtracted again.
        self._waiting: deque[tuple[CommitRequest, int, int]] = deque()
        self._count = 0
        self._nbytes = 0
        self._closed = False

    @property
    def depth(self) -> int:
        """Number of observations that wait."""
        return self._count

    def put(self, request: CommitRequest) -> None:
        """Queue `request` as a whole.

        Raises
        ------
        OverCapacity
            If it does not fit; the error names the limit.
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
        """Return the next requests, in order; ``[]`` on timeout, or when closed and empty."""
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
        """Admit no more requests; those that are queued can still be taken."""
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
                # A request larger than the whole queue will not fit later either.
                retry_after_ms=_RETRY_AFTER_MS if more <= limit else None,
            )
