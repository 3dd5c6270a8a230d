"""``engram ingest --create``: the space is made when there is something to put into it, with the data's dimension."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engram.cli.main import run
from tests.integration.server_process import DIM, ServerProcess, numbered, vectors_of

_numbers = itertools.count(1)
Capture = pytest.CaptureFixture[str]


@pytest.fixture(params=["server", "directory"])
def target(request: pytest.FixtureRequest, server: ServerProcess, tmp_path: Path) -> list[str]:
    """Where the rows go: to a server, and into a directory without one."""
    return ["--address", server.address] if request.param == "server" else ["--data", str(tmp_path / "data")]


@pytest.fixture
def name() -> str:
    return f"new-{next(_numbers)}"


def spaces(target: list[str], capsys: Capture) -> dict[str, int]:
    """The dimension of each space."""
    capsys.readouterr()
    assert run(["spaces", *target, "--json"]) == 0
    return {space["name"]: space["dim"] for space in json.loads(capsys.readouterr().out)}


def row(id: str, dim: int = DIM, **others: Any) -> dict[str, Any]:
    return {"id": id, "text": f"text of {id}", "embedding": vectors_of([id], dim)[0].tolist(), **others}


def jsonl(*rows: Any) -> bytes:
    return b"".join((each if isinstance(each, bytes) else json.dumps(each).encode()) + b"\n" for each in rows)


GOOD = [row(name) for name in numbered(1, 20)]
# Each bad in another way: as a line, as a row, or only for a space of the others' dimension.
BAD_ROWS = {
    "no JSON": b"this is no JSON",
    "no object": ["a", "list"],
    "unknown field": row("x", colour="red"),
    "a number as an id": row("x") | {"id": 7},
    "a shorter vector": row("x", dim=DIM - 1),
    "a longer vector": row("x", dim=768),
    "a tiny vector": row("x", dim=3),
    "a vector of zeros": row("x") | {"embedding": [0.0] * DIM},
    "no number": row("x") | {"embedding": [float("nan")] * DIM},
    "no vector": {"id": "x", "text": "without a vector"},
    "an empty id": row(""),
    "a bad confidence": row("x", confidence=7),
}


@pytest.mark.parametrize("bad", BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_bad_first_row_makes_no_space_and_has_no_say_in_its_dimension(
    target: list[str], name: str, bad: Any, tmp_path: Path, capsys: Capture
) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(jsonl(bad, *GOOD))
    assert run(["ingest", str(file), "--space", name, "--create", *target]) == 1
    complaint = capsys.readouterr().err
    assert complaint.startswith("engram: stopped at row 1: "), complaint
    assert complaint.count("\n") == 1
    assert name not in spaces(target, capsys)
    # Left out or mended, the same command works.
    assert run(["ingest", str(file), "--space", name, "--create", "--on-error", "skip", *target]) == 0
    assert spaces(target, capsys)[name] == DIM


NOTHING_TO_STORE: dict[str, tuple[str, bytes]] = {
    "empty": ("rows.jsonl", b""),
    "blank lines": ("rows.jsonl", b"\n\n  \n"),
    "only bad rows": ("rows.jsonl", jsonl(b"{", b"}", {"id": 1}) * 1000),
    "no vectors and no embedder": ("rows.jsonl", jsonl({"id": "a", "text": "a"}, {"id": "b", "text": "b"})),
    "vectors too long": ("rows.jsonl", jsonl(row("a", dim=4097), row("b", dim=4097))),
    "a picture": ("rows.jsonl", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 50),
    "a JSON array": ("rows.jsonl", json.dumps(GOOD).encode()),
    "a JSON array on many lines": ("rows.jsonl", json.dumps(GOOD, indent=2).encode()),
    "a table of commas": ("rows.jsonl", b"id,text\na,one\nb,two\n"),
    "a compressed file": ("rows.jsonl", gzip.compress(jsonl(*GOOD))),
    "UTF-16": ("rows.jsonl", jsonl(*GOOD).decode().encode("utf-16")),
    "text as an archive": ("rows.npz", b"this is no archive"),
    "text as a table": ("rows.parquet", b"this is no table"),
    "an ending that says nothing": ("rows.csv", b"id,text\na,one\n"),
}


@pytest.mark.parametrize("on_error", ["stop", "skip"])
@pytest.mark.parametrize(("file_name", "content"), NOTHING_TO_STORE.values(), ids=NOTHING_TO_STORE)
def test_what_has_nothing_to_store_leaves_no_space_behind(
    target: list[str], name: str, file_name: str, content: bytes, on_error: str, tmp_path: Path, capsys: Capture
) -> None:
    file = tmp_path / file_name
    file.write_bytes(content)
    assert run(["spaces", "create", "there", *target]) == 0
    capsys.readouterr()
    code = run(["ingest", str(file), "--space", name, "--create", "--on-error", on_error, *target])
    told = capsys.readouterr()
    assert "Traceback" not in told.err
    assert "unexpected" not in told.err
    # Nothing wrong was found in a file without rows, nor where bad rows are to be left out.
    if code == 0:
        assert not content.strip() or on_error == "skip"
        assert "0 rows stored" in told.out
    else:
        assert code == 1
        assert sum(line.startswith("engram: ") for line in told.err.splitlines()) == 1
    assert name not in spaces(target, capsys)


def cut(path: Path) -> None:
    """An archive that ends in the middle of its vectors."""
    np.savez(path, ids=np.array(numbered(1, 2000)), vectors=vectors_of(numbered(1, 2000)))
    path.write_bytes(path.read_bytes()[:-20_000])


def pickled(path: Path) -> None:
    np.savez(path, ids=np.array(["a", None], dtype=object), vectors=np.ones((2, DIM)))


def ragged(path: Path) -> None:
    np.savez(path, ids=np.array(["a", "b"]), vectors=np.ones((3, DIM)))


def flat(path: Path) -> None:
    np.savez(path, ids=np.array(["a", "b"]), vectors=np.ones(2))


def one_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.ones((2, DIM)))


def without_numbers(path: Path) -> None:
    np.savez(path, ids=np.array(["a", "b"]), vectors=np.array([["x"] * DIM] * 2))


@pytest.mark.parametrize("write", [cut, pickled, ragged, flat, one_array, without_numbers])
def test_a_broken_archive_leaves_no_space_behind(
    target: list[str], name: str, write: Callable[[Path], None], tmp_path: Path, capsys: Capture
) -> None:
    write(tmp_path / "rows.npz")
    assert run(["ingest", str(tmp_path / "rows.npz"), "--space", name, "--create", *target]) == 1
    complaint = capsys.readouterr().err
    assert complaint.startswith("engram: ")
    assert "unexpected" not in complaint
    assert complaint.count("\n") == 1, complaint
    if write is not cut:
        run(["spaces", "create", "there", *target])
        assert name not in spaces(target, capsys)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--dim", "384"], "384"),
        (["--embedder", "no-such-embedder"], "no-such-embedder"),
    ],
)
def test_settings_that_do_not_fit_leave_no_space_behind(
    target: list[str], name: str, arguments: list[str], part: str, tmp_path: Path, capsys: Capture
) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(jsonl(*GOOD))
    assert run(["ingest", str(file), "--space", name, "--create", *arguments, *target]) == 1
    assert part in capsys.readouterr().err
    run(["spaces", "create", "there", *target])
    assert name not in spaces(target, capsys)


def test_texts_make_a_space_with_an_embedder(target: list[str], name: str, tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(jsonl({"id": "a", "text": "a warm drink"}))
    arguments = ["ingest", str(file), "--space", name, "--create", "--embedder", "lexical", "--dim", "64", *target]
    assert run(arguments) == 0
    assert spaces(target, capsys)[name] == 64


def test_not_even_the_default_space_is_made_by_asking(tmp_path: Path, capsys: Capture) -> None:
    target = ["--data", str(tmp_path / "data")]
    assert run(["spaces", "create", "there", *target]) == 0
    file = tmp_path / "rows.jsonl"
    file.write_bytes(jsonl(*GOOD))
    capsys.readouterr()
    assert run(["ingest", str(file), *target]) == 1
    assert "there is no space 'default'; --create makes it" in capsys.readouterr().err
    assert run(["recall", "--words", "text", *target]) == 1
    assert list(spaces(target, capsys)) == ["there"]
    assert run(["ingest", str(file), "--create", *target]) == 0
    assert spaces(target, capsys)["default"] == DIM
