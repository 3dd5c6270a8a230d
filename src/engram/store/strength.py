"""The strength of memories: what is certain, important and fresh, or was recalled often, comes first.

strength = s * confidence * (1 + importance) / 2 * kept

s     the similarity, not below 0; under the metric l2, 1 / (1 + squared distance); 1 for a cue without vector
kept  2 ** -(age / h), or 1 / (1 + age / h) with forgetting by a power law
age   time since it was observed, or was last recalled by strength if that is later
h     the half-life, times 1 + the number of recalls by strength that it was a result of
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from engram.errors import InvalidInput
from engram.scalars import as_real
from engram.spaces import Metric
from engram.times import TIME_MIN_US

Forgetting = Literal["exponential", "power"]
FORGETTINGS: Final[tuple[str, ...]] = get_args(Forgetting)
# The most recently recalled are remembered; the others count as never recalled.
_REMEMBERED_MAX: Final = 100_000


@dataclass(frozen=True, slots=True)
class Strength:
    """How a recall weighs memories.

    Parameters
    ----------
    half_life_s
        After so long without being recalled, half of a memory is kept; None for the space's, see `StoreOptions`.
    forgetting
        ``"exponential"`` or ``"power"``.
    reinforce
        Whether the results count as recalled once more.

    Raises
    ------
    InvalidInput
        If the half-life is not positive, or the kind of forgetting unknown.
    """

    half_life_s: float | None = None
    forgetting: Forgetting = "exponential"
    reinforce: bool = True

    def __post_init__(self) -> None:
        if self.half_life_s is not None:
            half_life_s = as_real("half_life_s", self.half_life_s, "seconds, > 0", code="invalid_strength")
            if not 0 < half_life_s < float("inf"):
                raise _refused("half_life_s", "> 0", self.half_life_s)
        if self.forgetting not in FORGETTINGS:
            raise _refused("forgetting", ", ".join(FORGETTINGS), self.forgetting)


class Memories(NamedTuple):
    """What the strength of memories is made of, one entry each."""

    generations: NDArray[np.int64]
    similarities: NDArray[np.float32]
    confidences: NDArray[np.float32]
    importances: NDArray[np.float32]
    times_us: NDArray[np.int64]


class Reinforcement:
    """How often and when memories were last recalled by strength. Kept in memory only; any thread may call it.

    Parameters
    ----------
    half_life_s
        Where a recall names none.
    """

    def __init__(self, half_life_s: float) -> None:
        self._half_life_s = half_life_s
        self._recalled: OrderedDict[int, tuple[int, int]] = OrderedDict()
        self._guard = threading.Lock()

    def weigh(self, memories: Memories, strength: Strength, metric: Metric, now_us: int) -> NDArray[np.float32]:
        """The strength of each of `memories`; see the head of this module."""
        with self._guard:
            known = [self._recalled.get(generation, (0, 0)) for generation in memories.generations.tolist()]
        counts = np.array([count for count, _ in known], dtype=np.float64)
        latest_us = np.maximum(memories.times_us, np.array([at_us for _, at_us in known], dtype=np.int64))
        # An older version has stored times from which no difference can be taken.
        latest_us = np.maximum(latest_us, TIME_MIN_US)
        half_lives_s = (strength.half_life_s or self._half_life_s) * (1 + counts)
        ages = np.maximum(now_us - latest_us, 0) / 1e6 / half_lives_s
        kept = np.exp2(-ages) if strength.forgetting == "exponential" else 1 / (1 + ages)
        similarities = memories.similarities.astype(np.float64)
        similarities = 1 / (1 - similarities) if metric == "l2" else np.maximum(similarities, 0)
        strengths = similarities * memories.confidences * (1 + memories.importances) / 2 * kept
        weights: NDArray[np.float32] = strengths.astype(np.float32)
        return weights

    def reinforce(self, generations: list[int], now_us: int) -> None:
        """Count one more recall of each."""
        with self._guard:
            for generation in generations:
                count, _ = self._recalled.pop(generation, (0, 0))
                self._recalled[generation] = count + 1, now_us
            while len(self._recalled) > _REMEMBERED_MAX:
                self._recalled.popitem(last=False)


def _refused(field: str, limit: object, value: object) -> InvalidInput:
    return InvalidInput(
        f"{field} is {value!r}; it must be {limit}", code="invalid_strength", field=field, limit=limit, value=value
    )
