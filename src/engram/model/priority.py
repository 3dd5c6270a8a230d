"""The priority of a request."""

from __future__ import annotations

from enum import IntEnum


class Priority(IntEnum):
    """The priority of a request, which selects the lane it waits in."""

    HIGH = 1
    NORMAL = 2
    LOW = 3
