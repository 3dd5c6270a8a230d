"""Counters of the server's work since its start, as plain integers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """Counters that only the event loop's thread changes and any thread may read.

    Parameters
    ----------
    connections
        Streams that are open now.
    observations_accepted, observations_rejected
        Observations stored, and observations refused for any reason.
    recalls
        Recalls answered.
    malformed
        Messages whose bytes could not be parsed.
    """

    connections: int = 0
    observations_accepted: int = 0
    observations_rejected: int = 0
    recalls: int = 0
    malformed: int = 0
