"""Recalls and look-ups of a space with damage: an error that names it, or an answer that says what it lacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engram import Condition, F, Own
from engram.errors import CorruptData
from engram.store import Cue, Filter, MemoryStore, Space, StoreOptions, Strength, recovery
from engram.store.indexing.checkpoints import Checkpoints
from engram.store.space_state import SpaceState
from tests.doubles.batches import vector_of
from tests.doubles.damaged import SPACE, flip_stored

# Longer than a sector: damage in the middle of a vector harms nothing else of its observation.
DIM = 256
CUE = vector_of("a", dim=DIM)
NAMED = r"space notes: log/\d+\.log is damaged at offset \d+ \(generation 2\): its bytes do not fit their checksum"
CUES: dict[str, Cue] = {
    "by similarity": Cue(CUE),
    "filtered": Cue(CUE, filter=Filter(tags=frozenset({"t"}))),
    "by words": Cue(text="text", by="words"),
    "both": Cue(CUE, "text", "both"),
    "newest": Cue(filter=Filter(tags=frozenset({"t"}))),
}


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Space]:
    with MemoryStore(tmp_path, options=StoreOptions(workers=1, scrub_bytes_per_s=0)) as store:
        space = store.space(SPACE, dim=DIM)
        for id in "abc":
            # A record each, so that each has sectors of its own.
            space.observe([id], [vector_of(id, dim=DIM)], [f"text of {id}"], tags=[["t"]])
        yield space


def damage_vector(path: Path) -> None:
    flip_stored(path, vector_of("b", dim=DIM).tobytes())


def damage_text(path: Path) -> None:
    flip_stored(path, b"text of b")


@pytest.mark.parametrize("damage", [damage_vector, damage_text])
@pytest.mark.parametrize("strength", [None, Strength()], ids=["by score", "by strength"])
@pytest.mark.parametrize("cue", CUES.values(), ids=CUES)
def test_what_is_damaged_is_never_served_and_never_missing_unsaid(
    space: Space, tmp_path: Path, cue: Cue, strength: Strength | None, damage: Callable[[Path], None]
) -> None:
    damage(tmp_path)
    hits = space.recall(cue, strength=strength, skip_damaged=True)
    assert sorted((hit.id, hit.content) for hit in hits) == [("a", "text of a"), ("c", "text of c")]
    assert [hit.vector is not None for hit in hits] == [True, True]
    assert hits.incomplete
    assert hits.generation == 3
    assert space.stats().damaged_count == 1

    stream = space.recall_stream(cue, strength=strength, batch_size=1, skip_damaged=True)
    assert sorted(hit.id for batch in stream for hit in batch) == ["a", "c"]
    assert stream.incomplete

    def read_all() -> list[object]:
        return [(hit.id, hit.content, hit.vector) for hit in space.recall(cue, strength=strength)]

    with pytest.raises(CorruptData, match=NAMED):
        read_all()


LONG = {id: f"words of {id} " * 40 for id in "abc"}


@pytest.fixture
def noted(tmp_path: Path) -> Iterator[Space]:
    """Observations with texts that the filter index has as digests only, of which that of ``b`` is damaged."""
    with MemoryStore(tmp_path, options=StoreOptions(workers=1, scrub_bytes_per_s=0)) as store:
        space = store.space(SPACE, dim=DIM)
        for deck, (id, note) in enumerate(LONG.items()):
            space.observe([id], [vector_of(id, dim=DIM)], metadata=[{"note": note, "deck": deck}])
        flip_stored(tmp_path, LONG["b"].encode())
        yield space


QUESTIONS: dict[str, tuple[Condition, str]] = {
    "a part": (F.note.contains("words"), "ac"),
    "a range": (F.note >= "words of a", "ac"),
    "not a part": (~F.note.contains("of a"), "c"),
    "beside others": ((F.deck >= 1) & F.note.contains("words"), "c"),
    "one or the other": ((F.deck == 0) | F.note.starts_with("words of b"), "a"),
}


@pytest.mark.parametrize("cue", [Cue(CUE), Cue()], ids=["by similarity", "newest"])
@pytest.mark.parametrize(("filter", "found"), QUESTIONS.values(), ids=QUESTIONS)
def test_what_a_filter_cannot_judge_is_left_out_and_said(noted: Space, filter: Condition, found: str, cue: Cue) -> None:
    asked = replace(cue, filter=filter)
    hits = noted.recall(asked, skip_damaged=True)
    assert ("".join(sorted(hit.id for hit in hits)), hits.incomplete) == (found, True)
    stream = noted.recall_stream(asked, skip_damaged=True)
    assert "".join(sorted(hit.id for batch in stream for hit in batch)) == found
    assert stream.incomplete
    with pytest.raises(CorruptData, match=NAMED):
        noted.recall(asked)
    with pytest.raises(CorruptData, match=NAMED):
        noted.count(filter)
    with pytest.raises(CorruptData, match=NAMED):
        noted.delete(filter=filter)
    assert noted.generation == 3


def test_damage_that_decides_nothing_harms_no_filter(noted: Space) -> None:
    words = F.note.contains("words")
    for filter, found in ((words & (F.deck != 1), "ac"), (words & (F.never == 1), ""), (F.note == LONG["a"], "a")):
        hits = noted.recall(Cue(CUE, filter=filter))
        assert ("".join(sorted(hit.id for hit in hits)), hits.incomplete) == (found, False)
        assert noted.count(filter) == len(found)
    noted.delete(["b"])
    assert noted.count(words) == 2
    assert not noted.recall(Cue(CUE, filter=words), skip_damaged=True).incomplete


def test_damaged_ids_are_left_out_by_a_filter_of_ids(noted: Space) -> None:
    held = noted.snapshot()
    noted.delete(["a", "b", "c"])
    # The ids of so small an observation are in the sector of its text.
    hits = held.recall(Cue(filter=Own.id.is_in(["a", "x"])), skip_damaged=True)
    assert ([hit.id for hit in hits], hits.incomplete) == (["a"], True)
    with pytest.raises(CorruptData, match=NAMED):
        held.count(Own.id == "a")
    assert held.count((Own.id == "a") & (F.deck != 1)) == 1


def test_a_stream_that_failed_does_not_go_on_without_a_word(space: Space, tmp_path: Path) -> None:
    damage_vector(tmp_path)
    stream = space.recall_stream(CUE, batch_size=1)
    for _ in range(3):
        with pytest.raises(CorruptData, match=NAMED):
            list(stream)


def test_what_is_not_asked_for_harms_no_answer(space: Space, tmp_path: Path) -> None:
    damage_vector(tmp_path)
    hits = space.recall(Cue(CUE), max_generation=1)
    assert ([hit.id for hit in hits], hits.incomplete) == (["a"], False)
    by_words = space.recall(Cue(text="text", by="words"))
    assert {hit.content for hit in by_words} == {"text of a", "text of b", "text of c"}


def test_a_look_up_reads_only_what_it_is_asked_for(space: Space, tmp_path: Path) -> None:
    damage_vector(tmp_path)
    hit = space.get("b")
    assert hit is not None
    assert hit.content == "text of b"
    with pytest.raises(CorruptData, match=NAMED):
        _ = hit.vector


def test_an_id_whose_older_version_may_be_in_a_damaged_record_is_not_answered_with_none(
    space: Space, tmp_path: Path
) -> None:
    space.delete(["a"])
    assert space.get("a", 3) is not None
    damage_text(tmp_path)
    for get in (space.get, lambda id, _: space.snapshot(3).get(id)):
        for id in ("a", "no such id"):
            with pytest.raises(CorruptData, match=NAMED):
                get(id, 3)
    assert space.get("a", 1) is not None
    assert space.get("a") is None


def test_writes_and_other_spaces_go_on(tmp_path: Path) -> None:
    with MemoryStore(tmp_path) as store:
        space, other = (store.space(name, dim=8) for name in (SPACE, "other"))
        for one in (space, other):
            one.observe(["a"], np.ones((1, 8), np.float32), ["text of b"])
        damage_text(tmp_path)
        with pytest.raises(CorruptData):
            _ = [hit.content for hit in space.recall(np.ones(8))]
        assert space.observe(["b"], -np.ones((1, 8), np.float32)) == 2
        assert [hit.content for hit in other.recall(np.ones(8))] == ["text of b"]
        assert {damage.space for damage in store.damages()} == {SPACE}


def test_no_vector_is_ranked_by_that_was_damaged_while_its_space_was_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What no checkpoint covers is checked when the log is opened, and once more when it is read for the index."""
    options = StoreOptions(workers=1, scrub_bytes_per_s=0)
    monkeypatch.setattr(Checkpoints, "write", lambda *_: 0)
    with MemoryStore(tmp_path, options=options) as store:
        store.space(SPACE, dim=DIM).observe(["a", "b", "c"], [vector_of(id, dim=DIM) for id in "abc"])
    append = recovery._append_uncovered

    def damaged_meanwhile(state: SpaceState) -> None:
        damage_vector(tmp_path)
        append(state)

    monkeypatch.setattr(recovery, "_append_uncovered", damaged_meanwhile)
    with MemoryStore(tmp_path, options=options) as store:
        damaged: list[int] = []
        found, _ = store.space(SPACE)._engine._state.index.search(CUE, k=3, damaged=damaged)
        assert (sorted(found.tolist()), damaged) == ([0, 1, 3], [2])
