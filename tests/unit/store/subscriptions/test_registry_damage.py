"""Standing recalls of a space with damage: whom it concerns ends or goes on without, all others miss nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engram import F
from engram.errors import CorruptData
from engram.index import HnswIndex
from engram.store import Cue, Filter, MemoryStore, RecallStream, Space, StoreOptions
from engram.store.subscriptions.matcher import Matcher
from tests.doubles.batches import vector_of
from tests.doubles.damaged import SPACE, flip_stored

# Longer than a sector: damage in the middle of a vector harms nothing else of its observation.
DIM = 256
NEAR, FAR = vector_of("near", dim=DIM), -vector_of("near", dim=DIM)


class Held:
    """A space whose commits are matched when a test says so, not before."""

    def __init__(self, path: Path, store: MemoryStore) -> None:
        self.path = path
        self.store = store
        self.space: Space = store.space(SPACE, dim=DIM)

    def observe(self, *ids: str, tags: Sequence[str] = (), aside: float = 0.0) -> None:
        """Ids that begin with ``near`` match `NEAR`; each is a record, and so a sector, of its own.

        With `aside`, they are a little farther from it.
        """
        for id, tag in zip_longest(ids, tags):
            vector = (NEAR if id.startswith("near") else FAR) * np.float32(1 + 0.001 * self.number(id))
            vector = vector + np.float32(aside) * vector_of("aside", dim=DIM)
            self.space.observe([id], [vector], [f"text of {id}"], tags=[[tag]] if tag else None)

    @staticmethod
    def number(id: str) -> int:
        return sum(id.encode())

    def damage_text(self, id: str) -> None:
        flip_stored(self.path, f"text of {id}".encode())

    def damage(self, id: str) -> None:
        hit = self.space.get(id)
        assert hit is not None
        assert hit.vector is not None
        flip_stored(self.path, hit.vector.tobytes())

    def match(self) -> None:
        while self.space._engine.subscriptions.advance():
            pass


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    monkeypatch.setattr(Matcher, "notify", lambda *_: None)
    with MemoryStore(tmp_path, options=StoreOptions(workers=1, scrub_bytes_per_s=0)) as store:
        yield Held(tmp_path, store)


def ids(stream: RecallStream) -> list[str]:
    """What waits, without waiting for more."""
    found: list[str] = []
    while batch := stream.poll():
        found += [hit.id for hit in batch]
    return found


def follow(held: Held, cue: Cue, **options: Any) -> RecallStream:
    stream = held.space.recall_stream(cue, follow=True, **options)
    while stream.more_results:
        stream.next_batch()
    return stream


def test_a_follower_that_may_have_missed_a_match_ends_and_gets_what_came_before(held: Held) -> None:
    with follow(held, Cue(NEAR, score_min=0.5)) as stream:
        held.observe("near0", "near1", "near2")
        held.damage("near1")
        held.match()
        assert [hit.id for hit in stream.poll()] == ["near0"]
        for _ in range(2):  # It does not go on after the error as if nothing had been.
            with pytest.raises(CorruptData, match=r"space notes: log/.* at offset \d+ \(generation 2\)"):
                stream.poll()
        assert held.space._engine.damages.count == 1


def test_others_are_matched_on(held: Held) -> None:
    far = follow(held, Cue(FAR, score_min=0.5))
    tagged = follow(held, Cue(NEAR, score_min=0.5, filter=Filter(tags=frozenset({"a"}))))
    newest = follow(held, Cue(filter=Filter(tags=frozenset({"b"}))))
    held.observe("far0", "near1", "near2", "near3", tags="abab")
    held.damage("near1")
    held.match()
    held.observe("far4", "near5", tags="aa")
    held.match()
    assert ids(far) == ["far0", "far4"]
    assert ids(tagged) == ["near2", "near5"]
    assert ids(newest) == ["near1", "near3"]
    assert held.space._engine.damages.count == 1


def test_with_skip_damaged_it_goes_on_and_is_incomplete(held: Held) -> None:
    with follow(held, Cue(NEAR, score_min=0.5), skip_damaged=True) as stream:
        held.observe("near0", "near1", "near2")
        held.damage("near1")
        held.match()
        assert ids(stream) == ["near0", "near2"]
        assert stream.incomplete
        held.observe("near3")
        held.match()
        batch = stream.poll()
        assert [hit.id for hit in batch] == ["near3"]
        assert batch.incomplete


def test_a_follower_too_slow_to_be_offered_matches_meets_the_damage_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Matcher, "notify", lambda *_: None)
    options = StoreOptions(workers=1, follower_count_max=2, scrub_bytes_per_s=0)
    with MemoryStore(tmp_path, options=options) as store:
        held = Held(tmp_path, store)
        stream = follow(held, Cue(NEAR, score_min=0.5))
        held.observe(*(f"near{n}" for n in range(6)))
        held.match()
        held.damage("near4")
        found = [hit.id for _ in range(2) for hit in stream.poll()]
        assert found == ["near0", "near1", "near2", "near3"]
        with pytest.raises(CorruptData):
            stream.poll()


def test_a_match_that_cannot_be_read_is_not_passed_over_after_the_error(held: Held) -> None:
    with follow(held, Cue(filter=Filter(tags=frozenset({"a"})))) as stream:
        held.observe("near0", "near1", tags="aa")
        # The columns of so small an observation are one sector.
        held.damage_text("near0")
        held.match()
        for _ in range(2):
            with pytest.raises(CorruptData):
                stream.poll()


def test_lost_pages_of_a_checkpoint_cost_a_follower_nothing(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: Any) -> None:
        raise CorruptData("pages of the checkpoint are lost", code="corrupt_checkpoint")

    monkeypatch.setattr(HnswIndex, "match", lost)
    near = follow(held, Cue(NEAR, score_min=0.5))
    newest = follow(held, Cue(filter=Filter(tags=frozenset({"a"}))))
    held.observe("near0", "far1", tags="aa")
    held.match()
    held.observe("near2")
    held.match()
    assert (ids(near), ids(newest)) == (["near0", "near2"], ["near0", "far1"])


def noted(held: Held, **notes: str) -> None:
    for id, note in notes.items():
        held.space.observe([id], [NEAR if id.startswith("near") else FAR], metadata=[{"note": note}])


def long(words: str) -> str:
    """A text that the filter index has as a digest only."""
    return f"{words} " * 30


def test_a_damaged_text_of_long_ago_harms_no_follower(held: Held) -> None:
    noted(held, near0=long("old words"))
    filters = (F.note.contains("new"), F.note.starts_with("new"), F.note < "o")
    streams = [
        *(follow(held, Cue(NEAR, score_min=0.5, filter=filter)) for filter in filters),
        *(follow(held, Cue(filter=filter)) for filter in filters),
    ]
    flip_stored(held.path, long("old words").encode())
    noted(held, near1=long("new words"), near2="new")
    held.match()
    assert [ids(stream) for stream in streams] == [["near1", "near2"]] * 6


def test_a_text_that_is_damaged_in_one_place_is_read_in_another(held: Held) -> None:
    noted(held, near0=long("the same words"), near1=long("the same words"))
    flip_stored(held.path, long("the same words").encode())
    assert held.space.count(F.note.contains("same")) == 2


def test_a_filter_that_meets_damage_ends_its_follower_and_no_other(held: Held) -> None:
    with (
        follow(held, Cue(FAR, score_min=0.5)) as far,
        follow(held, Cue(NEAR, score_min=0.5, filter=F.note.contains("words"))) as near,
        follow(held, Cue(filter=F.note.contains("words"))) as newest,
    ):
        noted(held, near0=long("damaged words"))
        flip_stored(held.path, long("damaged words").encode())
        held.match()
        noted(held, far1=long("more words"))
        held.match()
        assert ids(far) == ["far1"]
        assert held.space._engine.subscriptions.matched_generation == 2
        for stream in (near, newest):
            for _ in range(2):
                with pytest.raises(CorruptData):
                    stream.poll()


def test_a_follower_that_skips_damage_goes_on_behind_what_its_filter_cannot_judge(held: Held) -> None:
    for plain in (Cue(NEAR, score_min=0.5), Cue()):
        cue = replace(plain, filter=F.note.contains("words"))
        with follow(held, cue, skip_damaged=True) as lenient, follow(held, cue) as strict:
            id = "near0" if cue.ranks else "near1"
            noted(held, near2="words", **{id: long(f"damaged {id} words"), "near3": long("words")})
            flip_stored(held.path, long(f"damaged {id} words").encode())
            held.match()
            assert ids(lenient) == ["near2", "near3"]
            assert lenient.incomplete
            assert [hit.id for hit in strict.poll()] == ["near2"]
            for _ in range(2):
                with pytest.raises(CorruptData):
                    strict.poll()
        held.space.delete(["near0", "near1", "near2", "near3"])


def test_what_is_too_far_needs_no_filter_to_judge_it(held: Held) -> None:
    with follow(held, Cue(NEAR, score_min=0.5, filter=F.note.contains("words"))) as stream:
        noted(held, far0=long("damaged words"), near1="words")
        flip_stored(held.path, long("damaged words").encode())
        held.match()
        assert ids(stream) == ["near1"]
        assert stream.subscription is not None
        assert held.space._engine.subscriptions.look_up(stream.subscription.prepared, 1, 2, [], []).generations == [2]


def test_what_is_observed_meanwhile_and_damaged_is_not_left_out_unsaid(held: Held) -> None:
    # What is observed meanwhile is only handed out if it is at least as near as these.
    held.observe(*(f"near{n}" for n in range(4)), aside=0.1)
    streams = [
        held.space.recall_stream(Cue(NEAR, score_min=0.5), batch_size=2, include_recent=True, skip_damaged=skip)
        for skip in (False, True)
    ]
    assert [len(stream.next_batch()) for stream in streams] == [2, 2]
    held.observe("near8", "near9")
    held.damage("near8")
    strict, lenient = streams
    for _ in range(2):
        with pytest.raises(CorruptData):
            strict.next_batch()
    rest = [hit.id for batch in lenient for hit in batch]
    assert "near9" in rest
    assert "near8" not in rest
    assert lenient.incomplete
