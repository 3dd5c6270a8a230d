"""How long a call or a wait may take."""

from __future__ import annotations

import numpy as np
import pytest

from engram.errors import InvalidInput
from engram.model.waiting.timeouts import as_timeout_s


def test_a_wait_may_be_as_short_as_none() -> None:
    assert [as_timeout_s(value) for value in (0, np.float32(0.5), 86_400)] == [0.0, 0.5, 86_400.0]
    for wrong in (-0.1, 86_400.1, float("nan"), "1"):
        with pytest.raises(InvalidInput, match="from 0"):
            as_timeout_s(wrong)


def test_a_call_takes_some_time() -> None:
    with pytest.raises(InvalidInput, match="above 0") as refused:
        as_timeout_s(0, above_zero=True)
    assert (refused.value.code, refused.value.field) == ("invalid_option", "timeout_s")
