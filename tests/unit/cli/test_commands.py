"""Commands without a server: help, exit codes, complaints in one sentence, work on a data directory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

from engram.cli import exit_codes
from engram.cli.app import app
from engram.cli.main import run
from engram.metrics.table import LIVE_OBSERVATIONS
from engram.store import MemoryStore

pytestmark = pytest.mark.usefixtures("in_empty_directory")
Capture = pytest.CaptureFixture[str]


def commands(group: click.Group = app, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = [path]
    for name, command in group.commands.items():
        found += commands(command, (*path, name)) if isinstance(command, click.Group) else [(*path, name)]
    return found


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    with MemoryStore(path) as store:
        store.space("notes", dim=8).observe(ids=["a", "b"], vectors=np.eye(8)[:2], contents=["[bold]first", "second"])
    return path


@pytest.mark.parametrize("path", commands(), ids=" ".join)
def test_every_command_has_help_with_an_example(path: tuple[str, ...], capsys: Capture) -> None:
    assert run([*path, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "Usage: engram" in shown
    assert "engram " in shown.partition("Usage:")[2].partition("\n")[2], "an example shows how to use it"


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"],
        ["recall"],
        ["recall", "text", "--vector", __file__],
        ["recall", "text", "-k", "0"],
        ["spaces", "create", "notes", "--dim", "0"],
        ["spaces", "--data", "x", "--address", "y"],
        ["ingest", "no-such-file.jsonl"],
        ["serve", "--memory", "--data", "x"],
        ["serve", "--port", "99999"],
        ["serve", "--workers", "17"],
        ["--config", "no-such-file.toml", "status"],
        ["status", "--address", "ftp://localhost:50051"],
        ["serve", "--memory", "--port-file", "no-such-folder/port"],
        ["ingest"],
        ["recall", "text", "--since", "yesterday"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_exit_code_2(arguments: list[str], capsys: Capture) -> None:
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("engram: ")
    assert captured.err.count("\n") == 1, captured.err


def test_wrong_usage_says_where_help_is(capsys: Capture) -> None:
    assert run(["spaces", "create"]) == 2
    assert capsys.readouterr().err == "engram: Missing argument 'NAME'; see engram spaces create --help\n"


def test_nothing_said_is_answered_with_help(capsys: Capture) -> None:
    run([])
    captured = capsys.readouterr()
    assert "Start here:" in captured.out + captured.err


def test_options_before_a_subcommand_count(tmp_path: Path, capsys: Capture) -> None:
    data = str(tmp_path / "data")
    assert run(["spaces", "--data", data, "--json", "create", "notes", "--dim", "16"]) == 0
    assert json.loads(capsys.readouterr().out)["dim"] == 16
    # The nearer one counts more.
    assert run(["spaces", "--data", data, "create", "others", "--dim", "16", "--data", str(tmp_path / "other")]) == 0
    assert run(["spaces", "--data", data, "--address", "localhost:1", "create", "others"]) == 2
    capsys.readouterr()
    assert run(["spaces", "--data", data, "--json"]) == 0
    assert [space["name"] for space in json.loads(capsys.readouterr().out)] == ["notes"]


def test_engine_errors_are_one_sentence_and_exit_code_1(tmp_path: Path, capsys: Capture) -> None:
    assert run(["status", "--data", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err == f"engram: there is no data directory {tmp_path / 'none'}\n"


def test_debug_shows_where_an_error_arose(tmp_path: Path) -> None:
    with pytest.raises(LookupError):
        run(["--debug", "status", "--data", str(tmp_path / "none")])


def test_a_bad_variable_is_named(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setenv("ENGRAM_CLIENT_TIMEOUT_S", "soon")
    assert run(["status"]) == 2
    assert "ENGRAM_CLIENT_TIMEOUT_S" in capsys.readouterr().err


def test_an_interrupt_ends_quietly(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def interrupt(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(app, "main", interrupt)
    assert run(["status"]) == 130
    assert capsys.readouterr().err == "engram: interrupted\n"


def test_an_unexpected_error_is_one_sentence_too(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(app, "main", fail)
    assert run(["status"]) == 1
    assert capsys.readouterr().err == "engram: unexpected RuntimeError: a bug; --debug shows where\n"


@pytest.mark.parametrize("package", ["click", "rich"])
def test_without_its_packages_the_command_line_names_the_extra(package: str) -> None:
    code = f"import sys; sys.modules[{package!r}] = None; from engram.cli.main import run; sys.exit(run(['status']))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 1
    assert result.stderr == (
        f"engram: the command line needs the package {package}; install it with: pip install 'engram-stream[server]'\n"
    )


@pytest.mark.parametrize(
    ("package", "address", "extra"),
    [
        ("grpc", "localhost:50051", "client"),
        ("google.protobuf", "localhost:50051", "client"),
        ("websockets", "http://localhost:7432", "websocket"),
        ("msgspec", "http://localhost:7432", "websocket"),
    ],
)
def test_without_its_packages_the_client_names_the_extra(package: str, address: str, extra: str) -> None:
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "import engram\n"
        f"try:\n    engram.Client({address!r})\n"
        "except engram.EngramError as error:\n    print(type(error).__name__, error.message)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert result.stdout.startswith("MissingExtra the Engram client needs the package")
    assert f"pip install 'engram-stream[{extra}]'" in result.stdout


def test_spaces_are_listed_and_created(data: Path, capsys: Capture) -> None:
    assert run(["spaces", "create", "more", "--dim", "16", "--metric", "l2", "--data", str(data), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metric"] == "l2"
    assert run(["spaces", "--data", str(data), "--json"]) == 0
    listed = {space["name"]: space for space in json.loads(capsys.readouterr().out)}
    assert (listed["notes"]["live_count"], listed["more"]["dim"]) == (2, 16)
    assert run(["spaces", "--data", str(data)]) == 0
    assert "notes" in capsys.readouterr().out


def test_a_space_with_other_settings_is_an_error(data: Path, capsys: Capture) -> None:
    assert run(["spaces", "create", "notes", "--dim", "16", "--data", str(data)]) == 1
    assert "exists with dimension 8, not 16" in capsys.readouterr().err
    # The default is asked for, too, as of a server.
    assert run(["spaces", "create", "notes", "--data", str(data)]) == 1
    assert "exists with dimension 8, not 768" in capsys.readouterr().err
    for _ in range(2):
        assert run(["spaces", "create", "log", "--vectors", "none", "--data", str(data), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["dim"] == 0


@pytest.mark.parametrize("name", ["cue.npy", "cue.json"])
def test_recall_by_a_vector_in_a_file(data: Path, tmp_path: Path, name: str, capsys: Capture) -> None:
    path = tmp_path / name
    vector = np.eye(8)[1]
    if path.suffix == ".npy":
        np.save(path, vector)
    else:
        path.write_text(json.dumps(vector.tolist()))
    arguments = ["recall", "--vector", str(path), "--space", "notes", "--data", str(data)]
    assert run([*arguments, "--json"]) == 0
    hits = json.loads(capsys.readouterr().out)
    assert [hit["id"] for hit in hits] == ["b", "a"]
    assert hits[0]["text"] == "second"
    assert run(arguments) == 0
    assert "[bold]first" in capsys.readouterr().out, "stored text is not markup"


def test_recall_with_conditions(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "conditions"
    with MemoryStore(path) as store:
        store.space("notes", dim=8).observe(
            ids=["a", "b", "c"],
            vectors=np.eye(3, 8),
            contents=["the pump leaks", "the hose leaks", "crew meets"],
            timestamps=[1e9, 1.1e9, 1.2e9],
            tags=[["wet"], ["wet", "old"], []],
            metadata=[{"deck": 2}, {"deck": "2"}, {"room": "mess"}],
        )

    def found(*arguments: str) -> str:
        assert run(["recall", *arguments, "--space", "notes", "--data", str(path), "--json"]) == 0
        return "".join(hit["id"] for hit in json.loads(capsys.readouterr().out))

    assert found("--words", "leaking pump") == "ab"
    assert found("--words", "leak", "--without-tag", "old") == "a"
    assert found("--tag", "wet") == "ba"
    assert found("--tag", "wet", "--tag", "old") == "b"
    assert (found("--where", "deck=2"), found("--where", 'deck="2"'), found("--where", "room=mess")) == ("a", "b", "c")
    assert (found("--since", "2007-01-01"), found("--since", "2002-01-01", "--until", "2007-01-01")) == ("c", "b")
    assert found("--tag", "wet", "--at", "2002-01-01") == ""
    assert found("--tag", "wet", "--strength") == "ba"
    assert found("--tag", "wet", "--follow") == "ba"
    cue = tmp_path / "cue.json"
    cue.write_text(json.dumps(np.eye(8)[0].tolist()))
    assert found("--vector", str(cue), "--score-min", "0.5") == "a"
    assert run(["recall", "--where", "deck", "--space", "notes", "--data", str(path)]) == 2


def test_recall_with_a_broken_file_says_so(data: Path, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "cue.json"
    path.write_text("{}")
    assert run(["recall", "--vector", str(path), "--space", "notes", "--data", str(data)]) == 1
    assert "does not hold a vector" in capsys.readouterr().err


def test_recall_by_text_needs_an_embedder(data: Path, capsys: Capture) -> None:
    assert run(["recall", "words", "--space", "notes", "--data", str(data)]) == 1
    assert "no embedder" in capsys.readouterr().err


def test_an_empty_space_has_nothing_to_recall(data: Path, capsys: Capture) -> None:
    run(["spaces", "create", "empty", "--dim", "8", "--embedder", "lexical", "--data", str(data)])
    capsys.readouterr()
    assert run(["recall", "words", "--space", "empty", "--data", str(data)]) == 0
    assert "Nothing to recall in space empty" in capsys.readouterr().out


def test_a_data_directory_in_use_is_named(data: Path, capsys: Capture) -> None:
    with MemoryStore(data):
        assert run(["status", "--data", str(data)]) == 1
    assert str(data) in capsys.readouterr().err.replace("\n", "")


def test_status_of_a_directory(data: Path, capsys: Capture) -> None:
    assert run(["status", "--data", str(data), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [space["name"] for space in found["spaces"]] == ["notes"]
    [live] = [sample for sample in found["metrics"] if sample["name"] == LIVE_OBSERVATIONS.name]
    assert live == {
        "name": LIVE_OBSERVATIONS.name,
        "labels": {"memory_space": "notes"},
        "value": found["spaces"][0]["live_count"],
    }


def test_a_closed_pipe_ends_quietly() -> None:
    command = f"{sys.executable} -m engram serve --help | head -c 1"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=300, check=True)
    assert result.stderr == ""


def test_the_exit_codes_are_what_the_documentation_says() -> None:
    assert (exit_codes.EXIT_OK, exit_codes.EXIT_ERROR, exit_codes.EXIT_USAGE, exit_codes.EXIT_INTERRUPTED) == (
        0,
        1,
        2,
        130,
    )
    assert exit_codes.EXIT_DAMAGE == 4
