"""``engram scan``, ``get``, ``count``, ``facets`` and ``delete`` on a data directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engram.cli.main import run
from engram.cli.target import ServerTarget
from engram.errors import Unavailable
from engram.model.waiting.timeouts import TIMEOUT_S_MAX
from engram.store import MemoryStore

pytestmark = pytest.mark.usefixtures("in_empty_directory")
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def of_notes(tmp_path: Path) -> list[str]:
    """The options that name a space with three observations."""
    path = tmp_path / "data"
    with MemoryStore(path) as store:
        store.space("notes", dim=8).observe(
            ids=["b", "a", "c"],
            vectors=np.eye(8)[:3],
            contents=["[bold]first", "second", "third"],
            timestamps=[30, 20, 10],
            metadata=[{"deck": 2}, {"deck": 2}, {"deck": 9}],
            tags=[["x"], [], ["x"]],
        )
    return ["--data", str(path), "--space", "notes"]


def lines(capsys: Capture) -> list[Any]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], ["b", "a", "c"]),
        (["--order", "id"], ["a", "b", "c"]),
        (["--order", "time", "--reverse", "-k", "2"], ["b", "a"]),
        (["--tag", "x"], ["b", "c"]),
        (["--where", "deck=2", "--without-tag", "x"], ["a"]),
        (["--since", "1970-01-01T00:00:15", "--until", "1970-01-01T00:00:25"], ["a"]),
        (["--max-generation", "1"], ["b"]),
        (["--tag", "nobody"], []),
        (["--filter", "deck > 2"], ["c"]),
        (["--filter", "deck = 2", "--tag", "x"], ["b"]),
    ],
)
def test_a_scan_prints_what_passes(
    of_notes: list[str], options: list[str], expected: list[str], capsys: Capture
) -> None:
    assert run(["scan", *of_notes, *options, "--json"]) == 0
    assert [row["id"] for row in lines(capsys)] == expected
    assert run(["scan", *of_notes, *options]) == 0
    shown = capsys.readouterr().out
    assert "[bold]first" in shown if "b" in expected else "[bold]first" not in shown


def test_what_a_scan_prints_can_be_ingested(of_notes: list[str], tmp_path: Path, capsys: Capture) -> None:
    assert run(["scan", *of_notes, "--json", "--vectors"]) == 0
    file = tmp_path / "notes.jsonl"
    file.write_text(capsys.readouterr().out, encoding="utf-8")
    again = ["--data", str(tmp_path / "copy"), "--space", "notes"]
    assert run(["ingest", str(file), *again, "--create"]) == 0
    with MemoryStore(tmp_path / "data") as one, MemoryStore(tmp_path / "copy") as other:
        rows = [
            [(hit.row(), np.asarray(hit.vector).tolist()) for hit in store.space("notes").scan()]
            for store in (one, other)
        ]
    assert rows[0] == rows[1]


def test_ids_are_looked_up(of_notes: list[str], capsys: Capture) -> None:
    assert run(["get", *of_notes, "c", "b", "--json"]) == 0
    assert [hit["id"] for hit in json.loads(capsys.readouterr().out)] == ["c", "b"]
    assert run(["get", *of_notes, "c", "nobody", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)[1] is None
    assert run(["get", *of_notes, "c", "nobody"]) == 1
    shown = capsys.readouterr()
    assert ("third" in shown.out, "'nobody'" in shown.err) == (True, True)
    assert run(["get", *of_notes, "a", "--max-generation", "1"]) == 1


@pytest.mark.parametrize(
    ("filter", "expected"),
    [([], 3), (["deck = 2"], 2), (['@tags any ("x") and deck > 2'], 1), (["deck = 2", "--max-generation", "1"], 1)],
)
def test_what_passes_a_filter_is_counted(
    of_notes: list[str], filter: list[str], expected: int, capsys: Capture
) -> None:
    assert run(["count", *filter, *of_notes]) == 0
    assert capsys.readouterr().out == f"{expected}\n"
    assert run(["count", *filter, *of_notes, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"count": expected, "generation": 1 if len(filter) > 1 else 3}


@pytest.mark.parametrize("command", [["count", "deck >="], ["scan", "--filter", "deck >="]], ids=["count", "scan"])
def test_a_filter_that_cannot_be_read_is_a_mistake_of_the_command(
    command: list[str], of_notes: list[str], capsys: Capture
) -> None:
    assert run([*command, *of_notes]) == 2
    assert "where a value" in capsys.readouterr().err


def test_facets_are_counted(of_notes: list[str], capsys: Capture) -> None:
    assert run(["facets", *of_notes, "deck", "nothing", "--field", "tags", "--tag", "x", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["count"], found["generation"]) == (2, 3)
    assert found["facets"]["deck"]["values"] == [{"value": 2, "count": 1}, {"value": 9, "count": 1}]
    assert (found["facets"]["tags"]["least"], found["facets"]["nothing"]["count"]) == ("x", 0)
    assert run(["facets", *of_notes, "deck", "nothing"]) == 0
    shown = capsys.readouterr().out
    assert "deck: 3 have it, 2 different values, from 2 to 9" in shown
    assert "nothing: none of them" in shown


@pytest.mark.parametrize("command", ["scan", "facets", "delete"])
def test_a_key_that_is_named_twice_does_not_stand_for_its_last_value(
    command: str, of_notes: list[str], capsys: Capture
) -> None:
    assert run([command, *of_notes, "--where", "deck=2", "--where", "deck=9"]) == 2
    assert "--where names 'deck' twice" in capsys.readouterr().err
    assert run(["count", *of_notes]) == 0
    assert capsys.readouterr().out == "3\n"


def test_a_deletion_is_by_ids_by_conditions_or_of_all(of_notes: list[str], capsys: Capture) -> None:
    for wrong in ([], ["a", "--tag", "x"], ["a", "--all"], ["--all", "--tag", "x"]):
        assert run(["delete", *of_notes, *wrong]) == 2
    capsys.readouterr()
    for options, count in ((["--tag", "x"], 2), (["a", "nobody"], 1), (["--all"], 3)):
        assert run(["delete", *of_notes, *options, "--dry-run", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["deleted"] == count
    assert run(["delete", *of_notes, "--tag", "x"]) == 0
    assert "2 are deleted from space notes" in capsys.readouterr().out
    assert run(["delete", *of_notes, "--all", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["deleted"] == 1
    assert run(["scan", *of_notes]) == 0
    assert "Nothing of space notes passes" in capsys.readouterr().out


def test_ids_are_erased_and_nothing_is_found_of_them(of_notes: list[str], capsys: Capture) -> None:
    data = of_notes[1]
    assert run(["verify", data, "--erased", "a", "--erased", "nobody"]) == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert "an observation of 'a' of generation 2 is in notes/log/" in shown
    assert "nothing is left of 'nobody' in the log of space notes." in shown
    assert run(["erase", *of_notes, "a", "b", "nobody", "--json"]) == 0
    receipt = json.loads(capsys.readouterr().out)
    assert (receipt["space"], receipt["count"], receipt["generation"], len(receipt["digests"])) == ("notes", 2, 5, 3)
    assert run(["verify", data, "--erased", "a"]) == 0
    assert "nothing is left of 'a' in the log of space notes." in " ".join(capsys.readouterr().out.split())
    assert run(["erase", *of_notes, "c"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert shown == "Erased from space notes: 1 observation of 1 id, up to generation 7."
    assert run(["erase", *of_notes]) == 2


def test_a_directory_is_compared_with_a_receipt(of_notes: list[str], tmp_path: Path, capsys: Capture) -> None:
    data, receipt = of_notes[1], tmp_path / "receipt.json"
    assert run(["erase", *of_notes, "a", "b", "nobody", "--json"]) == 0
    receipt.write_text(capsys.readouterr().out, encoding="utf-8")
    with MemoryStore(data) as store:
        store.space("notes").observe("a", np.ones(8), "written later")
    assert run(["verify", data, "--erased", "a"]) == 1
    assert run(["verify", data, "--receipt", str(receipt)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "nothing is left of what the receipt for space notes names (ids: 3) in the log of the space, up to" in shown
    assert run(["verify", data, "--receipt", str(receipt), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["receipts"] == [{"space": "notes", "generation": 5, "traces": 0}]
    known = json.loads(receipt.read_text(encoding="utf-8"))
    for field, value, code in (
        ("generation", 9, 1),
        ("space_id", "0" * 32, 2),
        ("digests", "abc", 2),
        ("generation", "5", 2),
    ):
        receipt.write_text(json.dumps({**known, field: value}), encoding="utf-8")
        assert run(["verify", data, "--receipt", str(receipt)]) == code
    for text in ("", "[]", "{}", "\x00"):
        receipt.write_text(text, encoding="utf-8")
        assert run(["verify", data, "--receipt", str(receipt)]) == 2


def test_an_erasure_at_a_server_may_take_longer_than_other_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[float] = []

    def begin(target: ServerTarget, address: str, timeout_s: float) -> None:
        given.append(timeout_s)
        raise Unavailable("no server answers", code="no_server")

    monkeypatch.setattr(ServerTarget, "__init__", begin)
    for command in ("get", "erase"):
        assert run([command, "--address", "127.0.0.1:1", "a"]) == 1
    assert given == [10.0, TIMEOUT_S_MAX]
