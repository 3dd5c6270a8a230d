"""Standing recalls by words: what is new matches if it has all words, whoever else follows, and however slowly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engram.errors import CorruptData
from engram.store import Cue, Filter, MemoryStore, RecallStream, Space, StoreOptions
from engram.store.recall import full_text
from engram.store.subscriptions import word_matches
from engram.store.subscriptions.matcher import Matcher
from tests.doubles.damaged import SPACE, flip_stored

QUIET = StoreOptions(workers=1, follower_count_max=4, scrub_bytes_per_s=0)


@pytest.fixture
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Space]:
    """A space whose commits are matched when a test says so, not before."""
    monkeypatch.setattr(Matcher, "notify", lambda *_: None)
    with MemoryStore(tmp_path, options=QUIET) as store:
        yield store.space(SPACE, vectors="none")


def follow(space: Space, text: str, filter: Any = None, **options: Any) -> RecallStream:
    cue = Cue(text=text, by="words") if filter is None else Cue(text=text, by="words", filter=filter)
    stream = space.recall_stream(cue, follow=True, **options)
    while stream.more_results:
        stream.next_batch()
    return stream


def store(space: Space, **texts: str) -> None:
    space.observe(list(texts), contents=list(texts.values()))


def matched(space: Space, *streams: RecallStream) -> list[str]:
    """The ids that each stream hands out once everything has been matched."""
    while space._engine.subscriptions.advance():
        pass
    return ["".join(hit.id for hit in polled(stream)) for stream in streams]


def polled(stream: RecallStream) -> Iterator[Any]:
    while batch := stream.poll():
        yield from batch


def test_what_has_all_words_matches_whatever_their_forms(space: Space) -> None:
    streams = [follow(space, text) for text in ("leaking pump", "LEAKS", "pump pump", "no-such pump", "a_b", "...")]
    store(space, a="The pumps leak, all of them", b="a pump", c="leaks", d="no such pump", e="a b", f="b a", g="")
    assert matched(space, *streams) == ["a", "ac", "abd", "d", "e", ""]


def test_each_version_is_matched_by_its_own_text(space: Space) -> None:
    stream = follow(space, "pump")
    store(space, a="pump", b="door")
    space.update("b", content="another pump")
    store(space, a="door")
    space.delete(["b"])
    assert matched(space, stream) == ["ab"]
    space.observe("c", content=None)
    assert matched(space, stream) == [""]


def test_the_filter_holds_too(space: Space) -> None:
    red, none = follow(space, "pump", Filter(tags={"red"})), follow(space, "pump", Filter(tags={"none"}))
    space.observe(["a", "b", "c"], contents=["pump", "pump", "door"], tags=[["red"], ["blue"], ["red"]])
    assert matched(space, red, none) == ["a", ""]


def test_scores_say_nothing_and_each_match_is_new(space: Space) -> None:
    stream = follow(space, "pump")
    store(space, a="pump pump pump", b="one pump among many other words")
    while space._engine.subscriptions.advance():
        pass
    assert [(hit.id, hit.score, hit.recent) for hit in stream.poll()] == [("a", 1.0, True), ("b", 1.0, True)]


def test_whoever_is_slow_or_begins_in_the_past_reads_the_log(space: Space) -> None:
    slow = follow(space, "pump")
    for number in range(20):
        store(space, **{f"{number:02}": "pump" if number % 2 else "door"})
    late = follow(space, "pump", max_generation=10)
    odd = [f"{number:02}" for number in range(20) if number % 2]
    assert matched(space, slow, late) == ["".join(odd), "".join(odd[5:])]


def test_the_texts_are_taken_in_once_for_all_and_not_at_all_for_nobody(
    space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []

    def counting(does: Callable[[], object]) -> Callable[[], object]:
        def done() -> object:
            made.append(does())
            return made[-1]

        return done

    monkeypatch.setattr(word_matches, "open_texts", counting(full_text.open_texts))
    newest = space.recall_stream(Cue(), follow=True)
    newest.next_batch()
    store(space, a="pump")
    assert (matched(space, newest), made) == (["a"], [])
    streams = [follow(space, "pump"), follow(space, "door"), follow(space, "...")]
    store(space, b="pump", c="door")
    assert matched(space, newest, *streams) == ["bc", "b", "c", ""]
    assert len(made) == 1


def test_large_texts_are_matched_a_few_at_a_time(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    add_texts = full_text.add_texts

    def noted(database: Any, texts: Any) -> None:
        taken.append(len(texts))
        add_texts(database, texts)

    monkeypatch.setattr(word_matches, "add_texts", noted)
    monkeypatch.setattr(word_matches, "BATCH_BYTES_MAX", 5000)
    stream = follow(space, "pump")
    names = [f"{number:02}" for number in range(12)]
    space.observe(names, contents=[f"pump {'x' * 2000}"] * 12)
    # More match than may wait for the first one, which reads the others from the log, as the second does with all.
    assert matched(space, stream) == ["".join(names)]
    assert matched(space, follow(space, "pump", max_generation=0)) == ["".join(names)]
    assert max(taken) == 2


def test_a_damaged_text_ends_who_may_have_missed_it_and_no_other(space: Space, tmp_path: Path) -> None:
    strict, lenient = follow(space, "pump"), follow(space, "pump", skip_damaged=True)
    red = follow(space, "pump", Filter(tags={"red"}))
    nothing = follow(space, "...")
    space.observe("a", content="the pump", tags=["red"])
    space.observe("b", content="damaged pump of this")
    space.observe("c", content="a pump", tags=["red"])
    flip_stored(tmp_path, b"damaged pump of this")
    assert matched(space, lenient, red, nothing) == ["ac", "ac", ""]
    assert (lenient.incomplete, red.incomplete) == (True, False)
    assert [hit.id for hit in strict.poll()] == ["a"]
    for _ in range(2):
        with pytest.raises(CorruptData):
            strict.poll()
