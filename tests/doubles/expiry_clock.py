"""A clock for expiry that a test sets."""

from __future__ import annotations

import pytest

from engram.model.times import now_us
from engram.store import Space
from engram.store.age_clock import AgeClock

S = 1_000_000


class ExpiryClock:
    """The time of day by which observations are due, and a steady clock, both in microseconds.

    It begins with the real time, because that is when commits are made.
    """

    def __init__(self) -> None:
        self.day_us = now_us() // S * S
        self.steady_us = 5_000_000
        self.age_clock = AgeClock(lambda: self.day_us, lambda: self.steady_us)

    def go_on(self, seconds: float) -> None:
        """Let time pass."""
        self.steady_us += round(seconds * S)
        self.day_us += round(seconds * S)

    def set_by(self, seconds: float) -> None:
        """Set the time of day."""
        self.day_us += round(seconds * S)

    def at(self, seconds: float) -> float:
        """The time in so many seconds, as seconds since 1970."""
        return self.day_us / S + seconds

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have all spaces go by this clock."""
        monkeypatch.setattr("engram.store.expiry.present.now_us", lambda: self.day_us)

    def remove_expired(self, space: Space) -> None:
        """Have what has expired in a space removed, as a round of the housekeeping does."""
        engine = space._engine
        engine.retention.clock = self.age_clock
        engine.remove_expired()
        # What is queued behind it is committed behind it.
        space.delete(["no such id"])
