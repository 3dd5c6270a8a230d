"""The examples of docs/integrations/haystack.md run and print what the page says."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from tests.suites.pages import examples_of, printed


@pytest.mark.parametrize(("code", "expected"), examples_of("haystack"), ids=count(1))
def test_an_example_prints_what_the_page_says(code: str, expected: str, tmp_path: Path) -> None:
    assert printed(code, tmp_path) == expected
