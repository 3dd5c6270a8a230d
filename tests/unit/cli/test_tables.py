"""Tables are readable where they are printed."""

from __future__ import annotations

import numpy as np
import pytest

from engram.cli.main import run
from engram.store import MemoryStore

pytestmark = pytest.mark.usefixtures("in_empty_directory")
NAME = "telemetry-of-pumps"


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
    # In a narrow terminal, the name goes on in the next line.
    assert NAME[:12] in shown
    assert "1,234" in shown
    assert "index" in shown
    if columns is None:
        assert NAME in shown
