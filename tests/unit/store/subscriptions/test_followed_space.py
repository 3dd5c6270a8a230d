"""Following an embedded space: what is there, what comes, and how it ends."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from engram.errors import EngramError, FailedPrecondition, InvalidInput
from engram.store import Cue, Filter, MemoryStore, Space, StoreOptions
from tests.doubles.batches import DIM, vector_of
from tests.doubles.waiting import TIMEOUT_S

ANY = vector_of("any")
NEAR = Cue(ANY, score_min=0.5)
PUMP = Cue(text="pump", by="words")


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    with MemoryStore(None, options=StoreOptions(workers=1)) as store:
        yield store


@pytest.fixture
def space(store: MemoryStore) -> Space:
    return store.space("notes", dim=DIM)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time by which followers end, which a test sets."""
    now = [1000.0]
    monkeypatch.setattr("engram.store.subscriptions.followed_source.time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def observe(space: Space, *ids: str, **columns: Any) -> int:
    """Ids that begin with ``near`` match `NEAR`, and have the word of `PUMP`."""
    near = [id.startswith("near") for id in ids]
    vectors = [ANY if one else -ANY for one in near]
    return space.observe(list(ids), vectors, ["a pump" if one else "a door" for one in near], **columns)


@pytest.mark.parametrize("cue", [NEAR, PUMP, Cue(filter=Filter(tags={"x"}))], ids=["similar", "words", "filter"])
def test_what_is_there_comes_first_and_then_what_is_new(space: Space, cue: Cue) -> None:
    observe(space, "near0", "far0", tags=[["x"], []])
    with space.follow(cue) as following:
        assert next(following).id == "near0"
        observe(space, "far1", "near1", tags=[[], ["x"]])
        hit = next(following)
        assert (hit.id, hit.generation, following.generation) == ("near1", 4, 4)
        observe(space, "near2", tags=[["x"]])
        assert next(following).id == "near2"
    assert list(following) == []


def test_no_more_is_there_than_was_asked_for(space: Space) -> None:
    observe(space, *(f"near{number}" for number in range(20)))
    with space.follow(NEAR, 3) as following:
        first = list(itertools.islice(following, 3))
        observe(space, "near-new")
        assert (len(first), next(following).id) == (3, "near-new")


@pytest.mark.parametrize("cue", [NEAR, PUMP], ids=["similar", "words"])
def test_what_is_there_can_be_left_out(space: Space, cue: Cue) -> None:
    observe(space, "near0", "far0")
    following = space.follow(cue, only_new=True)
    assert following.generation == 2
    observe(space, "near1")
    assert next(following).id == "near1"
    later = space.follow(cue, after_generation=0)
    assert later.generation == 0
    assert [next(later).generation for _ in range(2)] == [1, 3]


def test_whoever_goes_on_after_its_generation_misses_nothing(space: Space) -> None:
    ids, generation = list[str](), 0
    for number in range(6):
        observe(space, f"near{number}", *["far"] * number)
        with space.follow(NEAR, after_generation=generation) as following:
            ids.append(next(following).id)
            generation = following.generation
    assert ids == [f"near{number}" for number in range(6)]


def test_its_generation_rises_where_nothing_matches(space: Space) -> None:
    observe(space, "near0", "far0", "far1")
    for cue in (NEAR, PUMP):
        following = space.follow(cue, after_generation=1, timeout_s=0)
        assert (list(following), following.generation) == ([], 3)


def test_what_has_been_found_is_returned_at_the_end_of_its_time(space: Space) -> None:
    observe(space, "near0", "far0", "near1")
    assert {hit.id for hit in space.follow(NEAR, timeout_s=0)} == {"near0", "near1"}
    assert [hit.id for hit in space.follow(NEAR, after_generation=0, timeout_s=0)] == ["near0", "near1"]
    assert list(space.follow(NEAR, only_new=True, timeout_s=0)) == []


def test_the_time_begins_when_something_is_asked_for(space: Space, clock: list[float]) -> None:
    observe(space, "near0")
    feed = space.changes(after_generation=0, timeout_s=10)
    clock[0] += 60
    assert next(feed).id == "near0"
    clock[0] += 9
    observe(space, "near1")
    assert next(feed).id == "near1"
    clock[0] += 2
    observe(space, "near2")
    # What there is at its end is returned, and nothing after it.
    assert [change.id for change in feed] == ["near2"]
    observe(space, "near3")
    assert (list(feed), feed.generation) == ([], 3)
    # What is closed may already have been forgotten.
    assert [each for each in space._engine.subscriptions._present() if not each.closed] == []


@pytest.mark.parametrize("method", ["follow", "changes"])
def test_any_thread_may_end_it(space: Space, method: str) -> None:
    arguments = (NEAR,) if method == "follow" else ()
    following = getattr(space, method)(*arguments)
    ended: list[list[Any]] = []
    waiting = threading.Thread(target=lambda: ended.append(list(following)))
    waiting.start()
    following.close()
    waiting.join(TIMEOUT_S)
    assert ended == [[]]
    observe(space, "near0")
    assert list(following) == []


def test_one_that_was_closed_returns_nothing_more(space: Space) -> None:
    observe(space, "near0", "near1")
    following = space.follow(NEAR)
    next(following)
    following.close()
    assert list(following) == []


@pytest.mark.parametrize("end", ["drop", "rename", "close"])
def test_it_ends_with_the_space(store: MemoryStore, space: Space, end: str) -> None:
    following = space.follow(NEAR, only_new=True)
    outcomes: list[Any] = []

    def wait() -> None:
        try:
            outcomes.append(list(following))
        except EngramError as error:
            outcomes.append(error.code)

    waiting = threading.Thread(target=wait)
    waiting.start()
    if end == "drop":
        store.drop("notes")
    elif end == "rename":
        store.rename("notes", "renamed")
    else:
        store.close()
    waiting.join(TIMEOUT_S)
    assert outcomes == [{"drop": "space_dropped", "rename": "space_renamed", "close": []}[end]]
    if end != "close":
        # It does not end quietly when more is asked for.
        with pytest.raises(FailedPrecondition):
            next(following)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"cue": ANY}, "invalid_recall"),
        ({"cue": Cue(ANY, text="pump", by="both")}, "invalid_recall"),
        ({"cue": NEAR, "k": 0}, "invalid_k"),
        ({"cue": NEAR, "timeout_s": -1}, "invalid_option"),
        ({"cue": NEAR, "timeout_s": float("nan")}, "invalid_option"),
        ({"cue": NEAR, "only_new": 1}, "invalid_flag"),
        ({"cue": NEAR, "after_generation": -1}, "invalid_after_generation"),
        ({"cue": NEAR, "after_generation": 1.5}, "invalid_after_generation"),
        ({"cue": NEAR, "changes": True}, "unknown_argument"),
    ],
)
def test_what_cannot_be_followed_is_refused_at_once(space: Space, arguments: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        space.follow(**arguments)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"after_generation": True}, "invalid_after_generation"),
        ({"filter": 3}, "invalid_filter"),
        ({"timeout_s": "1"}, "invalid_option"),
        ({"include_vectors": None}, "invalid_flag"),
        ({"only_new": True}, "unknown_argument"),
    ],
)
def test_what_no_feed_can_tell_is_refused_at_once(space: Space, arguments: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        space.changes(**arguments)
    assert refused.value.code == code
