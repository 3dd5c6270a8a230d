"""Presets for the work that goes into the links of each vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from engram.index.checks import check_choice, check_range

Quality = Literal["fast", "balanced", "accurate"]

_M_RANGE: Final = (4, 63)
_EF_CONSTRUCTION_RANGE: Final = (8, 512)
_DEGREE_MAX: Final = 127


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


def choose_preset(quality: Quality, m: int | None = None, ef_construction: int | None = None) -> Preset:
    """Return the preset of a quality, with `m` and `ef_construction` in place of its own where they are given.

    Raises
    ------
    InvalidInput
        If `quality` is unknown, or a number is out of range.
    """
    check_choice("quality", quality, get_args(Quality))
    preset = PRESETS[quality]
    links = check_range("m", preset.m if m is None else m, *_M_RANGE)
    given = preset.ef_construction if ef_construction is None else ef_construction
    candidates = check_range("ef_construction", given, *_EF_CONSTRUCTION_RANGE)
    # A list may grow to three times `m` before it is pruned, which avoids most prunings. A list of 47 or 63 links and
    # its length fill whole cache lines.
    degree_max = preset.degree_max if m is None else min(_DEGREE_MAX, -(-(3 * links) // 16) * 16 - 1)
    return Preset(links, degree_max, candidates)
