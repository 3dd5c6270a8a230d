"""What a query of a recall takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engram.errors import InvalidInput
from engram.model.cue import Cue
from engram.model.query import RecallQuery
from engram.model.strength import Strength

CUE = Cue(np.ones(3))


@pytest.mark.parametrize("moment", [0, -1, 1_700_000_000_000_000, np.int64(5)])
def test_the_time_of_a_snapshot_is_in_microseconds(moment: Any) -> None:
    query = RecallQuery(CUE, snapshot_us=moment)
    assert (query.snapshot_us, type(query.snapshot_us)) == (int(moment), int)


@pytest.mark.parametrize("wrong", ["2025-01-31", 1.5, True, [], np.ones(3), 2**63, float("nan")])
def test_what_is_no_time_of_a_snapshot_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        RecallQuery(CUE, snapshot_us=wrong)
    assert (refused.value.code, refused.value.field) == ("invalid_time", "snapshot_us")


@pytest.mark.parametrize("wrong", ["no", None, 1, np.ones(3)])
def test_whether_a_recall_reinforces_is_a_truth_value(wrong: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        Strength(reinforce=wrong)
    assert (refused.value.code, refused.value.field) == ("invalid_flag", "reinforce")
    of_numpy: Any = np.bool_(False)
    assert Strength(reinforce=of_numpy).reinforce is False
