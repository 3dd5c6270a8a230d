"""A server under mutated frames: no internal error, no hang, nothing left behind, and a sound client is answered.

``python -m campaigns.frames`` runs the same as a command.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from campaigns.frames.attack import attack, broken
from campaigns.frames.mutation import WAYS

SHORT = pytest.param(1, 2_000)
LONG = pytest.param(13, 100_000, marks=[pytest.mark.campaign, pytest.mark.timeout(3 * 3600)])


@pytest.mark.parametrize(("seed", "count"), [SHORT, LONG])
async def test_mutated_frames_harm_only_their_own_connections(tmp_path: Path, seed: int, count: int) -> None:
    result = await attack(seed, count, tmp_path)
    assert broken(result) == []
    assert result["frames"] >= count
    assert result["witnessed"] > 2
    # A campaign whose messages do not get through shows nothing.
    assert result["sent"].keys() == set(WAYS)
    answers = result["answers"]
    assert min(answers["init_ack"], answers["ack"], answers["recall_result"], answers["error"]) > 5
    assert len(result["errors"]) > 10
