"""The campaign of kills and power cuts itself: it would notice what it looks for."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from campaigns.compaction.examiner import QUIET, Tally, examine
from campaigns.compaction.history import History
from campaigns.compaction.story import (
    DIM,
    RETENTION,
    SPACE,
    Kind,
    Step,
    Story,
    Taken,
    is_secret,
    secret_id,
    secret_number,
    traces_of,
)
from campaigns.patterns import contents_of
from engram import MemoryStore

STEPS = 120
SECRETS = Step(Kind.SECRETS, (7, 8, 9))


def live(directory: Path, history: History, life: int = 1, steps: int = STEPS) -> None:
    """Take some steps, and stop between two of them."""
    with MemoryStore(directory, options=QUIET) as store:
        space = store.space(SPACE, dim=DIM)
        space.set_retention(RETENTION)
        story = Story(space, life)
        for step in itertools.islice(story.steps(), steps):
            take(story, step, history)


def take(story: Story, step: Step, history: History) -> None:
    history.begin(step)
    assert history.end(story.take(step)) == []


def found(directory: Path, history: History, life: int = 1) -> Tally:
    tally = Tally()
    opened = partial(MemoryStore, directory, options=QUIET)
    examine(opened, history, life, lambda: contents_of(directory), tally)
    return tally


def test_what_is_as_it_was_told_is_right(tmp_path: Path) -> None:
    history = History()
    for life in (1, 2, 3):
        live(tmp_path / "data", history, life)
        tally = found(tmp_path / "data", history, life)
        assert tally.wrong == []
        assert tally.states > 5
    assert len(history.erased) > 30
    assert tally.compactions == 1
    assert tally.interrupted == {"nothing": 1}


def last_row(history: History) -> int:
    """Where the last change of a row is; erasures have no effect on rows."""
    return max(place for place, change in enumerate(history._changes) if not is_secret(change.id))


def lost_acknowledgement(history: History) -> None:
    history.sequences["left"] += 7


def another_text(history: History) -> None:
    place = last_row(history)
    history._changes[place] = history._changes[place]._replace(text="another text")


def another_generation(history: History) -> None:
    place = last_row(history)
    change = history._changes[place]
    history._changes[place] = change._replace(generation=change.generation - 1)


def erased_and_alive(history: History) -> None:
    secrets = {change.id: change.text for change in history._changes if is_secret(change.id)}
    alive = {secret_number(id) for id, text in secrets.items() if text is not None} - history.erased
    history.erased.add(alive.pop())


@pytest.mark.parametrize(
    ("harm", "word"),
    [
        (lost_acknowledgement, "left is durable up to"),
        (another_text, "another text"),
        (another_generation, "differ"),
        (erased_and_alive, "was erased, and is in a file"),
    ],
)
def test_what_is_not_as_it_was_told_is_noticed(tmp_path: Path, harm: Callable[[History], None], word: str) -> None:
    history = History()
    live(tmp_path / "data", history)
    assert found(tmp_path / "data", history).wrong == []
    harm(history)
    assert any(word in fault for fault in found(tmp_path / "data", history).wrong)


def test_what_is_left_of_the_erased_anywhere_is_noticed(tmp_path: Path) -> None:
    history = History()
    live(tmp_path / "data", history)
    for trace in traces_of(min(history.erased)):
        (tmp_path / "data" / "stray").write_bytes(b"before" + trace)
        (fault,) = found(tmp_path / "data", history).wrong
        assert repr(trace) in fault


@pytest.mark.parametrize(
    ("step", "taken", "word"),
    [
        (Step(Kind.ROWS, (1, 2, 3), "left"), Taken(4, 3), "1 are new"),
        (Step(Kind.ROWS, (1, 2), "left"), Taken(4, 1), "0 are new"),
        (Step(Kind.ROWS, (3,), "left"), Taken(2, 1), "behind 2"),
    ],
)
def test_answers_that_cannot_be_are_noticed(step: Step, taken: Taken, word: str) -> None:
    history = History()
    history.begin(Step(Kind.ROWS, (1, 2), "left"))
    assert history.end(Taken(2, 2)) == []
    history.begin(step)
    (fault,) = history.end(taken)
    assert word in fault


@pytest.mark.parametrize("is_stored", [False, True])
def test_a_step_without_an_answer_is_all_or_nothing(tmp_path: Path, is_stored: bool) -> None:
    history = History()
    live(tmp_path / "data", history, steps=3)
    history.begin(SECRETS)
    if is_stored:
        with MemoryStore(tmp_path / "data", options=QUIET) as store:
            Story(store.space(SPACE), 2).take(SECRETS)
    assert found(tmp_path / "data", history).wrong == []
    assert (history.sequences["left"], history.pending) == (7, None)


def test_a_part_of_a_step_is_noticed(tmp_path: Path) -> None:
    history = History()
    live(tmp_path / "data", history, steps=3)
    with MemoryStore(tmp_path / "data", options=QUIET) as store:
        Story(store.space(SPACE), 2).take(SECRETS._replace(numbers=SECRETS.numbers[:2]))
    history.begin(SECRETS)
    assert "a part of" in found(tmp_path / "data", history).wrong[0]


def test_an_erasure_without_an_answer_is_asked_for_again(tmp_path: Path) -> None:
    history = History()
    with MemoryStore(tmp_path / "data", options=QUIET) as store:
        take(Story(store.space(SPACE, dim=DIM), 1), SECRETS, history)
    history.begin(Step(Kind.ERASURE, (7, 8)))
    tally = found(tmp_path / "data", history)
    assert (tally.wrong, tally.interrupted, tally.erased) == ([], {"erasure": 1}, 2)
    with MemoryStore(tmp_path / "data", options=QUIET) as store:
        assert [hit.id for hit in store.space(SPACE).scan()] == [secret_id(9)]
