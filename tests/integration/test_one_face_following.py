"""Followers and feeds of changes are the same embedded and over every transport."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import pytest

from engram import Cue, F, Filter
from engram.errors import EngramError, FailedPrecondition, InvalidInput
from tests.integration.homes import CLIENTS, HOMES, vector_of
from tests.integration.socket_client import SocketServer

RED = Filter(tags={"red"})


def observe(home: Any, *texts: str, **columns: Any) -> Any:
    """Store texts, of which the first words are the ids."""
    names = [text.split()[0] for text in texts]
    return home.observe(names, [vector_of(name) for name in names], list(texts), **columns)


def told(changes: Any) -> list[tuple[Any, ...]]:
    return [(each.kind, each.id, each.generation, each.replaces) for each in changes]


def took(feed: Any, count: int) -> list[Any]:
    """The next things that a follower is told; it is left then."""
    with closing(feed):
        return list(islice(feed, count))


def error_of(following: Any) -> EngramError:
    with pytest.raises(EngramError) as caught:
        next(following)
    return caught.value


def test_what_has_all_words_is_told_as_it_comes(home: Any) -> None:
    observe(home, "a the pump leaks", "b a door")
    with closing(home.follow(Cue(text="leaking pump", by="words"))) as following:
        assert next(following).id == "a"
        observe(home, "c pumps hum", "d both pumps leak")
        hit = next(following)
        assert (hit.id, hit.generation, hit.content, hit.recent) == ("d", 4, "d both pumps leak", True)
        assert following.generation == 4
    assert next(following, None) is None


def test_what_is_similar_or_passes_is_told_as_it_comes(home: Any) -> None:
    observe(home, "a", "b", tags=[["red"], []])
    cues = (Cue(vector_of("a"), score_min=0.99), Cue(filter=RED), Cue(text="a", by="words", filter=RED))
    for cue in cues:
        after = home.stats().visible_generation
        observe(home, "b", "a", tags=[["blue"], ["red"]])
        (hit,) = took(home.follow(cue, after_generation=after), 1)
        assert (hit.id, hit.generation) == ("a", after + 2)
        (best,) = took(home.follow(cue, 1, include_vectors=True), 1)
        assert best.id == "a"
        np.testing.assert_allclose(best.vector, vector_of("a"))


def test_a_follower_goes_on_after_a_generation(home: Any) -> None:
    observe(home, *(f"id-{number} pump" for number in range(7)))
    cue, seen, generation = Cue(text="pump", by="words"), list[str](), 2
    for count in (1, 3, 1):
        following = home.follow(cue, after_generation=generation)
        seen += [hit.id for hit in took(following, count)]
        generation = following.generation
    assert (seen, generation) == ([f"id-{number}" for number in range(2, 7)], 7)


def test_a_follower_ends_after_its_time_without_an_error(home: Any) -> None:
    observe(home, "a pump")
    assert list(home.follow(Cue(text="pump", by="words"), only_new=True, timeout_s=0.05)) == []
    assert list(home.changes(timeout_s=0.05)) == []
    assert [hit.id for hit in took(home.follow(Cue(text="pump", by="words"), timeout_s=60), 1)] == ["a"]


def test_what_is_there_is_told_however_short_the_time_is(home: Any) -> None:
    observe(home, "a pump", "b door", "c pump")
    cue = Cue(text="pump", by="words")
    for timeout_s in (0, 1e-6):
        assert {hit.id for hit in home.follow(cue, timeout_s=timeout_s)} == {"a", "c"}
        feed = home.changes(after_generation=0, timeout_s=timeout_s)
        assert ([change.id for change in feed], feed.generation) == (["a", "b", "c"], 3)


def test_each_change_is_told_once_and_in_order(home: Any) -> None:
    observe(home, "a", "b", tags=[["red"], []])
    home.update("b", tags=["red"])
    observe(home, "a")
    home.delete(["a", "nobody"])
    wanted = [
        ("observed", "a", 1, None),
        ("observed", "b", 2, None),
        ("updated", "b", 3, 2),
        ("updated", "a", 4, 1),
        ("deleted", "a", 5, 4),
        ("observed", "c", 6, None),
    ]
    with closing(home.changes(after_generation=0)) as feed:
        changes = list(islice(feed, 5))
        observe(home, "c")
        changes.append(next(feed))
        assert feed.generation == 6
    assert told(changes) == wanted
    assert [change.hit and (change.hit.id, change.hit.tags) for change in changes] == [
        ("a", ["red"]),
        ("b", []),
        ("b", ["red"]),
        ("a", []),
        None,
        ("c", []),
    ]
    for after in (1, 4):
        assert told(took(home.changes(after_generation=after), 6 - after)) == wanted[after:]


def test_a_feed_goes_on_where_it_was_left(home: Any) -> None:
    def left() -> Iterator[int]:
        generation = 0
        for count in (1, 4, 2, 3):
            feed = home.changes(after_generation=generation)
            yield from (change.generation for change in took(feed, count))
            generation = feed.generation

    observe(home, *(f"id-{number}" for number in range(10)))
    assert list(left()) == list(range(1, 11))


def test_a_feed_by_a_filter_tells_what_passes_and_what_no_longer_does(home: Any) -> None:
    observe(home, "a", "b", "c", tags=[["red"], [], ["red"]], metadata=[{"n": 1}, {"n": 2}, {"n": 3}])
    home.update("a", tags=[])
    home.update("b", tags=["red"])
    home.delete(["c"])
    home.delete(["a"])
    home.update("b", metadata={"n": 5})
    assert told(took(home.changes(RED, after_generation=0), 6)) == [
        ("observed", "a", 1, None),
        ("observed", "c", 3, None),
        ("left", "a", 4, 1),
        ("updated", "b", 5, 2),
        ("deleted", "c", 6, 3),
        ("updated", "b", 8, 5),
    ]
    assert told(took(home.changes(F.n >= 3, after_generation=3), 2)) == [("deleted", "c", 6, 3), ("updated", "b", 8, 5)]


def test_hits_of_changes_are_what_a_look_up_finds(home: Any) -> None:
    columns = {"tags": [["red", "ä"]], "metadata": [{"n": [1, None]}], "timestamps": [1.5], "importances": [0.25]}
    observe(home, "a text – 水", **columns)
    (change,) = took(home.changes(after_generation=0, include_vectors=True), 1)
    (hit,) = home.get(["a"], include_vectors=True)
    for name in ("id", "generation", "content", "metadata", "tags", "time_us", "confidence", "importance"):
        assert getattr(change.hit, name) == getattr(hit, name), name
    np.testing.assert_array_equal(change.hit.vector, hit.vector)


def test_what_expires_is_told_when_it_is_removed(home: Any) -> None:
    observe(home, "a", "b", ttl=[0, None])
    home.delete(["b"])
    # The housekeeping removes it a moment later, perhaps before the other is deleted.
    changes = took(home.changes(after_generation=2), 2)
    ended = sorted((change.kind, change.id, change.replaces) for change in changes)
    assert ended == [("deleted", "b", 2), ("expired", "a", 1)]


def test_more_than_a_batch_is_told(home: Any) -> None:
    names = [f"id-{number}" for number in range(2000)]
    home.observe(names, np.stack([vector_of("a")] * 2000), ["pump"] * 2000)
    assert [change.id for change in took(home.changes(after_generation=0), 2000)] == names
    found = took(home.follow(Cue(text="pump", by="words"), after_generation=0), 2000)
    assert [hit.id for hit in found] == names


def test_what_is_not_there_cannot_be_followed(home: Any) -> None:
    observe(home, "a", "b")
    for opening in (home.changes, partial(home.follow, Cue(text="a", by="words"))):
        error = error_of_opening(opening, after_generation=9)
        assert (type(error), error.code, error.field) == (InvalidInput, "invalid_after_generation", "after_generation")
        assert str(error).startswith("after_generation is 9, which is yet to come; the newest is 2")
    home.erase(["a"])
    error = error_of_opening(home.changes, after_generation=0)
    assert (type(error), error.code, error.field) == (FailedPrecondition, "snapshot_expired", "after_generation")


def error_of_opening(opening: Any, **options: Any) -> EngramError:
    """Why a follower cannot begin; an embedded one is refused at once, and the others when something is asked for."""
    try:
        return error_of(opening(**options))
    except EngramError as error:
        return error


@pytest.mark.parametrize("name", CLIENTS)
def test_a_space_that_is_dropped_ends_who_follows_it(name: str, server: SocketServer) -> None:
    with HOMES[name].space(server) as home:
        observe(home, "a pump")
        following = home.follow(Cue(text="pump", by="words"))
        feed = home.changes(after_generation=0)
        assert (next(following).id, next(feed).id) == ("a", "a")
        home.drop_space(home.name)
        assert (error_of(following).code, error_of(feed).code) == ("space_dropped", "space_dropped")
