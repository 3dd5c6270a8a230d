"""The examples of docs/integrations/langchain.md run and print what the page says."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from tests.doubles.places import ROOT

PAGE = (ROOT / "docs" / "integrations" / "langchain.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```py\n(.*?)^```\n\n```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_every_example_is_run() -> None:
    assert len(EXAMPLES) == PAGE.count("```py\n") == 5


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_prints_what_the_page_says(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, expected = EXAMPLES[number]
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        exec(code, {"__name__": "example"})  # noqa: S102 - a page of this repository.
    assert told.getvalue() == expected
