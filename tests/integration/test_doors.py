"""A careless program: each wrong value is refused with a word, and the store opens again with what it had."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.door_child import CASES
from tests.integration.server_process import TIMEOUT_S

THERE = [["a", "text a", ["t"]], ["b", "text b", []], ["c", "text c", []], ["d", "text d", []]]


@pytest.mark.parametrize("item", CASES)
def test_what_is_refused_leaves_nothing_behind(item: str, tmp_path: Path) -> None:
    child = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("door_child.py")), str(tmp_path / "data"), item],
        check=False,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        cwd=tmp_path,
    )
    assert (child.returncode, child.stderr) == (0, "")
    told = json.loads(child.stdout)
    assert set(told["fates"]) == set(CASES[item])
    wrong = {name: fate for name, fate in told["fates"].items() if fate.startswith(("taken", "untyped"))}
    assert wrong == {}
    assert (told["there"], told["spaces"]) == (THERE, ["notes"])
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_server_does_not_take_the_working_directory_for_its_data(tmp_path: Path) -> None:
    child = subprocess.run(
        [sys.executable, "-m", "engram.server", "--data", "", "--port", "0"],
        check=False,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        cwd=tmp_path,
    )
    assert (child.returncode, "names no directory" in child.stderr, list(tmp_path.iterdir())) == (2, True, [])
