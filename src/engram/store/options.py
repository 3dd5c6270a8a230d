"""The settings of a store."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, fields
from typing import Final, get_args

from engram.errors import InvalidInput
from engram.index import Quality
from engram.log.log import SEGMENT_BYTES_DEFAULT
from engram.model.scalars import as_real, as_whole

WORKERS_MAX: Final = 16
_MAY_BE_ZERO: Final = frozenset(
    {"workers", "steal_threshold", "drain_s", "retained_count", "retained_s", "recent_penalty", "scrub_bytes_per_s"}
)
_WHOLE_MAX: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """The settings of a store. None of them is recorded, so every start may use other ones.

    Parameters
    ----------
    segment_bytes
        Size of a log segment in bytes, once the log of its space has grown to this size; before, segments are smaller.
    workers
        Number of index threads, at most 16; 0: one per core.
    steal_threshold
        An idle index worker helps in another worker's space where more observations than this wait.
    link_count
        Maximum number of observations that an index worker links before it looks for work again.
    drain_s
        Seconds that closing lets the index workers link the tail; the rest is linked after the next start.
    quality
        ``"fast"``, ``"balanced"`` or ``"accurate"``: how much work goes into the links of each vector.
    ef
        Default breadth of a recall's graph search.
    checkpoint_count_min, checkpoint_percent
        Write a checkpoint of the graph once at least this many observations, and at least this percentage of all, were
        indexed since the last one. The cost per observation thus stays constant as a space grows.
    retained_count, retained_s
        How far back recalls may go, in generations and in seconds; 0: no limit. Nothing is removed from the disk, but
        versions that were superseded or deleted before that leave the index.
    compaction_count_min
        Compact once at least this many versions are dead and at least as many are dead as alive.
    recent_penalty, recent_tau_s
        If a recall includes recent observations, the confidence of an observation committed while the recall runs is
        multiplied by ``1 - recent_penalty * exp(-age / recent_tau_s)``, with the age counted from its commit, in
        seconds.
    half_life_s
        Seconds after which half of a memory is kept, for recalls by strength that name no half-life.
    follower_count_max
        Maximum number of matches that may wait for one standing recall; it reads further ones from the log.
    intake_count_max, intake_bytes_max
        Maximum number of observations, and of bytes, that may wait for the committer.
    commit_count_max, commit_bytes_max
        Maximum number of observations, and of bytes, in one group commit, unless a single request is larger.
    tail_count_max, tail_bytes_max
        Maximum number of observations of a space, and of bytes of their vectors, that may wait to be linked. Recall
        scans the tail.
    mark_interval_s
        Seconds between the marks that record, outside the log, how far the log went; they are written while there are
        commits. A loss at the very end of the log can look like a power cut only behind the last mark.
    scrub_bytes_per_s, scrub_interval_s
        Everything stored is read and checked after the store is opened, and again `scrub_interval_s` seconds after each
        pass, at `scrub_bytes_per_s` bytes a second; 0 bytes a second: never.
    room_timeout_s
        Seconds that `Space.observe` and `Space.delete` wait for room in the tail before they raise `OverCapacity`.

    Raises
    ------
    InvalidInput
        If a number is out of range or `quality` is unknown.
    """

    segment_bytes: int = SEGMENT_BYTES_DEFAULT
    workers: int = 0
    steal_threshold: int = 100
    link_count: int = 512
    drain_s: float = 5.0
    quality: Quality = "balanced"
    ef: int = 64
    checkpoint_count_min: int = 50_000
    checkpoint_percent: int = 25
    retained_count: int = 0
    retained_s: float = 0.0
    compaction_count_min: int = 10_000
    recent_penalty: float = 0.1
    recent_tau_s: float = 1.0
    half_life_s: float = 7 * 86_400.0
    follower_count_max: int = 10_000
    intake_count_max: int = 100_000
    intake_bytes_max: int = 512 << 20
    commit_count_max: int = 8192
    commit_bytes_max: int = 16 << 20
    tail_count_max: int = 250_000
    tail_bytes_max: int = 1 << 30
    mark_interval_s: float = 1.0
    scrub_bytes_per_s: int = 32 << 20
    scrub_interval_s: float = 86_400.0
    room_timeout_s: float = 60.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            least = 0 if field.name in _MAY_BE_ZERO else 1
            if field.name == "quality":
                if value not in get_args(Quality):
                    raise _invalid(field.name, f"one of {', '.join(get_args(Quality))}", value)
            elif field.type == "int":
                as_whole(field.name, value, least, _WHOLE_MAX, code="invalid_option")
            elif not (0 < as_real(field.name, value, code="invalid_option") < math.inf or field.name in _MAY_BE_ZERO):
                raise _invalid(field.name, "> 0", value)
            elif value < 0:
                raise _invalid(field.name, ">= 0", value)
        if self.recent_penalty > 1:
            raise _invalid("recent_penalty", "0..1", self.recent_penalty)
        if self.retained_s == math.inf:
            raise _invalid("retained_s", "finite; 0 is for no limit", self.retained_s)

    @property
    def worker_count(self) -> int:
        """Number of index threads to start."""
        return min(self.workers or os.cpu_count() or 1, WORKERS_MAX)


def _invalid(field: str, limit: str, value: object) -> InvalidInput:
    return InvalidInput(
        f"{field} is {value}; it must be {limit}", code="invalid_option", field=field, limit=limit, value=value
    )
