"""``engram ingest`` against a real server: every format, bad rows, interruption, and a server that dies meanwhile."""

from __future__ import annotations

import importlib
import itertools
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engram.cli.main import run
from engram.client import Client
from engram.metrics.table import PROBLEM, RECALL_AT_K, RECALLS, TABLE
from tests.integration.server_process import DIM, TIMEOUT_S, ServerProcess, numbered, steady_port, vectors_of

_spaces = itertools.count(1)
Capture = pytest.CaptureFixture[str]


def write_jsonl(path: Path, ids: list[str]) -> None:
    vectors = vectors_of(ids)
    with path.open("w") as file:
        for name, vector in zip(ids, vectors, strict=True):
            row = {"id": name, "text": f"text of {name}", "embedding": vector.tolist(), "metadata": {"name": name}}
            file.write(json.dumps(row) + "\n")


def write_npz(path: Path, ids: list[str]) -> None:
    np.savez(path, ids=np.array(ids), vectors=vectors_of(ids), contents=np.array([f"text of {name}" for name in ids]))


def write_parquet(path: Path, ids: list[str]) -> None:
    table = importlib.import_module("pyarrow").table(
        {"id": ids, "text": [f"text of {name}" for name in ids], "embedding": vectors_of(ids).tolist()}
    )
    importlib.import_module("pyarrow.parquet").write_table(table, path)


WRITERS: dict[str, Callable[[Path, list[str]], None]] = {
    "jsonl": write_jsonl,
    "npz": write_npz,
    "parquet": write_parquet,
}


@pytest.fixture
def name() -> str:
    return f"ingest-{next(_spaces)}"


def ingest(server: ServerProcess, file: Path, space: str, *arguments: str) -> int:
    return run(["ingest", str(file), "--space", space, "--address", server.address, "--json", *arguments])


def summary(capsys: Capture) -> Any:
    return json.loads(capsys.readouterr().out)


