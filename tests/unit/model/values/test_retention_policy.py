"""What a retention may be, and what is said about others."""

from __future__ import annotations

import pytest

from engram.errors import InvalidInput
from engram.model.values.retention_policy import RetentionPolicy


def test_a_history_that_is_too_long_is_refused_in_plain_numbers() -> None:
    with pytest.raises(InvalidInput, match="it must be 0 to 1,000,000,000 seconds, or None") as refused:
        RetentionPolicy(2e9)
    assert (refused.value.field, refused.value.limit) == ("history_s", "0..1000000000")
