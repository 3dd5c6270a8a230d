"""A process that is killed while it compacts its log: nothing live is lost, and sessions store nothing twice.

``python -m campaigns.compaction`` runs the same as a command.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from campaigns.compaction.kills import kill_while_compacting

SHORT = pytest.param(1, 4)
LONG = pytest.param(15, 200, marks=[pytest.mark.campaign, pytest.mark.timeout(3 * 3600)])


@pytest.mark.parametrize(("seed", "rounds"), [SHORT, LONG])
def test_kills_while_compacting_lose_and_double_nothing(tmp_path: Path, seed: int, rounds: int) -> None:
    result = kill_while_compacting(seed, rounds, tmp_path / "data")
    assert result["wrong"] == []
    assert result["acknowledged"] > 20 * rounds
    assert result["compacted_rounds"] >= rounds - 2
