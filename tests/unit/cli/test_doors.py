"""What the command line takes: times in UTC, values of conditions, vectors in files, and columns of Parquet."""

from __future__ import annotations

import importlib
import json
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engram.cli.files.chunk import Screened, screen
from engram.cli.files.jsonl import JsonlSource
from engram.cli.files.parquet import ParquetSource
from engram.cli.main import run
from engram.model.spaces import SpaceConfig
from engram.model.times import Moment
from engram.store import MemoryStore

arrow: Any = importlib.import_module("pyarrow")
parquet: Any = importlib.import_module("pyarrow.parquet")
CONFIG = SpaceConfig("notes", 8)
VECTOR = [1.0] * 8
NOON = datetime(2025, 1, 31, 12, tzinfo=UTC)
NOON_US = int(NOON.timestamp()) * 1_000_000


@pytest.fixture
def far_from_greenwich(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # No settings file of the working directory takes part.
    monkeypatch.chdir(tmp_path)
    with MemoryStore(tmp_path / "data") as store:
        space = store.space("notes", dim=8)
        times: list[Moment] = [NOON, NOON.timestamp() + 1]
        space.observe(["a", "b"], np.eye(2, 8), timestamps=times, metadata=[{"k": "NaN"}, None])
    return tmp_path / "data"


def found(data: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert run(["recall", "--space", "notes", "--data", str(data), "--json", *arguments]) == 0
    return [hit["id"] for hit in json.loads(capsys.readouterr().out)]


@pytest.mark.usefixtures("far_from_greenwich")
def test_times_on_the_command_line_are_utc(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert found(data, capsys, "--since", "2025-01-31T12:00:01") == ["b"]
    assert found(data, capsys, "--until", "2025-01-31T12:00:01") == ["a"]
    assert found(data, capsys, "--until", "2025-01-31T12:00:00") == []


@pytest.mark.parametrize("value", ["NaN", '"NaN"'])
def test_what_is_no_json_is_a_text(data: Path, capsys: pytest.CaptureFixture[str], value: str) -> None:
    assert found(data, capsys, "--where", f"k={value}") == ["a"]


@pytest.mark.parametrize("value", ["[" * 5000, "9" * 200, '{"a":1,"a":2}', '"\\ud800"'])
def test_a_strange_condition_finds_nothing_and_breaks_nothing(
    data: Path, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    assert run(["recall", "--space", "notes", "--data", str(data), "--where", f"k={value}"]) in {0, 1}
    assert "Traceback" not in capsys.readouterr().err


def test_an_empty_tag_is_refused(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recall", "--space", "notes", "--data", str(data), "--tag", ""]) == 1
    assert "empty tag" in capsys.readouterr().err


@pytest.mark.parametrize("vector", [VECTOR, [VECTOR]])
def test_a_vector_in_a_file_may_be_a_matrix_of_one_row(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], vector: Any
) -> None:
    np.save(tmp_path / "q.npy", np.array(vector))
    (tmp_path / "q.json").write_text(json.dumps(vector))
    for name in ("q.npy", "q.json"):
        assert sorted(found(data, capsys, "--vector", str(tmp_path / name))) == ["a", "b"]


@pytest.mark.parametrize(
    "vector",
    [
        np.ones((2, 4)),
        np.ones(8) + 1j,
        np.zeros(8, "M8[s]"),
        np.ones(8) > 0,
        np.array(["1"] * 8),
        np.ones(()),
        np.ones(0),
    ],
    ids=lambda vector: f"{vector.dtype}{vector.shape}",
)
def test_other_arrays_in_a_file_are_no_vector(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], vector: Any
) -> None:
    np.save(tmp_path / "q.npy", vector)
    assert run(["recall", "--space", "notes", "--data", str(data), "--vector", str(tmp_path / "q.npy")]) == 1
    assert "does not hold a vector" in capsys.readouterr().err


@pytest.mark.usefixtures("far_from_greenwich")
@pytest.mark.parametrize("text", ["2025-01-31T12:00:00", "2025-01-31T12:00:00Z", "2025-02-01T01:00:00+13:00"])
def test_a_text_without_a_zone_in_a_file_is_utc(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"id": "a", "embedding": VECTOR, "time": text}))
    (chunk,) = JsonlSource(path).chunks(10)
    batch = screen(chunk, CONFIG).batch
    assert batch is not None
    assert batch.times_us.tolist() == [NOON_US]


def columns_of(tmp_path: Path, **columns: Any) -> Screened:
    path = tmp_path / "rows.parquet"
    vectors = arrow.array([VECTOR] * 2, arrow.list_(arrow.float32()))
    parquet.write_table(arrow.table({"id": ["a", "b"], "embedding": vectors, **columns}), path)
    (chunk,) = ParquetSource(path).chunks(10)
    return screen(chunk, CONFIG)


@pytest.mark.parametrize(
    "column",
    [
        arrow.array([NOON_US * 1000 + 1] * 2, arrow.timestamp("ns")),
        arrow.array([NOON_US] * 2, arrow.timestamp("us", tz="Asia/Tokyo")),
        arrow.array([NOON_US // 1_000_000] * 2, arrow.timestamp("s")),
        arrow.array([NOON.timestamp()] * 2),
        arrow.array([NOON_US // 1_000_000] * 2, arrow.int64()),
        arrow.array(["2025-01-31T12:00:00Z", "2025-01-31T12:00:00"]),
    ],
    ids=lambda column: str(column.type),
)
def test_times_of_any_unit_in_parquet_are_taken(tmp_path: Path, column: Any) -> None:
    batch = columns_of(tmp_path, time=column).batch
    assert batch is not None
    assert batch.times_us.tolist() == [NOON_US] * 2


def test_a_date_in_parquet_is_its_midnight(tmp_path: Path) -> None:
    batch = columns_of(tmp_path, time=arrow.array([date(2025, 1, 31)] * 2)).batch
    assert batch is not None
    assert batch.times_us.tolist() == [NOON_US - 43_200_000_000] * 2


@pytest.mark.parametrize(
    "columns",
    [
        {"time": arrow.array([0, NOON_US], arrow.int64())},
        {"time": arrow.array(["2025-01-31", "soon"])},
        {"metadata": arrow.array(["", '{"a":NaN}'])},
        {"metadata": arrow.array([None, {"a": float("nan")}])},
        {"confidence": arrow.array([0.5, float("nan")])},
        {"tags": arrow.array([["t"], [""]])},
    ],
    ids=lambda columns: str(next(iter(columns))),
)
def test_a_bad_value_in_parquet_is_refused_by_row(tmp_path: Path, columns: dict[str, Any]) -> None:
    screened = columns_of(tmp_path, **columns)
    assert [row.number for row in screened.bad] == [2]
    assert list(screened.numbers) == [1]


@pytest.mark.parametrize(
    "words",
    [
        ["verify", ""],
        ["compact", ""],
        ["repair", "data", ""],
        ["backup", "data", ""],
        ["restore", "", "new"],
        ["restore", "data", ""],
        ["recall", "--data", "", "--space", "notes"],
        ["serve", "--data", ""],
        ["ingest", "", "--space", "notes"],
    ],
)
def test_an_empty_path_is_not_the_working_directory(
    data: Path, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(data if words[1:] == [""] or "--data" in words else data.parent)
    before = sorted(data.parent.rglob("*"))
    assert run(words) == 2
    assert "it is empty; pass . for the working directory" in capsys.readouterr().err
    assert sorted(data.parent.rglob("*")) == before
