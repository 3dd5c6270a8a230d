"""The priority of a request."""

from __future__ import annotations

from enum import IntEnum

from engram.errors import InvalidInput


class Priority(IntEnum):
    """The priority of a request, which selects the lane it waits in."""

    HIGH = 1
    NORMAL = 2
    LOW = 3


def priority_named(name: str) -> Priority:
    """Return the priority called `name`: ``"high"``, ``"normal"`` or ``"low"``.

    Raises
    ------
    InvalidInput
        If there is no such priority.
    """
    names = [priority.name.lower() for priority in Priority]
    if name in names:
        return Priority[name.upper()]
    known = ", ".join(names)
    raise InvalidInput(
        f"priority {name!r} is not one of {known}", code="invalid_priority", field="priority", limit=known, value=name
    )
