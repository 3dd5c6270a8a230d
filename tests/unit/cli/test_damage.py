"""Commands on a data directory with damage: it is shown, answers say what they lack, and exit codes tell."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engram.cli.damages import advice
from engram.cli.exit_codes import EXIT_DAMAGE, EXIT_ERROR, EXIT_OK
from engram.cli.main import run
from engram.store import MemoryStore, StoreOptions
from tests.doubles.damaged import SPACE, flip_stored

Capture = pytest.CaptureFixture[str]
# Longer than a sector: damage in the middle of a vector harms nothing else of its observation.
DIM = 256


def vector(number: int) -> NDArray[np.float32]:
    return np.random.default_rng(number).standard_normal((1, DIM)).astype(np.float32)


@pytest.fixture(params=[1, 256], ids=["with a checkpoint", "without a checkpoint"])
def data(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    with MemoryStore(tmp_path / "data", options=StoreOptions(checkpoint_rest_count_min=request.param)) as store:
        for name in (SPACE, "other"):
            space = store.space(name, dim=DIM)
            for number in range(3):
                space.observe([f"id-{number}"], vector(number), [f"text {number}"])
    np.save(tmp_path / "cue.npy", vector(0)[0])
    return tmp_path / "data"


def recall(data: Path, *more: str, space: str = SPACE) -> int:
    return run(["recall", "--vector", "cue.npy", "--space", space, "--data", str(data), *more])


def test_a_recall_that_needs_what_is_damaged_is_refused_and_names_it(data: Path, capsys: Capture) -> None:
    flip_stored(data, vector(1).tobytes())
    assert recall(data) == EXIT_ERROR
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines()[-1].startswith("engram: space notes: log/000000000001.log is damaged at offset ")
    assert "(generation 2)" in shown.err


def test_with_skip_damaged_it_answers_and_says_that_it_lacks_something(data: Path, capsys: Capture) -> None:
    assert recall(data, "--skip-damaged", "--json") == EXIT_OK
    assert len(json.loads(capsys.readouterr().out)) == 3
    flip_stored(data, vector(1).tobytes())
    assert recall(data, "--skip-damaged", "--json") == EXIT_DAMAGE
    shown = capsys.readouterr()
    assert sorted(hit["id"] for hit in json.loads(shown.out)) == ["id-0", "id-2"]
    assert "the answer is incomplete" in shown.err
    for number in (0, 2):
        flip_stored(data, vector(number).tobytes())
    assert recall(data, "--skip-damaged") == EXIT_DAMAGE
    assert "Nothing that can be read to recall" in capsys.readouterr().out


def test_a_space_that_cannot_be_opened_is_listed_and_named(data: Path, capsys: Capture) -> None:
    (data / "spaces" / SPACE / "space.json").unlink()
    assert run(["spaces", "--data", str(data)]) == EXIT_OK
    shown = " ".join(capsys.readouterr().out.split())
    assert "cannot be used" in shown
    assert "missing_description" in shown
    assert run(["spaces", "--data", str(data), "--json"]) == EXIT_OK
    other, unsound = json.loads(capsys.readouterr().out)
    assert (other["name"], other["live_count"]) == ("other", 3)
    assert (unsound["name"], unsound["error"]["code"]) == (SPACE, "missing_description")
    assert recall(data) == EXIT_ERROR
    assert "its description is missing" in capsys.readouterr().err
    assert recall(data, space="other") == EXIT_OK
    assert run(["spaces", "create", SPACE, "--dim", str(DIM), "--data", str(data)]) == EXIT_ERROR
    assert "its description is missing" in capsys.readouterr().err


def test_the_status_of_a_directory_shows_what_opening_it_found(data: Path, capsys: Capture) -> None:
    assert run(["status", "--data", str(data)]) == EXIT_OK
    assert "damaged" not in capsys.readouterr().out
    (data / "spaces" / SPACE / "space.json").unlink()
    (data / "store.json").write_text("{}")
    assert run(["status", "--data", str(data), "--json"]) == EXIT_DAMAGE
    found = json.loads(capsys.readouterr().out)
    assert found["damaged_count"] == 1
    assert [(damage["space"], damage["file"]) for damage in found["damages"]] == [("", "store.json")]
    assert [space["name"] for space in found["unsound_spaces"]] == [SPACE]
    assert [(space["name"], space["damaged_count"]) for space in found["spaces"]] == [("other", 0)]
    assert run(["status", "--data", str(data)]) == EXIT_DAMAGE
    shown = " ".join(capsys.readouterr().out.split())
    for words in ("store.json", "missing_description", "engram verify", "engram repair"):
        assert words in shown


def test_the_advice_counts_what_is_not_shown() -> None:
    assert advice(3, 3).startswith("What is damaged")
    assert advice(100, 1234).startswith("1,134 more places")


def scan(data: Path, *more: str) -> int:
    return run(["scan", "--space", SPACE, "--data", str(data), "--json", "--vectors", *more])


def ids_of(shown: str) -> list[str]:
    return [json.loads(line)["id"] for line in shown.splitlines()]


@pytest.mark.parametrize("order", ["generation", "time", "id"])
def test_a_scan_skips_what_is_damaged_and_says_so(data: Path, order: str, capsys: Capture) -> None:
    flip_stored(data, vector(1).tobytes())
    assert scan(data, "--order", order) == EXIT_ERROR
    assert "(generation 2)" in capsys.readouterr().err
    assert scan(data, "--order", order, "--skip-damaged") == EXIT_DAMAGE
    shown = capsys.readouterr()
    assert ids_of(shown.out) == ["id-0", "id-2"]
    assert "damaged observations were left out" in shown.err


def test_damage_behind_what_is_printed_of_a_scan_is_nobodys_concern(data: Path, capsys: Capture) -> None:
    flip_stored(data, vector(2).tobytes())
    assert scan(data, "-k", "2", "--skip-damaged") == EXIT_OK
    shown = capsys.readouterr()
    assert (ids_of(shown.out), shown.err) == (["id-0", "id-1"], "")
    assert scan(data, "-k", "3", "--skip-damaged") == EXIT_DAMAGE
