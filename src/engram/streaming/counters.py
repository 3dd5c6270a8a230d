"""What the server has done since it started, as plain integers read from outside."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """Written on the event loop's thread only; anyone may read.

    Parameters
    ----------
    connections
        Streams open now.
    observations_accepted, observations_rejected
        Observations stored, and refused for whatever reason.
    recalls
        Recalls answered.
    malformed
        Messages whose bytes could not be read.
    """

    connections: int = 0
    observations_accepted: int = 0
    observations_rejected: int = 0
    recalls: int = 0
    malformed: int = 0
