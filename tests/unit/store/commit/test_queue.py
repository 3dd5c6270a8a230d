"""Requests, and the queue they wait in."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from engram.errors import InvalidInput, OverCapacity, Unavailable
from engram.store.commit.queue import CommitRequest, FifoCommitQueue
from tests.doubles.batches import batch_of
from tests.doubles.waiting import TIMEOUT_S

NO_SPACE: Any = None


def request(count: int = 1, name: str = "a") -> CommitRequest:
    return CommitRequest(space=NO_SPACE, batch=batch_of([f"{name}{row}" for row in range(count)]), done=lambda _: None)


def make_queue(
    count_max: int = 100, bytes_max: int = 1 << 20, take_count: int = 50, take_bytes: int = 1 << 20
) -> FifoCommitQueue:
    return FifoCommitQueue(count_max, bytes_max, take_count, take_bytes)


def test_first_in_first_out() -> None:
    queue = make_queue()
    requests = [request() for _ in range(5)]
    for one in requests:
        queue.put(one)
    assert queue.depth == 5
    assert queue.take(0) == requests
    assert queue.depth == 0
    assert queue.take(0) == []


def test_the_count_is_bounded() -> None:
    queue = make_queue(count_max=10)
    queue.put(request(8))
    with pytest.raises(OverCapacity) as refusal:
        queue.put(request(3))
    assert (refusal.value.field, refusal.value.limit, refusal.value.value) == ("queue_observations", "10", "11")
    assert refusal.value.retry_after_ms
    queue.put(request(2))
    queue.take(0)
    queue.put(request(10))


def test_the_bytes_are_bounded() -> None:
    size = request(4).nbytes
    queue = make_queue(bytes_max=2 * size)
    queue.put(request(4))
    queue.put(request(4))
    with pytest.raises(OverCapacity) as refusal:
        queue.put(request(1))
    assert refusal.value.field == "queue_bytes"
    queue.take(0)
    queue.put(request(4))


def test_what_can_never_fit_is_not_told_to_come_back() -> None:
    with pytest.raises(OverCapacity) as refusal:
        make_queue(count_max=10).put(request(11))
    assert refusal.value.retry_after_ms is None


def test_one_take_is_bounded_but_serves_a_large_request_alone() -> None:
    queue = make_queue(take_count=10)
    for count in (6, 4, 1, 30, 2):
        queue.put(request(count))
    assert [[one.count for one in queue.take(0)] for _ in range(3)] == [[6, 4], [1], [30]]
    assert [one.count for one in queue.take(0)] == [2]


def test_take_waits_for_a_request() -> None:
    queue = make_queue()
    taken: list[list[CommitRequest]] = []
    thread = threading.Thread(target=lambda: taken.append(queue.take(TIMEOUT_S)))
    thread.start()
    one = request()
    queue.put(one)
    thread.join(TIMEOUT_S)
    assert taken == [[one]]


def test_a_closed_queue_is_emptied_and_admits_nothing() -> None:
    queue = make_queue()
    waiting = request()
    queue.put(waiting)
    queue.close()
    with pytest.raises(Unavailable) as refusal:
        queue.put(request())
    assert refusal.value.code == "shutting_down"
    assert queue.take(None) == [waiting]
    assert queue.take(None) == []


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"batch": batch_of(["a"]), "delete_ids": ["a"]},
        {"batch": batch_of(["a"]), "first_sequence": 1},
        {"delete_ids": ["a"], "session": "s", "first_sequence": 1},
    ],
)
def test_requests_that_make_no_sense(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        CommitRequest(space=NO_SPACE, done=lambda _: None, **fields)


def test_counts_of_a_request() -> None:
    one = CommitRequest(space=NO_SPACE, batch=batch_of(["a", "b"]), session="s", first_sequence=7, done=lambda _: None)
    assert (one.count, one.last_sequence) == (2, 8)
    assert one.nbytes > 64
    gone = CommitRequest(space=NO_SPACE, delete_ids=["abc", "d"], done=lambda _: None)
    assert (gone.count, gone.nbytes) == (2, 4)
