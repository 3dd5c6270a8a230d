"""The campaign of crowds itself: it would notice what it looks for."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns.crowds import burst, connections, spaces, streams

COUNT = 7
FILES = 256
PART = {"right": COUNT, "failed": [], "descriptors_max": 40}


def parts(**changed: dict[str, Any]) -> dict[str, Any]:
    whole: dict[str, dict[str, Any]] = {
        "written": {**PART, "disk_bytes_each": 32 << 10},
        "recalled": {**PART, "listed": COUNT},
        "memory": {"resident_bytes_each": 200 << 10},
    }
    return {name: {**part, **changed.get(name, {})} for name, part in whole.items()}


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"written": {"right": COUNT - 1}}, "written: 6 of 7 spaces"),
        ({"recalled": {"failed": ["x"]}}, "recalled: 7 of 7 spaces are right; ['x']"),
        ({"recalled": {"descriptors_max": FILES}}, "256 descriptors of 256"),
        ({"recalled": {"listed": COUNT - 2}}, "5 of 7 spaces are listed"),
        ({"written": {"disk_bytes_each": 64 << 10}}, "65536 bytes on the disk"),
        ({"memory": {"resident_bytes_each": 256 << 10}}, "262144 bytes of memory"),
    ],
)
def test_what_must_not_be_among_many_spaces_is_noticed(changed: dict[str, Any], word: str) -> None:
    assert spaces.broken(parts(), COUNT, FILES) == []
    (fault,) = spaces.broken(parts(**changed), COUNT, FILES)
    assert word in fault


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"peak_bytes": 600 << 20}, "the peak was 600 MiB"),
        ({"kept_bytes": 50 << 20}, "50 MiB are kept"),
        ({"stored": 5}, "9 sent, 5 stored, 3 refused"),
        ({"failed": ["a recall: x"]}, "a recall: x"),
    ],
)
def test_what_must_not_be_after_a_burst_is_noticed(changed: dict[str, Any], word: str) -> None:
    result = {"failed": [], "peak_bytes": 1, "kept_bytes": 1, "sent": 9, "stored": 6, "refused": 3}
    assert burst.broken(result, 600 << 20, 50 << 20) == []
    assert burst.broken({**result, **changed}, 600 << 20, 50 << 20) == [word]


IDLE: dict[str, Any] = {
    "count": 500,
    "others": 11,
    "files": 1024,
    "limit": 600,
    "ended": 0,
    "descriptors": 700,
    "writes": 200,
    "found": 200,
}


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"ended": 1}, "1 connections were ended, where 0 are too many"),
        ({"count": 1000, "ended": 399}, "399 connections were ended, of 400 that are too many"),
        ({"count": 1000, "ended": 420}, "420 connections were ended, where 411 are too many"),
        ({"descriptors": 1024}, "1024 descriptors of 1024"),
        ({"found": 199}, "199 of 200 observations are found"),
    ],
)
def test_what_must_not_be_among_idle_connections_is_noticed(changed: dict[str, Any], word: str) -> None:
    for sound in (IDLE, {**IDLE, "count": 1000, "ended": 405}):
        assert connections.broken(sound) == []
    assert connections.broken({**IDLE, **changed}) == [word]


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"begun": 0}, "no stream has begun"),
        ({"others": {"grpc": {"failed": ["a recall: cancelled"]}}}, "grpc: a recall: cancelled"),
    ],
)
def test_what_must_not_be_beside_many_streams_is_noticed(changed: dict[str, Any], word: str) -> None:
    result = {"begun": 5, "others": {"grpc": {"failed": []}, "websocket": {"failed": []}}}
    assert streams.broken(result) == []
    assert streams.broken({**result, **changed}) == [word]
