"""How much work goes into each vector's links."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Quality = Literal["fast", "balanced", "accurate"]


@dataclass(frozen=True, slots=True)
class Preset:
    """Links a vector chooses for itself, the length of a list, and candidates that are chosen from."""

    m: int
    degree_max: int
    ef_construction: int


PRESETS: Final[dict[str, Preset]] = {
    "fast": Preset(m=24, degree_max=63, ef_construction=24),
    "balanced": Preset(m=24, degree_max=63, ef_construction=48),
    "accurate": Preset(m=32, degree_max=63, ef_construction=96),
}
