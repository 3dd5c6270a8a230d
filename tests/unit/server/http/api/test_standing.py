"""Standing recalls that go on where their clients left off."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from engram.errors import FailedPrecondition, InvalidInput
from engram.model.cue import Cue
from engram.model.hit import Hit
from engram.model.operations.requests import StreamRecall
from engram.model.query import Recalled, RecallQuery
from engram.server.http.api.standing import Follower

REQUEST = StreamRecall("notes", RecallQuery(Cue(np.ones(8, np.float32), score_min=0.5)))


class At:
    """A hit of which only the generation matters."""

    def __init__(self, generation: int) -> None:
        self.generation = generation


def batch(*generations: int, told: int = 10, incomplete: bool = False, more: bool = False) -> Recalled:
    hits = [cast(Hit, At(each)) for each in generations]
    return Recalled(hits, told, 0, 0.0, incomplete, more)


def test_a_new_stream_can_be_continued_from_the_end_of_what_there_was() -> None:
    follower = Follower(None, as_events=True)
    changed: Any = follower.adapt(REQUEST, follows=True)
    assert (changed.query.follow, changed.query.max_generation) == (True, None)
    assert follower.piece(batch(3, 9, more=True), b"{}") == b"data: {}\n\n"
    assert follower.piece(batch(1), b"{}") == b"id: 10\ndata: {}\n\n"
    assert follower.piece(batch(11, 12, told=14), b"{}") == b"id: 14\ndata: {}\n\n"
    assert follower.piece(batch(told=20), b"{}") == b"id: 20\n\n", "no event, only an id"
    assert follower.piece(batch(told=21, incomplete=True), b"{}") == b"id: 21\ndata: {}\n\n"
    assert follower.piece(batch(told=22, incomplete=True), b"{}") == b"id: 22\n\n"


@pytest.mark.parametrize("as_events", [True, False])
def test_a_continued_stream_repeats_nothing(as_events: bool) -> None:
    follower = Follower("12", as_events=as_events)
    changed: Any = follower.adapt(replace(REQUEST, query=replace(REQUEST.query, snapshot_us=1)), follows=True)
    assert (changed.query.max_generation, changed.query.snapshot_us) == (12, None)
    assert follower.piece(batch(3, 9, more=True), b"{}") == b""
    assert follower.piece(batch(1), b"{}") == b""
    assert b"{}" in follower.piece(batch(13), b"{}")


def test_lines_have_no_ids() -> None:
    follower = Follower(None, as_events=False)
    assert follower.piece(batch(1), b"{}") == b"{}\n"
    assert follower.piece(batch(11), b"{}") == b"{}\n"


@pytest.mark.parametrize("last_id", ["x", "-1", "1.5", "²", "9" * 30, " 1"])
def test_what_is_no_id_of_an_event_is_refused(last_id: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Follower(last_id, as_events=True).adapt(REQUEST, follows=True)
    assert caught.value.code == "invalid_last_event_id"


def test_only_what_follows_can_be_continued() -> None:
    with pytest.raises(InvalidInput):
        Follower("1", as_events=False).adapt(REQUEST, follows=False)
    assert Follower("", as_events=True).adapt(REQUEST, follows=False) == REQUEST


def of_space(last_id: str | None, space_id: str) -> Follower:
    return Follower(last_id, as_events=True, space_id=lambda: space_id)


def test_an_event_says_of_which_space_it_is() -> None:
    follower = of_space(None, "0123456789abcdef" * 2)
    follower.adapt(REQUEST, follows=True)
    assert follower.piece(batch(1), b"{}") == b"id: 10-01234567\ndata: {}\n\n"
    again: Any = of_space("10-01234567", "0123456789abcdef" * 2).adapt(REQUEST, follows=True)
    assert again.query.max_generation == 10
    # That of a server which said only the generation.
    older: Any = of_space("10", "0123456789abcdef" * 2).adapt(REQUEST, follows=True)
    assert older.query.max_generation == 10


@pytest.mark.parametrize("space_id", ["fedcba9876543210" * 2, ""])
def test_an_event_of_a_space_that_had_the_name_before_is_refused(space_id: str) -> None:
    with pytest.raises(FailedPrecondition) as caught:
        of_space("10-01234567", space_id).adapt(REQUEST, follows=True)
    assert (caught.value.code, caught.value.field) == ("other_incarnation", "Last-Event-ID")
