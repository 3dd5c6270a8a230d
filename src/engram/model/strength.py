"""Memory strength: a ranking by similarity, confidence, importance, age and the number of recalls.

strength = s * confidence * (1 + importance) / 2 * kept

s     the similarity, at least 0, which the metric makes of the score (docs/concepts.md); 1 for a cue without a vector
kept  2 ** -(age / h), or 1 / (1 + age / h) with forgetting by a power law
age   the time since the observation, or since its last recall by strength if that is later
h     the half-life, times 1 + the number of recalls by strength that returned the observation
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from engram.errors import InvalidInput
from engram.model.values.scalars import as_flag, as_real, shown

Forgetting = Literal["exponential", "power"]
FORGETTINGS: Final[tuple[str, ...]] = get_args(Forgetting)


@dataclass(frozen=True, slots=True)
class Strength:
    """The parameters of a ranking by memory strength.

    Parameters
    ----------
    half_life_s
        Seconds without a recall after which half of the strength is left; None for the half-life of the store, see
        `StoreOptions`.
    forgetting
        Decay of the strength with age: ``"exponential"``, or ``"power"`` for a power law.
    reinforce
        Whether the recall counts as a recall of its results, which makes them stronger in later recalls.

    Raises
    ------
    InvalidInput
        If the half-life is not a positive, finite number, the kind of forgetting is unknown, or `reinforce` is no truth
        value.
    """

    half_life_s: float | None = None
    forgetting: Forgetting = "exponential"
    reinforce: bool = True

    def __post_init__(self) -> None:
        if self.half_life_s is not None:
            half_life_s = as_real("half_life_s", self.half_life_s, "seconds, > 0", code="invalid_strength")
            if not 0 < half_life_s < float("inf"):
                raise _refused("half_life_s", "> 0", self.half_life_s)
        if not isinstance(self.forgetting, str) or self.forgetting not in FORGETTINGS:
            raise _refused("forgetting", ", ".join(FORGETTINGS), self.forgetting)
        object.__setattr__(self, "reinforce", as_flag("reinforce", self.reinforce))


def _refused(field: str, limit: object, value: object) -> InvalidInput:
    came = shown(value)
    return InvalidInput(
        f"{field} is {came}; it must be {limit}", code="invalid_strength", field=field, limit=limit, value=came
    )
