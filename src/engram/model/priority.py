"""The priority of a request."""

from __future__ import annotations

from enum import IntEnum


class Priority(IntEnum):
    """What a request may overtake."""

    HIGH = 1
    NORMAL = 2
    LOW = 3
