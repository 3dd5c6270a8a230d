"""Standing recalls: each match once, in the order of generations, however slow the follower."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from engram.errors import OverCapacity
from engram.store import Cue, Filter, MemoryStore, RecallStream, Space, StoreOptions
from engram.store.subscriptions.subscription import Subscription
from tests.doubles.batches import DIM, vector_of
from tests.doubles.waiting import TIMEOUT_S

ANY = vector_of("any")


@pytest.fixture
def space() -> Iterator[Space]:
    with MemoryStore(None, options=StoreOptions(workers=1, follower_count_max=4)) as store:
        yield store.space("notes", dim=DIM)


def observe(space: Space, *ids: str, **columns: Any) -> int:
    return space.observe(list(ids), [ANY if id.startswith("near") else -ANY for id in ids], **columns)


def following(space: Space, stream: Any, until: str) -> list[str]:
    """What a stream hands out up to the id `until`."""
    found: list[str] = []
    while until not in found:
        found += [hit.id for hit in next(stream)]
    return found


def test_what_matches_is_handed_out_as_it_commits(space: Space) -> None:
    observe(space, "near0", "far0")
    with space.recall_stream(Cue(ANY, score_min=0.5), follow=True) as stream:
        assert [hit.id for hit in next(stream)] == ["near0"]
        assert not stream.more_results
        observe(space, "far1", "near1")
        (hit,) = next(stream)
        assert (hit.id, hit.recent, hit.generation) == ("near1", True, 4)
        assert hit.score == pytest.approx(1)
        observe(space, "far2")
        observe(space, "near2")
        assert following(space, stream, "near2") == ["near2"]


def test_whoever_follows_from_the_past_gets_what_came_since(space: Space) -> None:
    observe(space, "near0", "near1")
    observe(space, "near2", "far")
    observe(space, "near3")
    with space.recall_stream(Cue(ANY, score_min=0.5), max_generation=1, batch_size=2, follow=True) as stream:
        assert following(space, stream, "near3") == ["near0", "near1", "near2", "near3"]


def polled(space: Space, stream: RecallStream) -> tuple[list[str], int]:
    """What a stream hands out once all that was committed has been matched, and the generation that it tells."""
    while space._engine.subscriptions.advance():
        pass
    batch = stream.poll()
    return [hit.id for hit in batch], batch.generation


def test_whoever_follows_learns_how_far_everything_was_matched(space: Space) -> None:
    observe(space, "near0", "far0")
    with space.recall_stream(Cue(ANY, score_min=0.5), follow=True, batch_size=2) as stream:
        assert stream.subscription is not None
        assert next(stream).generation == 2
        assert polled(space, stream) == ([], 2)
        assert not stream.subscription.has_moved
        observe(space, "far1", "far2")
        assert polled(space, stream) == ([], 4)
        assert not stream.subscription.has_moved
        observe(space, "near1", "near2", "far3", "near3", "far4")
        assert polled(space, stream) == (["near1", "near2"], 6)
        assert polled(space, stream) == (["near3"], 9)
        space.delete(["near1"])
        assert polled(space, stream) == ([], 10)
        observe(space, "near4")
        assert next(stream).generation == 11


def test_a_slow_follower_learns_of_nothing_that_it_did_not_get(space: Space) -> None:
    with space.recall_stream(Cue(ANY, score_min=0.5), follow=True, batch_size=3) as stream:
        expected = []
        for number in range(10):
            observe(space, f"near{number}", f"far{number}")
            expected.append(f"near{number}")
        # Four may wait, so most of these are left to the log.
        told, ids = 0, list[str]()
        while told < 20:
            found, told = polled(space, stream)
            ids += found
            assert ids == expected[: (told + 1) // 2]
        assert polled(space, stream) == ([], 20)


def test_a_follower_that_is_closed_is_told_of_nothing_that_it_did_not_get(space: Space) -> None:
    with space.recall_stream(Cue(ANY, score_min=0.5), follow=True) as stream:
        assert stream.subscription is not None
        observe(space, "near0", "far0")
        while space._engine.subscriptions.advance():
            pass
        assert stream.subscription.has_moved
        stream.subscription.close()
        assert not stream.subscription.has_moved
        assert polled(space, stream) == ([], 0)


def test_whoever_goes_on_from_what_was_told_misses_nothing_and_gets_nothing_twice(space: Space) -> None:
    ids, told = list[str](), 0
    for number in range(6):
        observe(space, f"near{number}", *["far"] * number)
        with space.recall_stream(
            Cue(ANY, score_min=0.5), 1, max_generation=told, follow=True, batch_size=1 + number % 3
        ) as stream:
            # What there was as of then.
            stream.next_batch()
            while not ids or ids[-1] != f"near{number}":
                found, told = polled(space, stream)
                ids += found
    assert ids == [f"near{number}" for number in range(6)]


def test_each_match_is_a_version_of_its_own(space: Space) -> None:
    with space.recall_stream(Cue(ANY, score_min=0.5), follow=True) as stream:
        space.observe(["near", "near"], [ANY, ANY])
        space.delete(["near"])
        observe(space, "near", "near-end")
        assert following(space, stream, "near-end") == ["near", "near", "near", "near-end"]


def test_a_follower_that_is_slow_loses_nothing(space: Space) -> None:
    with space.recall_stream(Cue(ANY, score_min=0.5), follow=True, batch_size=3) as stream:
        assert stream.subscription is not None
        expected = []
        for number in range(30):
            observe(space, f"near{number}", f"far{number}")
            expected.append(f"near{number}")
        # Four may wait, so most of these are left to the log.
        assert following(space, stream, "near29") == expected
        observe(space, "near-end")
        assert following(space, stream, "near-end") == ["near-end"]


def test_filters_hold_for_what_follows(space: Space) -> None:
    tagged = Filter(tags=frozenset({"red"}))
    with (
        space.recall_stream(Cue(ANY, filter=tagged, score_min=0.5), follow=True) as similar,
        space.recall_stream(Cue(filter=tagged), follow=True) as any_,
    ):
        observe(space, "near1", "near2", "far3", tags=[["blue"], ["red"], ["red"]])
        observe(space, "near-end", tags=[["red"]])
        assert following(space, similar, "near-end") == ["near2", "near-end"]
        assert following(space, any_, "near-end") == ["near2", "far3", "near-end"]


def test_closing_ends_the_wait(space: Space) -> None:
    stream = space.recall_stream(Cue(ANY, score_min=0.5), follow=True)
    ended: list[list[Any]] = []
    waiting = threading.Thread(target=lambda: ended.append(list(stream)))
    waiting.start()
    stream.close()
    waiting.join(TIMEOUT_S)
    assert ended == [[]]
    observe(space, "near")
    assert not list(stream)


def test_closing_the_store_ends_standing_recalls() -> None:
    with MemoryStore(None) as store:
        stream = store.space("notes", dim=DIM).recall_stream(Cue(ANY, score_min=0.5), follow=True)
    assert list(stream) == []


def test_whoever_drops_a_standing_recall_has_left(space: Space) -> None:
    stream = space.recall_stream(Cue(ANY, score_min=0.5), follow=True)
    assert len(space._engine.subscriptions) == 1
    del stream
    assert len(space._engine.subscriptions) == 0
    observe(space, "near")
    with space.recall_stream(Cue(ANY, score_min=0.5), follow=True) as other:
        assert [hit.id for hit in next(other)] == ["near"]
        observe(space, "near-end")
        assert following(space, other, "near-end") == ["near-end"]


def test_closed_followers_make_room(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engram.store.subscriptions.registry.FOLLOWERS_MAX", 2)
    cue = Cue(ANY, score_min=0.5)
    first, second = space.recall_stream(cue, follow=True), space.recall_stream(cue, follow=True)
    with pytest.raises(OverCapacity) as caught:
        space.recall_stream(cue, follow=True)
    assert caught.value.code == "too_many_followers"
    first.close()
    space.recall_stream(cue, follow=True).close()
    second.close()


@pytest.mark.parametrize("count", [1, 3, 9])
def test_whoever_follows_while_the_matcher_lags_gets_nothing_from_before(
    space: Space, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    cue = Cue(ANY, score_min=0.5)
    advance = space._engine.subscriptions.advance
    with space.recall_stream(cue, follow=True) as earlier:
        monkeypatch.setattr(space._engine.subscriptions, "advance", lambda: False)
        before = [f"near{number}" for number in range(count)]
        observe(space, *before)
        with space.recall_stream(cue, count, count, follow=True) as later:
            assert len(next(later)) == count
            while advance():
                pass
            assert later.poll() == []
            observe(space, "near-last")
            while advance():
                pass
            assert following(space, later, "near-last") == ["near-last"]
        assert following(space, earlier, "near-last") == [*before, "near-last"]


def test_subscriptions_are_listed_while_nobody_can_add_one(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = space._engine.subscriptions

    class Listed:
        def __len__(self) -> int:
            return 0

        def valuerefs(self) -> list[Any]:
            assert registry._guard.locked(), "what grows meanwhile cannot be listed"
            return []

    monkeypatch.setattr(registry, "_subscriptions", Listed())
    assert registry.unread_generation is None
    registry.close()


def test_whoever_lets_a_space_rest_does_not_wait_for_its_matcher(space: Space) -> None:
    registry = space._engine.subscriptions
    with registry._guard:
        assert not registry.retire()
    assert registry.retire()
    registry.unretire()
    space.recall_stream(Cue(ANY, score_min=0.5), follow=True).close()


def test_a_follower_that_goes_away_keeps_no_match_from_the_others(
    space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscriptions = space._engine.subscriptions
    cue = Cue(ANY, score_min=0.5)
    with space.recall_stream(cue, follow=True) as first, space.recall_stream(cue, follow=True) as second:
        offer = Subscription.offer

        def remove_another(self: Subscription, matches: Any) -> None:
            # The garbage collector of another thread removes a reference from under the matcher.
            references.pop(1000, None)
            offer(self, matches)

        references = vars(subscriptions._subscriptions)["data"]
        references[1000] = next(iter(references.values()))
        monkeypatch.setattr(Subscription, "offer", remove_another)
        observe(space, "near0")
        assert following(space, first, "near0") == ["near0"]
        assert following(space, second, "near0") == ["near0"]


def test_nobody_hears_twice_of_what_is_matched_again(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    cue = Cue(ANY, score_min=0.5)
    failed = threading.Event()
    with space.recall_stream(cue, follow=True) as first, space.recall_stream(cue, follow=True) as second:
        offer, offered = Subscription.offer, list[Subscription]()

        def fail_at_the_second(self: Subscription, matches: Any) -> None:
            offered.append(self)
            if len(offered) == 2:
                failed.set()
                raise MemoryError
            offer(self, matches)

        monkeypatch.setattr(Subscription, "offer", fail_at_the_second)
        observe(space, "near0", "near1")
        assert failed.wait(TIMEOUT_S)
        observe(space, "near2")
        for stream in (first, second):
            assert following(space, stream, "near2") == ["near0", "near1", "near2"]
