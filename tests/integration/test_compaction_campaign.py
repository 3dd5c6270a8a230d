"""Kills and power cuts while a log is compacted and erased from: nothing live is lost, nothing comes back or twice.

``python -m campaigns.compaction`` runs the same as a command.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from campaigns.compaction.cuts import cut
from campaigns.compaction.kills import kill

LONG = [pytest.mark.campaign, pytest.mark.timeout(3 * 3600)]


@pytest.mark.parametrize(
    ("seed", "kills"), [pytest.param(1, 4, id="short"), pytest.param(15, 200, marks=LONG, id="long")]
)
def test_kills_lose_double_and_bring_back_nothing(tmp_path: Path, seed: int, kills: int) -> None:
    result = kill(seed, kills, tmp_path / "data")
    assert result["wrong"] == []
    # A campaign that does not get anywhere shows nothing.
    assert result["acknowledged"] > 40 * kills
    assert result["states"] > 5 * kills
    assert result["erased"] > 5 * kills
    assert result["compactions"] >= kills // 4
    assert sum(result["interrupted"].values()) == kills


@pytest.mark.parametrize(
    ("seed", "cuts"), [pytest.param(1, 12, id="short"), pytest.param(15, 200, marks=LONG, id="long")]
)
def test_power_cuts_lose_double_and_bring_back_nothing(seed: int, cuts: int) -> None:
    result = cut(seed, cuts)
    assert result["wrong"] == []
    assert result["acknowledged"] > 5 * cuts
    assert result["states"] > 5 * cuts
    assert result["erased"] > 5
    assert sum(result["interrupted"].values()) == cuts
