"""``engram doctor``: all checks on this machine, as a table and as JSON, and the exit code."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from engram.cli.main import run
from tests.doubles.places import ROOT

pytestmark = pytest.mark.usefixtures("in_empty_directory")
Capture = pytest.CaptureFixture[str]


def findings(capsys: Capture, *arguments: str) -> tuple[int, dict[str, dict[str, str]]]:
    code = run(["doctor", "--json", *arguments])
    found = json.loads(capsys.readouterr().out)["findings"]
    return code, {finding["check"]: finding for finding in found}


def test_every_check_is_made_and_documented(tmp_path: Path, capsys: Capture) -> None:
    data = tmp_path / "data"
    data.mkdir()
    _, found = findings(capsys, "--data", str(data))
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8").partition("## engram doctor")[2].partition("\n## ")[0]
    assert list(found) == re.findall(r"^\| ([\w ]+) \| \w", page.partition("| check |")[2], re.MULTILINE)
    assert set(found["versions"]) == {"check", "severity", "found", "advice"}
    assert list(data.iterdir()) == []


def test_the_table_says_what_json_says(tmp_path: Path, capsys: Capture) -> None:
    code, found = findings(capsys, "--data", str(tmp_path))
    assert run(["doctor", "--data", str(tmp_path)]) == code
    table = capsys.readouterr().out
    assert all(check in table for check in found)


@pytest.mark.parametrize(
    ("setting", "value", "check"),
    [
        ("ENGRAM_SERVER_DISK_FREE_BYTES_MIN", str(1 << 60), "disk space"),
        ("ENGRAM_SERVER_MEMORY_BYTES_MAX", str(1 << 60), "memory"),
    ],
)
def test_a_problem_is_exit_code_1(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, setting: str, value: str, check: str
) -> None:
    monkeypatch.setenv(setting, value)
    code, found = findings(capsys, "--data", str(tmp_path))
    assert code == 1
    assert found[check]["severity"] == "problem"
    assert found[check]["advice"]


def test_limits_of_the_process_are_those_of_whoever_asks(tmp_path: Path) -> None:
    script = (
        "import resource, sys; from engram.cli.main import run;"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (300, 400));"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000));"
        "sys.exit(run(['doctor', '--json']))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    found = {finding["check"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert "at most 300 open files" in found["open files"]["found"]
    assert "as root" in found["open files"]["advice"]
    assert found["file size"]["severity"] == "problem"


def test_a_directory_that_is_not_there_is_not_made(tmp_path: Path, capsys: Capture) -> None:
    _, found = findings(capsys, "--data", str(tmp_path / "a" / "b"))
    assert str(tmp_path) in found["disk space"]["found"]
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("within", ["", "data"])
def test_a_file_in_the_place_of_the_directory_is_a_problem(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, within: str
) -> None:
    (tmp_path / "notes.txt").touch()
    monkeypatch.setenv("ENGRAM_SERVER_DATA", str(tmp_path / "notes.txt" / within))
    code, found = findings(capsys)
    assert (code, found["writing"]["severity"]) == (1, "problem")
    assert f"{tmp_path / 'notes.txt'} cannot be used: Not a directory" in found["writing"]["found"]


@pytest.mark.parametrize(
    ("number", "advice"), [(errno.ENOSPC, "free some space"), (errno.EROFS, "mount the file system")]
)
def test_a_disk_that_takes_nothing_is_a_problem_with_its_own_advice(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, number: int, advice: str
) -> None:
    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("engram.cli.doctor.facts.os.pwrite", fail)
    code, found = findings(capsys, "--data", str(tmp_path))
    assert (code, found["writing"]["severity"]) == (1, "problem")
    assert f"{tmp_path} cannot be used: {os.strerror(number)}" in found["writing"]["found"]
    assert advice in found["writing"]["advice"]


def test_wrong_settings_are_wrong_usage(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGRAM_SERVER_WORKERS", "many")
    assert run(["doctor"]) == 2
    assert "ENGRAM_SERVER_WORKERS" in capsys.readouterr().err
