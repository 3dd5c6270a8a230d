"""``engram follow``, with a client that tells what a test says."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Self

import pytest

from engram.cli.main import run
from engram.errors import FailedPrecondition
from engram.model.following.change import Change
from engram.model.following.following import Following
from engram.model.following.told import Told
from tests.unit.wire.test_recalls import make_hit

pytestmark = pytest.mark.usefixtures("in_empty_directory")
Capture = pytest.CaptureFixture[str]

HIT = make_hit("ü", generation=3, content="the pump leaks")
CHANGES = [Change("observed", "ü", 3, None, HIT), Change("left", "b", 5, 2)]


class Source:
    """Tells some things once, and then perhaps an error."""

    def __init__(self, told: Told[Any], error: FailedPrecondition | None) -> None:
        self.told: list[Told[Any]] = [told]
        self.error = error

    def check(self) -> None:
        pass

    def take(self) -> Told[Any] | None:
        if self.told:
            return self.told.pop()
        if self.error is not None:
            raise self.error
        return None

    def close(self) -> None:
        self.told.clear()


class ScriptedClient:
    """A `Client` whose followers tell what is prepared."""

    asked: ClassVar[list[Any]]
    incomplete = False
    error: FailedPrecondition | None = None

    def __init__(self, address: str, *, space: str, timeout_s: float) -> None:
        self.asked.append((address, space))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.asked.append("closed")

    def follow(self, cue: Any, k: int, **options: Any) -> Following[Any]:
        self.asked.append((cue, k, options))
        return Following(Source(Told([HIT], 3, incomplete=self.incomplete), self.error))

    def changes(self, filter: Any, **options: Any) -> Following[Any]:
        self.asked.append((filter, options))
        return Following(Source(Told(CHANGES, 5, incomplete=self.incomplete), self.error))


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> type[ScriptedClient]:
    class Fresh(ScriptedClient):
        asked: ClassVar[list[Any]] = []

    monkeypatch.setattr("engram.cli.queries.follow.Client", Fresh)
    return Fresh


def lines(capsys: Capture) -> list[Any]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_hits_are_printed_as_lines(client: type[ScriptedClient], capsys: Capture) -> None:
    options = ["--words", "--tag", "x", "--only-new", "--timeout", "2.5", "--space", "notes", "-k", "3"]
    assert run(["follow", "pump leaks", *options, "--address", "ws://somewhere:1"]) == 0
    (shown,) = lines(capsys)
    assert (shown["id"], shown["generation"], shown["text"]) == ("ü", 3, "the pump leaks")
    place, (cue, k, given), closed = client.asked
    assert (place, closed) == (("ws://somewhere:1", "notes"), "closed")
    assert (cue.text, cue.by, cue.score_min, cue.filter.tags, k) == ("pump leaks", "words", None, frozenset("x"), 3)
    assert given == {"only_new": True, "after_generation": None, "timeout_s": 2.5, "skip_damaged": False}


def test_changes_are_printed_as_lines(client: type[ScriptedClient], capsys: Capture) -> None:
    assert run(["follow", "--changes", "--where", "deck=2", "--after-generation", "0", "--skip-damaged"]) == 0
    first, second = lines(capsys)
    assert (first["kind"], first["id"], first["generation"], first["replaces"]) == ("observed", "ü", 3, None)
    assert (first["hit"]["id"], first["hit"]["text"]) == ("ü", "the pump leaks")
    assert second == {"kind": "left", "id": "b", "generation": 5, "replaces": 2, "hit": None}
    _, (filter, given), _ = client.asked
    assert dict(filter.metadata) == {"deck": 2}
    assert given == {"after_generation": 0, "timeout_s": None, "skip_damaged": True}


def test_what_is_left_out_is_said(client: type[ScriptedClient], capsys: Capture) -> None:
    client.incomplete = True
    assert run(["follow", "--changes", "--skip-damaged"]) == 4
    assert "damaged observations were left out" in capsys.readouterr().err


def test_what_ends_it_is_said_behind_what_came(client: type[ScriptedClient], capsys: Capture) -> None:
    client.error = FailedPrecondition("space notes was dropped", code="space_dropped")
    assert run(["follow", "--changes"]) == 1
    shown = capsys.readouterr()
    assert len(shown.out.splitlines()) == 2
    assert "space notes was dropped" in shown.err
    assert client.asked[-1] == "closed"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "Give a TEXT, a condition such as --tag, or --changes"),
        (["--changes", "pump"], "--changes takes conditions"),
        (["--changes", "--words"], "--changes takes conditions"),
        (["--changes", "--only-new"], "--changes takes conditions"),
        (["--changes", "--score-min", "0.5"], "--changes takes conditions"),
        (["--changes", "--data", "here"], "No such option"),
        (["--changes", "--filter", "deck >="], "where a value"),
        (["pump", "-k", "0"], "-k"),
    ],
)
def test_what_makes_no_sense_is_a_mistake_of_the_command(
    client: type[ScriptedClient], arguments: list[str], complaint: str, capsys: Capture
) -> None:
    assert run(["follow", *arguments]) == 2
    assert complaint in capsys.readouterr().err
    assert client.asked == []
