"""Single values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engram.errors import InvalidInput
from engram.model.values.scalars import as_flag


@pytest.mark.parametrize("value", [True, np.bool_(True), np.array([True])[0]])
def test_truth_values_are_flags(value: Any) -> None:
    assert as_flag("follow", value) is True
    assert as_flag("follow", np.bool_(False)) is False


@pytest.mark.parametrize("value", ["no", "", None, 0, 1, 1.0, [], np.array([True])])
def test_nothing_else_is_a_flag(value: Any) -> None:
    with pytest.raises(InvalidInput) as refusal:
        as_flag("follow", value)
    assert (refusal.value.code, refusal.value.field) == ("invalid_flag", "follow")
