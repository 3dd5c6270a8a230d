"""What gRPC's poller reports on the wrong loop, or after its end, is nobody's concern; everything else is."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

import pytest

from engram.client.grpc.poller import quiet_poller


@pytest.mark.parametrize(
    ("message", "error", "is_told"),
    [
        (
            "Exception in callback PollerCompletionQueue._handle_events()()",
            BlockingIOError(errno.EAGAIN, "again"),
            False,
        ),
        ("Exception in callback PollerCompletionQueue._handle_events()()", RuntimeError("the loop is closed"), False),
        (
            "Exception in callback PollerCompletionQueue._handle_events()()",
            OSError(errno.EBADF, "bad descriptor"),
            False,
        ),
        ("Exception in callback PollerCompletionQueue._handle_events()()", OSError(errno.EIO, "broken"), True),
        ("Exception in callback something()", OSError(errno.EBADF, "bad descriptor"), True),
        ("Task exception was never retrieved", RuntimeError("a mistake"), True),
    ],
)
def test_only_what_is_harmless_is_ignored(
    monkeypatch: pytest.MonkeyPatch, message: str, error: Exception, is_told: bool
) -> None:
    loop = asyncio.new_event_loop()
    told: list[Any] = []
    try:
        monkeypatch.setattr(loop, "default_exception_handler", told.append)
        quiet_poller(loop)
        loop.call_exception_handler({"message": message, "exception": error})
    finally:
        loop.close()
    assert bool(told) == is_told
