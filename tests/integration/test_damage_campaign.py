"""Damage at rest and under an open store: nothing wrong is served, nothing provable vanishes unsaid, nothing dies.

``python -m campaigns.damage`` runs the same by the thousand; docs/reliability.md has its figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from campaigns.damage.pristine import FORMAT_1, WAYS
from campaigns.damage.trials import run_trials
from campaigns.damage.verdict import BROKEN, KEPT

SHORT = pytest.param(
    1, 32, 8, ("closed", "closed without a checkpoint", "killed", FORMAT_1), marks=pytest.mark.timeout(900)
)
FIGURES = pytest.param(11, 2000, 500, WAYS, marks=[pytest.mark.campaign, pytest.mark.timeout(3 * 3600)])


@pytest.mark.parametrize(("seed", "at_rest", "running", "ways"), [SHORT, FIGURES])
def test_every_trial_keeps_its_word(tmp_path: Path, seed: int, at_rest: int, running: int, ways: Sequence[str]) -> None:
    results = list(run_trials(seed, at_rest, running, tmp_path, jobs=2, ways=ways))
    assert [result["trial"] for result in results] == list(range(at_rest + running))
    assert [result for result in results if result["verdict"] in BROKEN] == []
    assert {result["verdict"] for result in results} <= set(KEPT)
    # A campaign that breaks nothing shows nothing.
    assert sum(result["verdict"] == "refused by name" for result in results) > len(results) // 4
    # Where the list of spaces is that of another store, every space is refused before anything can be asked.
    assert all(result["asked"] or result["refused"] for result in results)
