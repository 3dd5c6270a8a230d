"""The commands that drop and rename spaces, and set, list and drop aliases, on a directory without a server."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from engram.cli.main import run
from engram.store import MemoryStore

pytestmark = pytest.mark.usefixtures("in_empty_directory")
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def data(tmp_path: Path) -> str:
    path = tmp_path / "data"
    with MemoryStore(path) as store:
        for name in ("notes", "other"):
            store.space(name, dim=8).observe(ids=["a", "b"], vectors=np.eye(8)[:2])
    return str(path)


def names(data: str) -> list[str]:
    with MemoryStore(data, read_only=True) as store:
        return [space.name for space in store.spaces()]


def answering(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_a_space_is_dropped_without_asking(data: str, capsys: Capture) -> None:
    assert run(["alias", "current", "notes", "--data", data]) == 0
    capsys.readouterr()
    assert run(["drop", "notes", "--yes", "--data", data]) == 0
    assert "its aliases: current" in capsys.readouterr().out
    assert names(data) == ["other"]
    assert run(["drop", "other", "--yes", "--json", "--data", data]) == 0
    assert json.loads(capsys.readouterr().out) == {"space": "other", "aliases": []}
    assert names(data) == []


@pytest.mark.parametrize(("answer", "code", "left"), [("y\n", 0, ["other"]), ("n\n", 1, ["notes", "other"])])
def test_a_space_is_dropped_if_the_answer_is_yes(
    data: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch, answer: str, code: int, left: list[str]
) -> None:
    answering(monkeypatch, answer)
    assert run(["drop", "notes", "--data", data]) == code
    captured = capsys.readouterr()
    assert "Drop space notes" in captured.err
    assert ("Nothing is dropped." in captured.err) is bool(code)
    assert names(data) == left


def test_nobody_to_be_asked_is_wrong_usage(data: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, "")
    assert run(["drop", "notes", "--data", data]) == 2
    assert "--yes" in capsys.readouterr().err
    assert names(data) == ["notes", "other"]


def test_a_space_is_renamed(data: str, capsys: Capture) -> None:
    assert run(["rename", "notes", "renamed", "--data", data]) == 0
    assert capsys.readouterr().out == "Space notes is called renamed now.\n"
    assert run(["rename", "renamed", "again", "--json", "--data", data]) == 0
    assert json.loads(capsys.readouterr().out) == {"space": "renamed", "new": "again"}
    assert names(data) == ["again", "other"]


def test_aliases_are_set_listed_and_dropped(data: str, capsys: Capture) -> None:
    assert run(["alias", "current", "notes", "--data", data]) == 0
    assert capsys.readouterr().out == "current means space notes now.\n"
    assert run(["alias", "current", "other", "--json", "--data", data]) == 0
    assert json.loads(capsys.readouterr().out) == {"alias": "current", "space": "other"}
    assert run(["alias", "--data", data]) == 0
    shown = capsys.readouterr().out
    assert "current" in shown
    assert "other" in shown
    assert run(["alias", "--json", "--data", data]) == 0
    assert json.loads(capsys.readouterr().out) == {"current": "other"}
    assert run(["count", "--space", "current", "--data", data]) == 0
    assert "2" in capsys.readouterr().out
    assert run(["alias", "current", "--drop", "--data", data]) == 0
    assert capsys.readouterr().out == "Alias current is dropped.\n"
    assert run(["alias", "--json", "--data", data]) == 0
    assert json.loads(capsys.readouterr().out) == {}


@pytest.mark.parametrize("arguments", [["current"], ["--drop"], ["current", "notes", "--drop"]], ids=" ".join)
def test_an_alias_is_set_or_dropped_or_all_are_listed(data: str, capsys: Capture, arguments: list[str]) -> None:
    assert run(["alias", *arguments, "--data", data]) == 2
    assert "NAME" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["drop", "note", "--yes"], "there is no space 'note'; did you mean 'notes'?"),
        (["drop", "No", "--yes"], "space name 'No' does not match"),
        (["rename", "note", "renamed"], "did you mean 'notes'?"),
        (["rename", "notes", "other"], "there is a space 'other' already"),
        (["alias", "other", "notes"], "there is a space 'other' already"),
        (["alias", "current", "note"], "did you mean 'notes'?"),
        (["alias", "current", "--drop"], "there is no alias 'current'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_one_sentence(data: str, capsys: Capture, arguments: list[str], complaint: str) -> None:
    assert run([*arguments, "--data", data]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("engram: ")
    assert complaint in captured.err
    assert names(data) == ["notes", "other"]
