"""Standing recalls and feeds of changes that go on where their clients left off."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from engram.errors import FailedPrecondition, InvalidInput
from engram.model.cue import Cue
from engram.model.following.change import Change, Changes
from engram.model.following.follow_changes import FollowChanges
from engram.model.hit import Hit
from engram.model.operations.requests import StreamRecall
from engram.model.query import Recalled, RecallQuery
from engram.server.http.api.standing import ChangesFollower, RecallFollower

REQUEST = StreamRecall("notes", RecallQuery(Cue(np.ones(8, np.float32), score_min=0.5)))
FEED = FollowChanges("notes", 3)


class At:
    """A hit of which only the generation matters."""

    def __init__(self, generation: int) -> None:
        self.generation = generation


def batch(*generations: int, told: int = 10, incomplete: bool = False, more: bool = False) -> Recalled:
    hits = [cast(Hit, At(each)) for each in generations]
    return Recalled(hits, told, 0, 0.0, incomplete, more)


def test_a_new_stream_can_be_continued_from_the_end_of_what_there_was() -> None:
    follower = RecallFollower(None, as_events=True, follows=True)
    changed: Any = follower.adapt(REQUEST)
    assert (changed.query.follow, changed.query.max_generation) == (True, None)
    assert follower.piece(batch(3, 9, more=True), b"{}") == b"data: {}\n\n"
    assert follower.piece(batch(1), b"{}") == b"id: 10\ndata: {}\n\n"
    assert follower.piece(batch(11, 12, told=14), b"{}") == b"id: 14\ndata: {}\n\n"
    assert follower.piece(batch(told=20), b"{}") == b"id: 20\n\n", "no event, only an id"
    assert follower.piece(batch(told=21, incomplete=True), b"{}") == b"id: 21\ndata: {}\n\n"
    assert follower.piece(batch(told=22, incomplete=True), b"{}") == b"id: 22\n\n"


@pytest.mark.parametrize("as_events", [True, False])
def test_a_continued_stream_repeats_nothing(as_events: bool) -> None:
    follower = RecallFollower("12", as_events=as_events, follows=True)
    changed: Any = follower.adapt(replace(REQUEST, query=replace(REQUEST.query, snapshot_us=1)))
    assert (changed.query.max_generation, changed.query.snapshot_us) == (12, None)
    assert follower.piece(batch(3, 9, more=True), b"{}") == b""
    assert follower.piece(batch(1), b"{}") == b""
    assert b"{}" in follower.piece(batch(13), b"{}")


def test_lines_have_no_ids() -> None:
    follower = RecallFollower(None, as_events=False, follows=True)
    assert follower.piece(batch(1), b"{}") == b"{}\n"
    assert follower.piece(batch(11), b"{}") == b"{}\n"


@pytest.mark.parametrize("last_id", ["x", "-1", "1.5", "²", "9" * 30, " 1"])
def test_what_is_no_id_of_an_event_is_refused(last_id: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        RecallFollower(last_id, as_events=True, follows=True).adapt(REQUEST)
    assert caught.value.code == "invalid_last_event_id"
    with pytest.raises(InvalidInput) as caught:
        ChangesFollower(last_id, as_events=True).adapt(FEED)
    assert caught.value.code == "invalid_last_event_id"


def test_only_what_follows_can_be_continued() -> None:
    with pytest.raises(InvalidInput):
        RecallFollower("1", as_events=False, follows=False).adapt(REQUEST)
    assert RecallFollower("", as_events=True, follows=False).adapt(REQUEST) == REQUEST


def of_space(last_id: str | None, space_id: str) -> RecallFollower:
    return RecallFollower(last_id, as_events=True, follows=True, space_id=lambda: space_id)


def test_an_event_says_of_which_space_it_is() -> None:
    follower = of_space(None, "0123456789abcdef" * 2)
    follower.adapt(REQUEST)
    assert follower.piece(batch(1), b"{}") == b"id: 10-01234567\ndata: {}\n\n"
    again: Any = of_space("10-01234567", "0123456789abcdef" * 2).adapt(REQUEST)
    assert again.query.max_generation == 10
    # That of a server which said only the generation.
    older: Any = of_space("10", "0123456789abcdef" * 2).adapt(REQUEST)
    assert older.query.max_generation == 10


@pytest.mark.parametrize("space_id", ["fedcba9876543210" * 2, ""])
def test_an_event_of_a_space_that_had_the_name_before_is_refused(space_id: str) -> None:
    with pytest.raises(FailedPrecondition) as caught:
        of_space("10-01234567", space_id).adapt(REQUEST)
    assert (caught.value.code, caught.value.field) == ("other_incarnation", "Last-Event-ID")


def test_a_feed_goes_on_after_its_last_event() -> None:
    assert ChangesFollower(None, as_events=True).adapt(FEED) == FEED
    again: Any = ChangesFollower("12-01234567", as_events=True, space_id=lambda: "01234567" * 4).adapt(FEED)
    assert (again.after_generation, again.space) == (12, "notes")
    with pytest.raises(FailedPrecondition) as caught:
        ChangesFollower("12-01234567", as_events=True, space_id=lambda: "fedcba98" * 4).adapt(FEED)
    assert caught.value.code == "other_incarnation"


def test_changes_are_events_with_the_generation_that_was_reached() -> None:
    follower = ChangesFollower(None, as_events=True, space_id=lambda: "01234567" * 4)
    follower.adapt(FEED)
    made = follower.written(Changes([Change("deleted", "a", 5, 2), Change("left", "b", 7, 1)], 9), vectors=False)
    lines = made.split(b"\n")
    assert lines[0] == b"id: 9-01234567"
    assert json.loads(lines[1].removeprefix(b"data: ")) == {
        "changes": [
            {"kind": "deleted", "id": "a", "generation": 5, "replaces": 2},
            {"kind": "left", "id": "b", "generation": 7, "replaces": 1},
        ],
        "generation": 9,
        "incomplete": False,
    }
    assert follower.written(Changes((), 20), vectors=False) == b"id: 20-01234567\n\n", "no event, only an id"


def test_changes_as_lines_say_the_generation_also_without_any() -> None:
    follower = ChangesFollower(None, as_events=False)
    made = follower.written(Changes((), 20), vectors=False)
    assert made.endswith(b"}\n")
    assert json.loads(made) == {"changes": [], "generation": 20, "incomplete": False}
