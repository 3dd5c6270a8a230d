"""The priority of a request."""

from __future__ import annotations

from enum import IntEnum

from engram.errors import InvalidInput
from engram.model.values.scalars import shown


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
    # What has a comparison of its own, such as an array, is no name.
    if isinstance(name, str) and name in names:
        return Priority[name.upper()]
    known, came = ", ".join(names), shown(name, with_type=not isinstance(name, str))
    raise InvalidInput(
        f"priority {came} is not one of {known}", code="invalid_priority", field="priority", limit=known, value=came
    )
