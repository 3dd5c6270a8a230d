"""``engram update`` on a data directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engram.cli.main import run
from engram.store import MemoryStore

pytestmark = pytest.mark.usefixtures("in_empty_directory")
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def of_notes(tmp_path: Path) -> list[str]:
    """The options that name a space with two observations."""
    path = tmp_path / "data"
    with MemoryStore(path) as store:
        store.space("notes", dim=8).observe(
            ids=["a", "b"],
            vectors=np.eye(8)[:2],
            contents=["first", "second"],
            confidences=[0.5, 0.25],
            metadata=[{"deck": 2, "due": "soon"}, None],
            tags=[["x"], []],
        )
    return ["--data", str(path), "--space", "notes"]


def found(of_notes: list[str]) -> list[tuple[Any, ...]]:
    """What the observations have."""
    with MemoryStore(of_notes[1]) as store:
        hits = [hit for hit in store.space("notes").get(["a", "b"]) if hit is not None]
        return [(hit.content, hit.metadata, hit.tags, hit.confidence, hit.importance) for hit in hits]


def test_what_is_named_changes_and_the_rest_stays(of_notes: list[str], capsys: Capture) -> None:
    metadata = '{"due": null, "state": "done"}'
    assert run(["update", "a", "b", *of_notes, "--metadata", metadata, "--tag", "y", "--tag", "z"]) == 0
    assert "2 updated in space notes, as of generation 4." in capsys.readouterr().out
    assert found(of_notes) == [
        ("first", {"deck": 2, "state": "done"}, ["y", "z"], 0.5, 0.5),
        ("second", {"state": "done"}, ["y", "z"], 0.25, 0.5),
    ]
    assert run(["update", "b", *of_notes, "--text", "", "--no-tags", "--confidence", "1", "--importance", "0"]) == 0
    assert found(of_notes)[1] == ("", {"state": "done"}, [], 1.0, 0.0)
    assert run(["update", "a", *of_notes, "--metadata", "{}", "--replace-metadata"]) == 0
    assert found(of_notes)[0] == ("first", {}, ["y", "z"], 0.5, 0.5)


def test_the_generations_are_printed_as_json(of_notes: list[str], capsys: Capture) -> None:
    assert run(["update", "b", "a", *of_notes, "--text", "same", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"first_generation": 3, "generation": 4, "count": 2}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "ID"),
        (["a"], "nothing to change"),
        (["a", "--tag", "x", "--no-tags"], "either --tag or --no-tags"),
        (["a", "--text", "x", "--replace-metadata"], "--replace-metadata goes with --metadata"),
        (["a", "--confidence", "much"], "--confidence"),
        (["a", "--tags", "x"], "--tag"),
    ],
)
def test_a_command_that_says_nothing_or_too_much_is_explained(
    of_notes: list[str], arguments: list[str], message: str, capsys: Capture
) -> None:
    before = found(of_notes)
    assert run(["update", *of_notes, *arguments]) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert found(of_notes) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a", "nobody", "--text", "x"], "'nobody'"),
        (["a", "a", "--text", "x"], "occurs twice"),
        (["a", "--metadata", "{"], "not a JSON object"),
        (["a", "--metadata", "[1]"], "not a JSON object"),
        (["a", "--confidence", "2"], "confidence of observation 0"),
        (["a", "--tag", ""], "tag"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_changes_nothing(
    of_notes: list[str], arguments: list[str], message: str, capsys: Capture
) -> None:
    before = found(of_notes)
    assert run(["update", *of_notes, *arguments]) == 1
    assert message in " ".join(capsys.readouterr().err.split())
    assert found(of_notes) == before
