"""How much of what a run has."""

from __future__ import annotations

from dataclasses import dataclass, field

from engram import RetentionPolicy


@dataclass(frozen=True, slots=True)
class Mix:
    """How much of what a run has.

    Parameters
    ----------
    retention
        How much history the spaces retain, as the server has been told.
    naming_share
        How often a reader has a name changed before it recalls.
    expiring_share
        How much of what is written expires within seconds. Nothing may where history is retained for seconds: what the
        server removed by itself has to be retained until it is asked for.
    back_max
        How many generations recalls go back at most; None: to the first.
    """

    retention: RetentionPolicy = field(default_factory=RetentionPolicy)
    naming_share: float = 0.02
    expiring_share: float = 0.3
    back_max: int | None = None
