"""``engram top`` without a server."""

from __future__ import annotations

import pytest

from engram.cli.main import run

pytestmark = pytest.mark.usefixtures("in_empty_directory")


@pytest.mark.parametrize("interval", ["0", "-1", "nan", "inf", "3601", "soon"])
def test_an_interval_that_is_none_is_refused(interval: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["top", "--once", "--interval", interval]) == 2
    assert "--interval" in capsys.readouterr().err
