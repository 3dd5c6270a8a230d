"""Single observations become few messages, and what cannot be read stays in its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engram.errors import InvalidInput
from engram.model.priority import Priority
from engram.server.websocket.joining import joined
from engram.server.websocket.limits import SocketLimits
from engram.server.websocket.received import Received, read_message
from engram.streaming.sessions.paused_backlog import Message


def received(sequence: int, **fields: Any) -> Received:
    value = {"type": "observation", "sequence_number": sequence, "id": f"id-{sequence}", "vector": [1, 2], **fields}
    return read_message(json.dumps(value, separators=(",", ":")).encode(), is_frame=False)


def outcome(*messages: Received, **limits: Any) -> list[tuple[int, ...] | str]:
    """The sequence numbers of each message, or the code of the error in its place."""
    made: list[tuple[int, ...] | str] = []
    for each in joined(messages, SocketLimits(**limits)):
        if isinstance(each, Message):
            made.append(tuple(range(each.first_sequence, each.first_sequence + len(each.batch))))
            assert [int(id.partition("-")[2]) for id in each.batch.ids] == list(made[-1])
            assert each.are_joined is (len(each.batch) > 1)
        else:
            assert isinstance(each[1], InvalidInput)
            made.append(each[1].code)
    return made


def test_consecutive_numbers_become_one() -> None:
    assert outcome(*map(received, range(1, 6))) == [(1, 2, 3, 4, 5)]
    assert outcome(received(1), received(2), received(4), received(5)) == [(1, 2), (4, 5)]
    assert outcome(received(2), received(1)) == [(2,), (1,)]
    assert outcome(received(1), received(1)) == [(1,), (1,)]
    assert outcome() == []


@pytest.mark.parametrize(
    "fields", [{"priority": "high"}, {"vector": "AACAPwAAgD8="}, {"vector": [1, 2, 3]}, {"vector": None}]
)
def test_what_is_of_another_kind_is_not_joined(fields: dict[str, Any]) -> None:
    assert outcome(received(1), received(2, **fields), received(3)) == [(1,), (2,), (3,)]
    assert outcome(received(1, **fields), received(2, **fields)) == [(1, 2)]


def test_a_batch_has_the_priority_of_its_parts() -> None:
    (message,) = joined([received(1, priority="low"), received(2, priority="low")], SocketLimits())
    assert isinstance(message, Message)
    assert message.priority is Priority.LOW
    assert [part.first_sequence for part in message.parts()] == [1, 2]
    assert [list(part.batch.ids) for part in message.parts()] == [["id-1"], ["id-2"]]


def test_what_cannot_be_read_stays_in_its_place() -> None:
    messages = [received(1), received(2, tag=["x"]), received(3), received(4, timestamp="noon"), received(5)]
    assert outcome(*messages) == [(1,), "unknown_field", (3,), "invalid_time", (5,)]
    assert outcome(received(1, priority="urgent")) == ["invalid_priority"]


def test_batches_are_bounded() -> None:
    assert outcome(*map(received, range(1, 6)), joined_count_max=2) == [(1, 2), (3, 4), (5,)]
    size = received(1).nbytes
    assert outcome(*map(received, range(1, 6)), joined_bytes_max=3 * size) == [(1, 2, 3), (4, 5)]
    assert outcome(received(1), joined_bytes_max=1) == [(1,)]


def test_columns_that_only_some_have_are_filled() -> None:
    messages = [
        received(1, content="a: b", tags=["x"], confidence=0.5),
        received(2, metadata={"a": 1}, timestamp=5),
        received(3, importance=1, content=None),
    ]
    (message,) = joined(messages, SocketLimits())
    assert isinstance(message, Message)
    batch = message.batch
    assert list(batch.contents) == ["a: b", "", ""]
    assert [list(row) for row in batch.tags or ()] == [["x"], [], []]
    assert list(batch.metadata or ()) == ["", '{"a":1}', ""]
    assert batch.confidences.tolist() == [0.5, 1, 1]
    assert batch.importances.tolist() == [0.5, 0.5, 1]
    assert batch.times_us[1] == 5_000_000
