"""The recall query that all transports share, and the result of a recall that is not streamed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from engram.errors import InvalidInput
from engram.model.cue import Cue
from engram.model.hit import Hit
from engram.model.limits import EF_MAX, RECALL_BATCH_MAX, STREAM_RESULTS_MAX
from engram.model.strength import Strength
from engram.model.times import TIME_MAX_US, TIME_MIN_US
from engram.model.values.scalars import as_flag, as_whole, shown
from engram.showing import one_line

RESULTS_DEFAULT: Final = 10
BATCH_DEFAULT: Final = 10
GENERATION_MAX: Final = 2**63 - 1
_TIMEOUT_MS_MAX: Final = 2**31 - 1
_FLAGS: Final = ("include_recent", "follow", "skip_damaged", "include_vectors")


@dataclass(frozen=True, slots=True, eq=False)
class RecallQuery:
    """The parameters of one recall.

    Parameters
    ----------
    cue
        The cue to search for.
    k
        Maximum number of hits, 1 to 2 147 483 647. One answer of a server has at most 10 000, and a stream any number.
    batch_size
        Streamed recalls only: hits per batch, 1 to 100.
    max_generation
        Recall as of this generation; None for the newest.
    snapshot_us
        Recall as of this time, in microseconds since 1970 UTC; None if the recall names no time. It excludes
        `max_generation`.
    ef
        Breadth of the graph search, 1 to 10 000; None for the default of the store.
    include_recent
        Streamed recalls only: whether batches after the first may also hold observations that are committed while the
        recall runs.
    follow
        Streamed recalls only: whether the stream stays open after the last batch and returns new observations that
        match (a standing recall). By words, those match that have all words of the cue.
    strength
        Ranking by memory strength; None to rank by the score of the cue.
    skip_damaged
        Whether to leave out observations whose stored bytes are damaged, and mark the result as incomplete. Otherwise
        a recall that needs damaged bytes raises.
    timeout_ms
        Streamed recalls only: milliseconds after which the recall fails; the time spent following does not count. None
        for no limit.
    include_vectors
        Whether the hits have their vectors. The hits of an embedded store always have them, and read them on access.

    Raises
    ------
    InvalidInput
        If a value has the wrong type, a number is out of range, or two parameters contradict each other.
    """

    cue: Cue
    k: int = RESULTS_DEFAULT
    batch_size: int = BATCH_DEFAULT
    max_generation: int | None = None
    snapshot_us: int | None = None
    ef: int | None = None
    include_recent: bool = False
    follow: bool = False
    strength: Strength | None = None
    timeout_ms: int | None = None
    skip_damaged: bool = False
    include_vectors: bool = False

    def __repr__(self) -> str:
        return one_line(self)

    def __post_init__(self) -> None:
        if not isinstance(self.cue, Cue):
            raise _refused(f"the cue is {shown(self.cue)}; pass a Cue", "cue", "a Cue", type(self.cue).__name__)
        self._keep("k", check_range("k", self.k, 1, STREAM_RESULTS_MAX))
        self._keep("batch_size", check_range("batch_size", self.batch_size, 1, RECALL_BATCH_MAX))
        if self.ef is not None:
            self._keep("ef", check_range("ef", self.ef, 1, EF_MAX))
        object.__setattr__(self, "max_generation", as_generation(self.max_generation))
        if self.snapshot_us is not None:
            moment_us = as_whole("snapshot_us", self.snapshot_us, TIME_MIN_US, TIME_MAX_US, code="invalid_time")
            self._keep("snapshot_us", moment_us)
        if self.timeout_ms is not None:
            self._keep("timeout_ms", as_whole("timeout_ms", self.timeout_ms, 1, _TIMEOUT_MS_MAX, code="invalid_recall"))
        for name in _FLAGS:
            self._keep(name, as_flag(name, getattr(self, name)))
        if self.strength is not None and not isinstance(self.strength, Strength):
            raise _refused(
                f"strength is {shown(self.strength)}; pass Strength() or None",
                "strength",
                "Strength",
                type(self.strength).__name__,
            )
        check_one_snapshot(self.max_generation, self.snapshot_us)
        self._check_standing()

    def _check_standing(self) -> None:
        """Check that what is observed meanwhile can be matched, if that is asked for."""
        if not (self.follow or self.include_recent):
            return
        # Only what follows by words needs no rank among what was found before.
        matched = ("similarity",) if self.include_recent else ("similarity", "words")
        if self.cue.by not in matched or self.strength is not None:
            raise _refused(
                f"what is observed meanwhile is matched by filter and by {' or '.join(matched)} only",
                "include_recent" if self.include_recent else "follow",
                f"a cue by {' or '.join(matched)}, without strength",
                self.cue.by,
            )
        if self.follow and self.cue.by == "similarity" and self.cue.ranks and self.cue.score_min is None:
            raise _refused(
                "a standing recall needs to know what is similar enough; pass a Cue with score_min, or one by words",
                "score_min",
                "a score",
                "none",
            )

    def _keep(self, name: str, value: int) -> None:
        # The built-in `int` or `bool` replaces that of NumPy, because all later stages rely on the built-in type.
        object.__setattr__(self, name, value)


@dataclass(frozen=True, slots=True)
class Recalled:
    """The result of a recall, or one batch of a streamed recall.

    Attributes
    ----------
    hits
        The hits, best first.
    generation
        Generation of the snapshot that the hits are from; in what a standing recall returns later, the generation up to
        which everything that matches has been returned.
    found
        Number of hits before `score_min` was applied.
    elapsed_ms
        Duration of the recall, in milliseconds.
    incomplete
        Whether damaged observations were left out.
    more
        Whether batches may follow, not counting what a standing recall finds later.
    """

    hits: Sequence[Hit]
    generation: int
    found: int
    elapsed_ms: float
    incomplete: bool = False
    more: bool = False


def check_range(field: str, value: object, low: int, high: int) -> int:
    """Return `value` as an `int` from `low` to `high`.

    Raises
    ------
    InvalidInput
        With code ``invalid_<field>``, naming the field and the limits, if `value` is not such a number.
    """
    return as_whole(field, value, low, high, code=f"invalid_{field}")


def as_query(query: object) -> RecallQuery:
    """Return `query` if it is a `RecallQuery`.

    Raises
    ------
    InvalidInput
        If it is anything else.
    """
    if isinstance(query, RecallQuery):
        return query
    raise _refused(
        f"the query is {shown(query)}; pass a RecallQuery, or use recall(cue)",
        "query",
        "RecallQuery",
        type(query).__name__,
    )


def as_generation(max_generation: object) -> int | None:
    """Return `max_generation` as an `int`, or None.

    Raises
    ------
    InvalidInput
        If it is neither None nor a generation.
    """
    return None if max_generation is None else check_range("max_generation", max_generation, 0, GENERATION_MAX)


def check_one_snapshot(max_generation: object, snapshot_time: object) -> None:
    """Check that at most one of two ways to name a snapshot is used.

    Raises
    ------
    InvalidInput
        If neither of the two is None.
    """
    if max_generation is not None and snapshot_time is not None:
        raise _refused("a snapshot is named by generation or by time", "snapshot_time", "one of them", "both")


def _refused(message: str, field: str, limit: object, value: object) -> InvalidInput:
    return InvalidInput(message, code="invalid_recall", field=field, limit=limit, value=value)
