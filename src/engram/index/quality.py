"""Presets for the work that goes into the links of each vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Quality = Literal["fast", "balanced", "accurate"]


@dataclass(frozen=True, slots=True)
class Preset:
    """The graph parameters of one quality.

    Parameters
    ----------
    m
        Links that a new vector chooses, by RobustPrune (Subramanya et al., DiskANN, 2019).
    degree_max
        Length of a list of links; a longer list is pruned.
    ef_construction
        Candidates from which a new vector chooses its links.
    """

    m: int
    degree_max: int
    ef_construction: int


# The values were measured; see docs/decisions/0007.
PRESETS: Final[dict[str, Preset]] = {
    "fast": Preset(m=24, degree_max=63, ef_construction=24),
    "balanced": Preset(m=24, degree_max=63, ef_construction=48),
    "accurate": Preset(m=32, degree_max=63, ef_construction=96),
}
