"""The sources of the page: their types, and the tests of their logic."""

from __future__ import annotations

import pytest

from tests.integration.node_package import run_script


@pytest.mark.parametrize("script", ["check", "test"])
def test_the_page_passes(script: str) -> None:
    run_script("page", script)
