"""The commands that work on whole directories: what they print, and their exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engram.cli.main import run
from engram.log.files.checked_json import encode_checked
from engram.store import MemoryStore
from tests.doubles.damaged import copied, everything_in, flip

pytestmark = pytest.mark.usefixtures("in_empty_directory")
Capture = pytest.CaptureFixture[str]
LOG = "spaces/notes/log/000000000001.log"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    with MemoryStore(path) as store:
        space = store.space("notes", dim=8, embedder="lexical")
        for number in range(6):
            space.observe([f"[bold]{number}"], np.eye(8)[:1] + number, [f"text {number}"])
        store.space("other", dim=8).observe(["x"], np.eye(8)[:1], ["other"])
    return path


@pytest.fixture
def bad(data: Path, tmp_path: Path) -> Path:
    """The header of the record of generation 3 is damaged."""
    path = copied(data, tmp_path / "bad")
    flip(path / LOG, 512 + 2 * 1024 + 40)
    return path


def test_a_sound_directory(data: Path, capsys: Capture) -> None:
    before = everything_in(data)
    assert run(["verify", str(data)]) == 0
    captured = capsys.readouterr()
    assert "space notes: generation 6, 6 live" in captured.out
    assert captured.out.endswith(f"{data} is sound.\n")
    assert captured.err.splitlines()[-1] == "checking space other"
    assert run(["verify", str(data), "--json", "--space", "other"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    verdict = json.loads(captured.out)
    assert (verdict["path"], verdict["sound"]) == (str(data), True)
    assert [space["name"] for space in verdict["spaces"]] == ["other"]
    assert everything_in(data) == before


def test_a_damaged_directory(bad: Path, tmp_path: Path, capsys: Capture) -> None:
    assert run(["verify", str(bad)]) == 1
    captured = capsys.readouterr()
    assert "space notes cannot be opened (corrupt_log)" in captured.out
    assert "generation 3" in captured.out
    assert "space other: generation 1" in captured.out
    assert run(["verify", str(bad), "--json"]) == 1
    verdict = json.loads(capsys.readouterr().out)
    assert {one["space"]: one["code"] for one in verdict["unsound"]} == {"notes": "corrupt_log"}
    assert {(d["space"], d["file"], d["first_generation"], d["last_generation"]) for d in verdict["damages"]} == {
        ("notes", "log/000000000001.log", 3, 3)
    }

    assert run(["repair", str(bad), str(tmp_path / "new")]) == 1
    captured = capsys.readouterr()
    assert "space notes: kept 3 rows, up to generation 6" in captured.out
    assert "lost generations: 3" in captured.out
    assert "set aside 2 observations of 2 ids" in captured.out
    assert run(["verify", str(tmp_path / "new")]) == 0
    capsys.readouterr()
    # What was set aside goes back in, if one wants that.
    aside = tmp_path / "new" / "set-aside" / "notes.jsonl"
    assert run(["ingest", str(aside), "--space", "notes", "--data", str(tmp_path / "new")]) == 0
    with MemoryStore(tmp_path / "new", read_only=True) as store:
        hit = store.space("notes").get("[bold]1")
        assert hit is not None
        assert hit.content == "text 1"
        with MemoryStore(data_of(tmp_path), read_only=True) as old:
            before = old.space("notes").get("[bold]1")
            assert before is not None
            assert (hit.time_us, hit.confidence, hit.importance) == (
                before.time_us,
                before.confidence,
                before.importance,
            )


def data_of(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_a_lost_description_says_what_to_pass(bad: Path, tmp_path: Path, capsys: Capture) -> None:
    (bad / "spaces/other/space.json").unlink()
    assert run(["repair", str(bad), str(tmp_path / "new"), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert "metric" in report["left_behind"]["other"]["message"]
    assert run(["repair", str(bad), str(tmp_path / "newer"), "--metric", "cosine"]) == 1
    with MemoryStore(tmp_path / "newer", read_only=True) as store:
        assert store.space("other").get("x") is not None


def test_backup_and_restore(data: Path, bad: Path, tmp_path: Path, capsys: Capture) -> None:
    destination, restored = tmp_path / "backup", tmp_path / "restored"
    assert run(["backup", str(data), str(destination)]) == 0
    assert "space notes: backed up as of generation 6" in capsys.readouterr().out
    assert run(["backup", str(data), str(destination), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["copied_bytes"] == 0
    assert run(["restore", str(destination), str(restored)]) == 0
    assert "space notes: restored as of generation 6" in capsys.readouterr().out
    with MemoryStore(restored) as store:
        store.space("notes").observe(["more"], np.eye(8)[:1])
    for target, word in ((restored, "newer"), (data, "not empty"), (data / "store.json", "no directory")):
        assert run(["restore", str(destination), str(target)]) == 2
        assert word in capsys.readouterr().err
    assert run(["backup", str(bad), str(tmp_path / "another")]) == 1
    captured = capsys.readouterr()
    assert "space notes is not backed up (corrupt_data)" in captured.out
    assert "space other: backed up as of generation 1" in captured.out


def test_what_cannot_be_done_is_said_in_one_line(data: Path, tmp_path: Path, capsys: Capture) -> None:
    none = str(tmp_path / "none")
    for arguments in (
        ["verify", none],
        ["verify", str(data), "--space", "no-such"],
        ["repair", none, str(tmp_path / "new")],
        ["repair", str(data), str(data)],
        ["backup", none, str(tmp_path / "backup")],
        ["restore", none, str(tmp_path / "new")],
        ["restore", str(data), str(tmp_path / "new")],
    ):
        assert run(arguments) == 2, arguments
        captured = capsys.readouterr()
        assert captured.out == ""
        (line,) = captured.err.splitlines()
        assert line.startswith("engram: ")


@pytest.mark.parametrize(
    "command",
    [
        ["compact", "DIR"],
        ["compact", "DIR", "--dry-run"],
        ["verify", "DIR"],
        ["backup", "DIR", "copy"],
        ["erase", "--data", "DIR", "--space", "notes", "x"],
        ["delete", "--data", "DIR", "--space", "notes", "x"],
        ["recall", "--data", "DIR", "--space", "notes", "hello"],
    ],
    ids=lambda command: " ".join(command[:1] + command[2:3]),
)
def test_another_directory_is_not_made_a_data_directory(command: list[str], tmp_path: Path, capsys: Capture) -> None:
    other = tmp_path / "photos"
    other.mkdir()
    (other / "one.jpg").write_bytes(b"a picture")
    before = everything_in(other)
    assert run([str(other) if word == "DIR" else word for word in command]) != 0
    assert "is no data directory" in capsys.readouterr().err
    assert everything_in(other) == before


@pytest.mark.parametrize("passed", [["--data", "memories"], ["--data=memories"], ["--json", "--data", "memories"]])
@pytest.mark.parametrize("usage", ["verify DIR", "repair DIR NEW_DIR", "backup DIR DEST", "restore BACKUP NEW_DIR"])
def test_a_directory_passed_as_to_other_commands_is_told_where_it_goes(
    usage: str, passed: list[str], capsys: Capture
) -> None:
    command = usage.partition(" ")[0]
    assert run([command, *passed]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("engram: No such option")
    assert line.endswith(f"; give the directory without --data: engram {usage}; see engram {command} --help")


def test_other_unknown_options_get_no_such_advice(capsys: Capture) -> None:
    assert run(["verify", "--date", "memories"]) == 2
    assert "without --data" not in capsys.readouterr().err


def test_a_directory_in_use(data: Path, tmp_path: Path, capsys: Capture) -> None:
    with MemoryStore(data):
        assert run(["verify", str(data)]) == 3
        assert "take a backup" in capsys.readouterr().err
        assert run(["repair", str(data), str(tmp_path / "new")]) == 3
        assert run(["backup", str(data), str(tmp_path / "backup")]) == 0


def test_the_status_of_a_directory_names_spaces_that_do_not_open(bad: Path, capsys: Capture) -> None:
    assert run(["status", "--data", str(bad)]) == 4
    shown = capsys.readouterr().out
    assert "other" in shown
    assert "corrupt_log" in shown
    assert run(["status", "--data", str(bad), "--json"]) == 4
    (unsound,) = json.loads(capsys.readouterr().out)["unsound_spaces"]
    assert (unsound["name"], unsound["error"]["code"]) == ("notes", "corrupt_log")


def test_what_a_newer_version_wrote_is_not_called_damaged(data: Path, tmp_path: Path, capsys: Capture) -> None:
    description = data / "spaces" / "notes" / "space.json"
    description.write_bytes(encode_checked({"format": 9, "needs": "9.1"}))
    for arguments in (["verify", str(data)], ["repair", str(data), str(tmp_path / "new")]):
        assert run(arguments) == 2, arguments
        captured = capsys.readouterr()
        assert "9.1" in captured.out + captured.err
        assert "damage" not in captured.out.replace("nothing was found to be damaged", "")
    assert not (tmp_path / "new").exists()


def test_commands_that_only_read_change_nothing(data: Path, capsys: Capture) -> None:
    before = everything_in(data)
    directory = ["--data", str(data)]
    assert run(["spaces", *directory, "--json"]) == 0
    assert run(["status", *directory]) == 0
    assert run(["recall", "text", "--space", "notes", *directory]) == 0
    assert everything_in(data) == before
    with MemoryStore(data, read_only=True):
        assert run(["recall", "text", "--space", "notes", *directory]) == 0
    capsys.readouterr()
