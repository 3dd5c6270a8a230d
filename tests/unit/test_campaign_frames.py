"""The campaign of frames itself: it would notice what it looks for, and what it sends is what it says."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from campaigns.frames.attack import broken
from campaigns.frames.conversation import Sent, conversation, corpus
from campaigns.frames.intruder import Tally
from campaigns.frames.mutation import WAYS, mutated
from campaigns.frames.served import held
from engram.server.websocket.received import read_message
from engram.wire.frames import encode_frame

HELD = {"tasks": 3, "descriptors": 10, "threads": 4, "rss": 10**8, "objects": {"a": 1}}


def result(**fields: Any) -> dict[str, Any]:
    return {"before": HELD, "after": HELD, "faults": [], "log": [], "exit": 0, **fields}


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"faults": ["x"]}, "fault: x"),
        ({"log": ["Traceback"]}, "log: Traceback"),
        ({"exit": -9}, "exit code -9"),
        ({"after": {**HELD, "tasks": 4}}, "tasks: 3, then 4"),
        ({"after": {**HELD, "descriptors": 11}}, "descriptors: 10, then 11"),
        ({"after": {**HELD, "objects": {"a": 2, "b": 5}}}, "1 more objects of a"),
        ({"after": {**HELD, "rss": 10**9}}, "memory: 100000000, then 1000000000"),
    ],
)
def test_what_no_server_should_do_is_noticed(fields: dict[str, Any], word: str) -> None:
    assert broken(result()) == []
    assert broken(result(**fields))[0] == word


def test_internal_errors_and_what_is_no_message_are_noticed() -> None:
    tally = Tally()
    tally.take(1, b'{"type":"error","code":"unknown_field","kind":"invalid_input"}')
    tally.take(2, encode_frame({"type": "recall_result"}, {}))
    tally.take(8, (4400).to_bytes(2, "big") + b"no_init")
    assert tally.faults == []
    tally.take(1, b'{"type":"ack","error":{"code":"internal","kind":"internal"}}')
    tally.take(8, (1011).to_bytes(2, "big"))
    assert len(tally.faults) == 2
    assert (tally.errors["unknown_field"], tally.closes["4400"]) == (1, 1)
    with pytest.raises(ValueError, match="Expecting"):
        tally.take(1, b"x")


def test_conversations_are_sound_and_follow_from_their_seed() -> None:
    for seed in range(30):
        messages = conversation(Random(seed), 40)
        assert messages == conversation(Random(seed), 40)
        for message in messages:
            assert read_message(*message).type


def test_every_way_of_mutation_changes_messages() -> None:
    chance, others = Random(1), corpus()
    seen: dict[str, set[Sent]] = {word: set() for word in WAYS}
    for message in conversation(Random(2), 300):
        changed, word = mutated(chance, message, others)
        if changed != message:
            seen[word].add(changed)
    assert all(len(changed) > 5 for changed in seen.values())
    values = [each.data for each in seen["value"] if not each.is_frame]
    assert any(_is_json(data) for data in values)
    assert any(not _is_json(data) for data in values)


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True


async def test_what_a_server_holds_counts_its_tasks() -> None:
    assert held()["tasks"] == 1
