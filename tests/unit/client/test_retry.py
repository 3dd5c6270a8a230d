"""What the client tries again: calls, batches and streams, each by its own rule."""

from __future__ import annotations

import pytest

from engram.client.retry import GAVE_UP, NOT_ENGRAM, may_reconnect, may_resend
from engram.errors import (
    EngramError,
    InvalidInput,
    OverCapacity,
    PermissionDenied,
    SequenceError,
    StoreLocked,
    Unauthenticated,
    Unavailable,
)


@pytest.mark.parametrize(
    ("error", "call", "batch", "stream"),
    [
        (Unavailable("away"), True, True, True),
        (OverCapacity("full"), True, True, True),
        (Unavailable("no rights", code="read_only"), False, True, True),
        (Unavailable("a sync failed", code="log_failed"), False, True, True),
        (Unavailable("another service", code=NOT_ENGRAM), False, True, True),
        (SequenceError("a gap"), False, True, True),
        (EngramError("the connection went away", code="cancelled"), False, False, True),
        (Unavailable("no progress", code=GAVE_UP), True, True, False),
        (EngramError("another session", code="session_mismatch"), False, False, False),
        (InvalidInput("NaN"), False, False, False),
        (Unauthenticated("who are you?"), False, False, False),
        (PermissionDenied("not you"), False, False, False),
        (StoreLocked("locked"), False, False, False),
    ],
)
def test_each_error_says_what_may_be_tried_again(error: EngramError, call: bool, batch: bool, stream: bool) -> None:
    assert (error.is_transient, may_resend(error), may_reconnect(error)) == (call, batch, stream)
