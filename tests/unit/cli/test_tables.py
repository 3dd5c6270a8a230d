"""Tables are readable where they are printed."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from engram.cli.main import run
from engram.cli.tables import count_text, spaces_table
from engram.metrics.samples import MetricSamples
from engram.metrics.table import INDEX_BYTES, INDEX_LAG, LIVE_OBSERVATIONS, LOG_BYTES
from engram.model.operations.status import SpaceStatus
from engram.model.spaces import SpaceConfig
from engram.store import MemoryStore

pytestmark = pytest.mark.usefixtures("in_empty_directory")
NAME = "telemetry-of-pumps"
TITLES = ["health", "generation", "live", "tail", "log", "index"]
NUMBERS = ["20,001", "19,999", "123.4 KiB", "812.3 KiB"]


@pytest.mark.parametrize("columns", [None, "80"], ids=["a pipe", "80 columns"])
def test_spaces_are_named_and_counted(
    columns: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with MemoryStore("data") as store:
        store.space(NAME, dim=8).observe([str(number) for number in range(1234)], np.ones((1234, 8)))
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns:
        monkeypatch.setenv("COLUMNS", columns)
    assert run(["spaces", "--data", "data"]) == 0
    shown = capsys.readouterr().out
    assert NAME in shown
    assert "1,234" in shown
    assert "index" in shown


def status_of(name: str, embedder: str = "", tail_count: int = 0) -> SpaceStatus:
    samples = MetricSamples(
        [
            LIVE_OBSERVATIONS.sample(19_999, name),
            INDEX_LAG.sample(tail_count, name),
            LOG_BYTES.sample(126_362, name),
            INDEX_BYTES.sample(831_795, name),
        ]
    )
    config = SpaceConfig(name, 384, embedder=embedder)
    return SpaceStatus(config, 20_001, 20_001, 20_001 - tail_count, 19_999, 126_362, 831_795, metrics=samples)


def lines_of(spaces: list[SpaceStatus], width: int) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width).print(spaces_table(spaces))
    return out.getvalue().splitlines()


@pytest.mark.parametrize("tail_count", [0, 20_000])
@pytest.mark.parametrize("embedder", ["", "lexical"])
@pytest.mark.parametrize("names", [["default", "ingest-9"], ["default", NAME, "a" * 64]])
def test_every_column_is_whole_in_80_columns(names: list[str], embedder: str, tail_count: int) -> None:
    lines = lines_of([status_of(name, embedder, tail_count) for name in names], 80)
    assert max(map(len, lines)) <= 80
    titles = next(line for line in lines if "generation" in line).split()
    assert titles == ["space", "vectors", *(["embedder"] if embedder else []), *TITLES]
    rows = [line for line in lines if NUMBERS[0] in line]
    assert len(rows) == len(names)
    for row, name in zip(rows, names, strict=True):
        assert all(number in row for number in [*NUMBERS, f"{tail_count:,}"])
        cell = row.split()[0]
        assert cell == name or (cell.endswith("…") and len(cell) >= 8 and name.startswith(cell[:-1]))


def test_a_name_is_cut_off_only_where_there_is_no_room_for_it() -> None:
    space = status_of("a" * 64)
    assert any("…" in line for line in lines_of([space], 80))
    assert not any("…" in line for line in lines_of([space], 160))
    assert all("…" not in line for line in lines_of([status_of("default"), status_of("ingest-123")], 80))


@pytest.mark.parametrize(("count", "shown"), [(0, "0 ids"), (1, "1 id"), (2, "2 ids"), (1_234, "1,234 ids")])
def test_one_thing_is_not_many(count: int, shown: str) -> None:
    assert count_text(count, "id") == shown
