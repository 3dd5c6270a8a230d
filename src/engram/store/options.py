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
    """How a store uses the machine. None of it is recorded; every start may choose anew.

    Parameters
    ----------
    segment_bytes
        Size of the log's files once a space has grown to it.
    workers
        Index threads, at most 16; 0: one per core.
    steal_threshold
        An index worker without work of its own helps in spaces where more observations wait than this.
    link_count
        Observations an index worker links before it looks around again, at most.
    drain_s
        How long closing lets the index workers link what waits; the rest is linked after the next start.
    quality
        How much work goes into each vector's links: ``"fast"``, ``"balanced"``, ``"accurate"``.
    ef
        Default breadth of a recall's graph search.
    checkpoint_count_min, checkpoint_percent
        A checkpoint of the graph is written when that many observations were indexed since the last one, and that
        percentage of all: so its cost per observation stays constant as a space grows.
    retained_count, retained_s
        How far back recalls may go, in generations and in seconds; 0 for no limit. Nothing is removed from the disk,
        but what was superseded or deleted before leaves the index.
    compaction_count_min
        That happens when so many versions are dead, and as many as are alive.
    recent_penalty, recent_tau_s
        What is observed while a recall runs that includes it has its confidence multiplied by
        ``1 - recent_penalty * exp(-age / recent_tau_s)``.
    half_life_s
        After how long half of a memory is kept, for recalls by strength that name no half-life.
    follower_count_max
        Matches that may wait for one follower of a standing recall.
    intake_count_max, intake_bytes_max
        What may wait for the committer, in observations and bytes.
    commit_count_max, commit_bytes_max
        What one group commit takes at most, unless a single request is larger.
    tail_count_max, tail_bytes_max
        What a space may hold that is not linked yet, in observations and in bytes of their vectors. Recall scans it.
    mark_interval_s
        While there are commits, it is noted this often outside of the log how far the log went. Only of what was
        committed since, a loss at the very end of the log may look like a power cut.
    scrub_bytes_per_s, scrub_interval_s
        Everything stored is read and checked after the store was opened, and again that many seconds after each time,
        at this many bytes a second; 0 bytes a second for never.
    room_timeout_s
        How long `Space.observe` and `Space.delete` wait for room in the tail before they give up.

    Raises
    ------
    InvalidInput
        If a number is out of range.
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
        """The number of index threads to start."""
        return min(self.workers or os.cpu_count() or 1, WORKERS_MAX)


def _invalid(field: str, limit: str, value: object) -> InvalidInput:
    return InvalidInput(
        f"{field} is {value}; it must be {limit}", code="invalid_option", field=field, limit=limit, value=value
    )
