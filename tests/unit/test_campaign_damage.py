"""The campaign of damage itself: it would notice what it looks for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from campaigns.damage.harm import Harm
from campaigns.damage.model import Model
from campaigns.damage.pristine import Pristine
from campaigns.damage.questions import answer, questions
from campaigns.damage.results import markdown, saved
from campaigns.damage.story import SPACES, Change, write_story
from campaigns.damage.verdict import KEPT, judge, naming
from campaigns.damage.writer import apply, wait_until_indexed
from engram import MemoryStore
from engram.store.space import Space
from tests.doubles.places import ROOT

STORY = write_story("a test")
FLIP = Harm("bit", ("spaces/alpha/log/000000000001.log",), 1030, 1)
NOWHERE = Pristine("closed", Path(), [], Path(), "")


def model_of(name: str, changes: list[Change]) -> Model:
    config = SPACES[name]
    return Model(config.metric, config.dim, [change for change in changes if change.space == name])


@pytest.fixture(scope="module")
def store() -> Iterator[MemoryStore]:
    with MemoryStore(None) as store:
        for name, config in SPACES.items():
            store.space(name, config.dim, config.metric, config.embedder or None, vectors=config.vectors)
        for change in STORY:
            apply(store.space(change.space), change, store)
        yield store


def outcomes(space: Space, model: Model) -> dict[str, Any]:
    asked = {question.name: answer(question, space) for question in questions(model)}
    return {name: outcome for name, outcome in asked.items() if outcome}


@pytest.mark.parametrize("name", SPACES)
def test_a_sound_space_answers_everything_right(store: MemoryStore, name: str) -> None:
    space = store.space(name)
    wait_until_indexed(space)
    assert outcomes(space, model_of(name, STORY)) == {}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("content", "pay Bob 900"),
        ("vector", 0),
        ("tags", ["forged"]),
        ("metadata", {"forged": 1}),
        ("time_us", 1),
        ("confidence", 0.25),
        ("importance", 0.25),
        ("expires_us", 4_102_444_800_000_000),
    ],
)
def test_one_changed_value_is_a_wrong_answer(store: MemoryStore, column: str, value: Any) -> None:
    changes = [change for change in STORY if change.space == "quiet"]
    row = changes[-1].rows[-1]
    assert row.vector is not None
    other: Any = {column: row.vector + 1 if column == "vector" else value}
    changes[-1] = changes[-1]._replace(rows=(*changes[-1].rows[:-1], row._replace(**other)))
    found = outcomes(store.space("quiet"), model_of("quiet", changes))
    assert "wrong" in found[f"get {row.id}"]


@pytest.mark.parametrize("column", ["vector", "content", "expires_us"])
def test_what_a_row_lacks_or_has_is_a_wrong_answer_if_it_is_the_other_way(store: MemoryStore, column: str) -> None:
    others: Any = {"vector": np.ones(SPACES["sparse"].dim, np.float32), "content": "forged", "expires_us": 1}
    changes = [change for change in STORY if change.space == "sparse"]
    for is_there in (True, False):
        row = next(v.row for v in model_of("sparse", STORY).alive() if (getattr(v.row, column) is None) != is_there)
        change_of_it: Any = {column: None if is_there else others[column]}
        forged = row._replace(**change_of_it)
        other = [
            change._replace(rows=tuple(forged if one is row else one for one in change.rows)) for change in changes
        ]
        assert "wrong" in outcomes(store.space("sparse"), model_of("sparse", other))[f"get {row.id}"]


def test_what_was_forgotten_and_came_back_and_what_is_gone_are_wrong_answers(store: MemoryStore) -> None:
    deletion = next(change for change in reversed(STORY) if change.deleted and change.space == "metres")
    without = [change for change in STORY if change is not deletion]
    assert "wrong" in outcomes(store.space("metres"), model_of("metres", without))["recall all by cue 0"]
    more = [*STORY, next(change for change in STORY if change.space == "metres")._replace(session="")]
    assert "wrong" in outcomes(store.space("metres"), model_of("metres", more))["numbers"]


def test_a_cut_model_is_the_model_of_what_is_left() -> None:
    model = model_of("alpha", STORY)
    for generation in (0, 1, 25, model.generation):
        cut = model.cut(generation)
        assert cut.generation == generation
        assert {v.generation for v in cut.alive()} == {v.generation for v in model.alive(generation)}


def finding(**found: Any) -> dict[str, Any]:
    return {"refused": {}, "wrong": [], "unnamed": [], "lost": {}, "states": [], **found}


def refusal(place: tuple[str, int] = ("", 0)) -> dict[str, Any]:
    return {"codes": {"corrupt_log": 1}, "first": "it", "place": list(place)}


def report(file: str = "log/000000000001.log", offset: int = 1024) -> list[dict[str, Any]]:
    return [{"when": "asked", "damages": [["alpha", file, offset]], "unsound": {}, "named": {}}]


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (None, "dead process"),
        (finding(), "unreported"),
        (finding(wrong=[{}]), "wrong answer"),
        (finding(unnamed=[{}]), "unnamed exception"),
        (finding(unopened="no"), "sound space refused"),
        (finding(refused={"quiet": refusal()}), "sound space refused"),
        (finding(lost={"alpha": "unknown"}), "silent loss"),
        (finding(lost={"alpha": [400, 399]}), "silent loss"),
        (finding(refused={"alpha": refusal()}), "refused by name"),
        (finding(states=report()), "served right and reported"),
    ],
)
def test_verdicts(monkeypatch: pytest.MonkeyPatch, found: dict[str, Any] | None, word: str) -> None:
    monkeypatch.setattr(Pristine, "provable", lambda *_: 300)
    assert judge(NOWHERE, FLIP, found).word == word


@pytest.mark.parametrize(("went", "word"), [(300, "unprovable"), (399, "unprovable"), (299, "silent loss")])
def test_only_what_lies_behind_the_mark_may_be_unprovable(
    monkeypatch: pytest.MonkeyPatch, went: int, word: str
) -> None:
    monkeypatch.setattr(Pristine, "provable", lambda *_: 300)
    zeros = Harm("page of zeros", FLIP.files, 4096, 4096, may_unmake=True)
    assert judge(NOWHERE, zeros, finding(lost={"alpha": [400, went]})).word == word


@pytest.mark.parametrize(
    ("states", "named"),
    [
        ([], ""),
        (report(), "sector"),
        (report(offset=512), "file"),
        (report(offset=1536), "file"),
        (report(file="space.json"), "space"),
    ],
)
def test_how_exactly_damage_was_named(states: list[dict[str, Any]], named: str) -> None:
    assert naming(FLIP, finding(states=states)) == named


def test_the_page_on_reliability_shows_what_was_saved() -> None:
    result = ROOT / "campaigns" / "results" / "damage.json"
    assert markdown(result) in (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    words = {trial["verdict"] for trial in saved(result)}
    assert words <= set(KEPT)
