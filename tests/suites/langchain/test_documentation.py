"""The examples of docs/integrations/langchain.md run and print what the page says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.suites.pages import examples_of, printed

EXAMPLES = examples_of("langchain")


def test_every_example_is_run() -> None:
    assert len(EXAMPLES) == 5


@pytest.mark.parametrize(("code", "expected"), EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_prints_what_the_page_says(code: str, expected: str, tmp_path: Path) -> None:
    assert printed(code, tmp_path) == expected
