"""What a caller decides about a session is checked when the client is made."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engram.client import OutboxLimits, StreamOptions
from engram.client.sending.session_settings import SessionSettings
from engram.errors import InvalidInput
from engram.model.priority import Priority

RIGHT: dict[str, Any] = {"session_id": "", "incarnation": "", "priority": "low", "limits": None, "options": None}


def test_what_is_left_out_has_its_default() -> None:
    settings = SessionSettings.of(**RIGHT)
    assert settings == SessionSettings("", "", Priority.LOW, OutboxLimits(), StreamOptions())


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("session_id", None, "invalid_session_id"),
        ("incarnation", 5, "invalid_incarnation"),
        ("priority", 5, "invalid_priority"),
        ("priority", ["high"], "invalid_priority"),
        ("priority", np.ones(3), "invalid_priority"),
        ("limits", 5, "invalid_option"),
        ("limits", StreamOptions(), "invalid_option"),
        ("options", {"patience_s": 5}, "invalid_option"),
        ("options", OutboxLimits, "invalid_option"),
    ],
)
def test_what_is_of_another_type_is_refused(field: str, value: Any, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        SessionSettings.of(**RIGHT | {field: value})
    assert (caught.value.code, caught.value.field) == (code, field)


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (OutboxLimits, "count_max", 0),
        (OutboxLimits, "bytes_max", "1"),
        (OutboxLimits, "batch_count", 1.5),
        (OutboxLimits, "batch_bytes", None),
        (OutboxLimits, "linger_ms", float("nan")),
        (StreamOptions, "flight_count_max", -1),
        (StreamOptions, "patience_s", float("inf")),
        (StreamOptions, "silence_s", 0),
        (StreamOptions, "close_s", "5"),
        (StreamOptions, "refusal_delay_ms", True),
        (StreamOptions, "on_overload", "drop"),
    ],
)
def test_limits_and_options_are_numbers_within_bounds(kind: Any, field: str, value: Any) -> None:
    with pytest.raises(InvalidInput, match=field) as caught:
        kind(**{field: value})
    assert (caught.value.code, caught.value.field) == ("invalid_option", field)