def check_stored(address: str, space: str, count: int, generations: int | None = None) -> None:
    with Client(address, space=space) as client:
        status = client.space_status()
        assert (status.live_count, status.visible_generation) == (count, generations or count)
        for number in {1, count // 2, count}:
            (hit,) = client.recall(vectors_of([f"id-{number}"])[0], k=1)
            assert (hit.id, hit.content) == (f"id-{number}", f"text of id-{number}")


@pytest.mark.parametrize("kind", WRITERS)
def test_every_format_is_stored_and_a_second_run_finds_it_done(
    kind: str, server: ServerProcess, tmp_path: Path, name: str, capsys: Capture
) -> None:
    file = tmp_path / f"rows.{kind}"
    WRITERS[kind](file, numbered(1, 2500))
    assert ingest(server, file, name, "--create") == 0
    first = summary(capsys)
    assert (first["stored"], first["resumed"], first["refused"], first["generation"]) == (2500, 0, 0, 2500)
    check_stored(server.address, name, 2500)
    assert ingest(server, file, name) == 0
    second = summary(capsys)
    assert (second["stored"], second["resumed"]) == (0, 2500)
    assert ingest(server, file, name, "--restart") == 0
    assert summary(capsys)["stored"] == 2500
    check_stored(server.address, name, 2500, generations=5000)


def test_a_run_that_stopped_at_a_bad_row_is_continued(
    server: ServerProcess, tmp_path: Path, name: str, capsys: Capture
) -> None:
    file = tmp_path / "rows.jsonl"
    write_jsonl(file, numbered(1, 100))
    lines = file.read_text().splitlines()
    lines[40:40] = ['{"id": 7}', json.dumps({"id": "x", "embedding": [1.0]})]
    file.write_text("\n".join(lines))
    assert ingest(server, file, name, "--create", "--batch", "7") == 1
    captured = capsys.readouterr()
    assert "stopped at row 41: field 'id' must be a text" in captured.err
    assert json.loads(captured.out)["stored"] == 40
    check_stored(server.address, name, 40)
    assert ingest(server, file, name, "--on-error", "skip") == 0
    captured = capsys.readouterr()
    assert [f"rows.jsonl:{row}:" in captured.err for row in (41, 42)] == [True, True]
    result = json.loads(captured.out)
    assert (result["stored"], result["resumed"], result["refused"]) == (60, 40, 2)
    assert [error["row"] for error in result["errors"]] == [41, 42]
    check_stored(server.address, name, 100)


def test_text_is_embedded_by_the_server(server: ServerProcess, tmp_path: Path, name: str, capsys: Capture) -> None:
    file = tmp_path / "notes.jsonl"
    file.write_text('{"id": "a", "text": "warm coffee"}\n{"id": "b", "text": "a red bicycle"}\n')
    assert ingest(server, file, name, "--create", "--embedder", "lexical", "--dim", "64") == 0
    capsys.readouterr()
    assert run(["recall", "bicycle", "--space", name, "--address", server.address, "-k", "1", "--json"]) == 0
    assert [hit["id"] for hit in summary(capsys)] == ["b"]
    assert run(["recall", "bicycle", "--space", name, "--address", server.address]) == 0
    assert "a red bicycle" in capsys.readouterr().out


def test_a_missing_space_says_how_to_make_it(server: ServerProcess, tmp_path: Path, name: str, capsys: Capture) -> None:
    file = tmp_path / "rows.jsonl"
    write_jsonl(file, ["a"])
    assert run(["ingest", str(file), "--space", name, "--address", server.address]) == 1
    assert f"engram spaces create {name} --dim N" in capsys.readouterr().err


def test_status_and_spaces_of_a_server(server: ServerProcess, name: str, capsys: Capture) -> None:
    address = ["--address", server.address]
    assert run(["spaces", "create", name, "--dim", str(DIM), *address, "--json"]) == 0
    assert summary(capsys)["dim"] == DIM
    assert run(["spaces", *address, "--json"]) == 0
    assert name in [space["name"] for space in summary(capsys)]
    assert run(["status", *address, "--json"]) == 0
    status = summary(capsys)
    assert status["version"]
    assert name in [space["name"] for space in status["spaces"]]
    names = {sample["name"] for sample in status["metrics"]}
    # They are there as soon as a recall was measured, and while something is wrong.
    assert names | {RECALL_AT_K.name, PROBLEM.name} == {name for family in TABLE for name in family.sample_names}
    assert {"name": RECALLS.name, "labels": {}, "value": status["recalls"]} in status["metrics"]
    assert run(["status", *address]) == 0
    shown = capsys.readouterr().out
    assert server.address in shown
    assert [family.title for family in TABLE if family.title not in shown] == []
    assert re.search(r"^malformed messages +0\s*$", shown, re.MULTILINE)


def start(address: str, file: Path, space: str) -> subprocess.Popen[str]:
    """An ingest in a process of its own, small batches so that it takes its time."""
    command = [sys.executable, "-m", "engram", "ingest", str(file), "--space", space, "--address", address, "--json"]
    return subprocess.Popen([*command, "--batch", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_rows(address: str, space: str, count: int) -> None:
    with Client(address, space=space, timeout_s=TIMEOUT_S) as client:
        while client.space_status().live_count < count:
            pass


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_an_ingest_that_was_cut_off_is_continued_without_duplicates(
    server: ServerProcess, tmp_path: Path, name: str, number: int, capsys: Capture
) -> None:
    """It ends at once: the server stands still meanwhile, so that nothing can be waited for."""
    file = tmp_path / "rows.jsonl"
    write_jsonl(file, numbered(1, 20_000))
    with Client(server.address) as client:
        client.create_space(name, dim=DIM)
    process = start(server.address, file, name)
    wait_for_rows(server.address, name, 100)
    server.process.send_signal(signal.SIGSTOP)
    try:
        process.send_signal(number)
        _, complaint = process.communicate(timeout=TIMEOUT_S)
    finally:
        server.process.send_signal(signal.SIGCONT)
    assert process.returncode == (-number if number == signal.SIGKILL else 130), complaint
    assert "Traceback" not in complaint
    assert ingest(server, file, name) == 0
    result = summary(capsys)
    assert result["stored"] + result["resumed"] == 20_000
    assert result["resumed"] >= 100
    check_stored(server.address, name, 20_000)


def test_an_ingest_outlives_its_server(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    write_jsonl(file, numbered(1, 5_000))
    server = ServerProcess(tmp_path / "data", "--port", steady_port())
    with Client(server.address) as client:
        client.create_space("main", dim=DIM)
    process = start(server.address, file, "main")
    wait_for_rows(server.address, "main", 100)
    server.stop(signal.SIGKILL)
    again = ServerProcess(tmp_path / "data", "--port", server.address.rpartition(":")[2])
    try:
        output, complaint = process.communicate(timeout=300)
        assert process.returncode == 0, complaint
        assert json.loads(output)["stored"] == 5_000
        check_stored(again.address, "main", 5_000)
    finally:
        again.stop(signal.SIGKILL)
