"""Both halves of docs/integrations/chroma.md run, and print the same."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from tests.doubles.places import ROOT

PAGE = (ROOT / "docs" / "integrations" / "chroma.md").read_text(encoding="utf-8")


def printed(library: str) -> list[str]:
    blocks = re.findall(rf"^```py title=\"{library}\"\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 8
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        exec("\n".join(blocks), {"__name__": library})  # noqa: S102 - a page of this repository.
    return told.getvalue().splitlines()


def test_both_libraries_print_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    halves = []
    for library in ("Chroma", "Engram"):
        (tmp_path / library).mkdir()
        monkeypatch.chdir(tmp_path / library)
        halves.append(printed(library))
    assert halves[0] == halves[1]
    assert len(halves[0]) == 8
