"""The limits of one WebSocket, and the codes that it is closed with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DONE: Final = 1000
GOING_AWAY: Final = 1001
STREAM_FAILED: Final = 4400
SILENT: Final = 4408
TOO_SLOW: Final = 4429

CALLS_MAX: Final = 32
"""Calls of one WebSocket under way at the same time, standing recalls not counted."""

LARGE_CALLS_MAX: Final = 4
"""Of these, those that are made and sent at the same time, if they ask for many hits; further ones wait.

Their answers may be as large as a message, and a client need not read them.
"""

MANY_HITS: Final = 64
"""Hits beyond which a call is a large one."""

FOLLOWERS_MAX: Final = 1024
"""Standing recalls and change feeds of one WebSocket. They stay open until they are cancelled."""


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """The limits of one WebSocket.

    Parameters
    ----------
    heartbeat_s
        Seconds without a message to the client after which a heartbeat is sent.
    silence_s
        Seconds without a message from the client after which the WebSocket is closed.
    send_s
        Seconds that a client may take for one message before it is too slow.
    unsent_bytes_max
        Bytes of answers that may wait to be sent before further calls wait to begin.
    unread_count_max, unread_bytes_max
        Messages, and their bytes, that are read ahead of the one being handled.
    joined_count_max, joined_bytes_max
        Single observations, and their bytes, that are admitted as one batch.
    """

    heartbeat_s: float = 30.0
    silence_s: float = 90.0
    send_s: float = 60.0
    unsent_bytes_max: int = 64 * 1024 * 1024
    unread_count_max: int = 1024
    unread_bytes_max: int = 8 * 1024 * 1024
    joined_count_max: int = 128
    joined_bytes_max: int = 4 * 1024 * 1024
