"""The clock by which observations are due."""

from __future__ import annotations

from engram.model.times import now_us


def present_us() -> int:
    """Return the time of day in microseconds since 1970 UTC.

    What is due by it is hidden, and times to live count from it. It may be set back, and then what was hidden is there
    again, unless it was removed meanwhile.
    """
    return now_us()
