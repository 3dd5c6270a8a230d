"""A recall as every transport asks for it, and the answer to one that is answered at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from engram.errors import InvalidInput
from engram.model.cue import Cue
from engram.model.hit import Hit
from engram.model.limits import EF_MAX, RECALL_BATCH_MAX, RESULTS_MAX
from engram.model.scalars import as_whole, shown
from engram.model.strength import Strength

RESULTS_DEFAULT: Final = 10
BATCH_DEFAULT: Final = 10
GENERATION_MAX: Final = 2**63 - 1
_TIMEOUT_MS_MAX: Final = 2**31 - 1


@dataclass(frozen=True, slots=True, eq=False)
class RecallQuery:
    """What to recall.

    Parameters
    ----------
    cue
        What to recall by.
    results_max
        At most this many hits, 1 to 10 000.
    batch_size
        Hits per batch when streamed, 1 to 100.
    max_generation
        Answer as of this generation; None for now.
    snapshot_us
        Answer as of this time, microseconds since 1970 UTC, instead.
    ef
        Breadth of the graph search, 1 to 10 000; None for the default.
    include_recent
        Streamed recalls only: also hand out what is observed while the recall runs.
    follow
        Streamed recalls only: then stay open, and hand out what is observed from then on.
    strength
        Rank by the strength of memories instead of similarity alone.
    skip_damaged
        Where bytes that the answer needs are damaged, leave those observations out and say that the answer is
        incomplete, instead of raising.
    timeout_ms
        Streamed recalls only: end, with an error, if it takes longer; following is not counted. None for no limit.

    Raises
    ------
    InvalidInput
        If a number is out of bounds, or two settings contradict each other.
    """

    cue: Cue
    results_max: int = RESULTS_DEFAULT
    batch_size: int = BATCH_DEFAULT
    max_generation: int | None = None
    snapshot_us: int | None = None
    ef: int | None = None
    include_recent: bool = False
    follow: bool = False
    strength: Strength | None = None
    timeout_ms: int | None = None
    skip_damaged: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.cue, Cue):
            raise _refused(f"the cue is {shown(self.cue)}; pass a Cue", "cue", "a Cue", type(self.cue).__name__)
        self._keep("results_max", as_whole("max_results", self.results_max, 1, RESULTS_MAX, code="invalid_max_results"))
        self._keep("batch_size", check_range("batch_size", self.batch_size, 1, RECALL_BATCH_MAX))
        if self.ef is not None:
            self._keep("ef", check_range("ef", self.ef, 1, EF_MAX))
        if self.max_generation is not None:
            self._keep("max_generation", check_range("max_generation", self.max_generation, 0, GENERATION_MAX))
        if self.timeout_ms is not None:
            self._keep("timeout_ms", as_whole("timeout_ms", self.timeout_ms, 1, _TIMEOUT_MS_MAX, code="invalid_recall"))
        if self.strength is not None and not isinstance(self.strength, Strength):
            raise _refused(
                f"strength is {shown(self.strength)}; pass Strength() or None",
                "strength",
                "Strength",
                type(self.strength).__name__,
            )
        if self.max_generation is not None and self.snapshot_us is not None:
            raise _refused("a snapshot is named by generation or by time", "snapshot_time", "one of them", "both")
        if (self.follow or self.include_recent) and (self.cue.by != "similarity" or self.strength is not None):
            raise _refused(
                "what is observed meanwhile is matched by similarity and filter only",
                "follow" if self.follow else "include_recent",
                "a cue by similarity, without strength",
                self.cue.by,
            )
        if self.follow and self.cue.ranks and self.cue.score_min is None:
            raise _refused("a standing recall needs to know what is similar enough", "score_min", "a score", "none")

    def _keep(self, name: str, number: int) -> None:
        # Python's own type, which everything behind this door counts on.
        object.__setattr__(self, name, number)


@dataclass(frozen=True, slots=True)
class Recalled:
    """The answer to a recall: the hits, best first, and the generation of the snapshot they are from.

    `found` counts the hits before `score_min` was applied. `incomplete` tells that damaged observations were left out.
    """

    hits: Sequence[Hit]
    generation: int
    found: int
    elapsed_ms: float
    incomplete: bool = False


def check_range(field: str, value: object, low: int, high: int) -> int:
    """Return `value` as an `int` if it is a whole number within `low` and `high`.

    Raises
    ------
    InvalidInput
        Naming the field and the limits.
    """
    return as_whole(field, value, low, high, code=f"invalid_{field}")


def _refused(message: str, field: str, limit: object, value: object) -> InvalidInput:
    return InvalidInput(message, code="invalid_recall", field=field, limit=limit, value=value)
