"""The settings of a store."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Final, get_args

from engram.errors import InvalidInput
from engram.index import Quality
from engram.log.log import SEGMENT_BYTES_DEFAULT
from engram.model.limits import CONTENT_BYTES_DEFAULT, CONTENT_BYTES_MAX, METADATA_BYTES_DEFAULT, METADATA_BYTES_MAX
from engram.model.values.scalars import shown
from engram.settings.checks import check_settings
from engram.settings.setting import setting
from engram.showing import one_line

WORKERS_MAX: Final = 16
SEARCH_THREADS_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """The settings of a store. None of them is recorded, so every start may use other ones.

    Parameters
    ----------
    segment_bytes
        Size of a log segment in bytes, once the log of its space has grown to this size; before, segments are smaller.
    workers
        Number of threads that link observations into the index, at most 16; 0: one per core.
    steal_threshold
        Number of waiting observations above which an idle index worker helps the worker of another space.
    link_count
        Maximum number of observations that an index worker links before it looks for work again.
    drain_s
        Seconds that closing lets the index workers link the tail; the rest is linked after the next start.
    quality
        ``"fast"``, ``"balanced"`` or ``"accurate"``: how much work goes into the links of each vector.
    ef
        Default breadth of a recall's graph search.
    checkpoint_count_min, checkpoint_percent
        Write a checkpoint of the graph once at least this many observations, and at least this percentage of those in
        the graph, were indexed since the last one. The cost per observation thus stays constant as a space grows.
    checkpoint_rest_count_min
        When a space is closed, write a checkpoint only if at least this many observations were indexed since the last
        one; fewer are linked again when it is opened.
    open_spaces_max
        Maximum number of spaces that are open at the same time, and never more than a fifth of the descriptors that a
        process keeps for its files, which are 256, or a quarter of those that it may have (`ulimit -n`). A space is
        opened when it is used; the one that was not used for longest rests in exchange.
    spaces_at_start_max
        A store with at most this many spaces opens all of them at its start, so that their damage is known at once.
    retained_count
        Number of generations that recalls may go back; 0: no limit. Nothing is removed from the disk, but versions that
        were superseded or deleted earlier leave the index.
    retained_s
        Seconds that recalls may go back; 0: no limit. Nothing is removed from the disk, but versions that were
        superseded or deleted earlier leave the index.
    recall_meter_share
        Share of one core that may be used to answer some of the recalls once more, exactly, so that the metrics say how
        much of the best the recalls find; 0: nothing is measured.
    search_threads
        Number of threads that share the cues of one `recall_many`; 0: one per core. Unless it is 1, a second thread
        helps a single recall where many observations pass its filter and each is compared.
    compaction_count_min
        Compact a graph only if at least this many versions can be dropped from it: at once if no more than these stay,
        and after half a minute if no more than twice as many stay.
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
    tail_count_max
        Maximum number of observations of a space that may wait to be linked into the index. Every recall scans them.
    tail_bytes_max
        Maximum bytes of vectors of a space that may wait to be linked into the index. Every recall scans them.
    content_bytes_max, metadata_bytes_max
        Maximum bytes of the text of one observation, and of its metadata as JSON, in UTF-8. What is stored already
        stays.
    mark_interval_s
        Seconds between the marks that record, outside the log, how far the log went; they are written while there are
        commits. A loss at the very end of the log can look like a power cut only behind the last mark.
    log_compaction_bytes_per_s
        Bytes a second that compactions of the log may read and write. They free the disk of what is no longer retained;
        0: never.
    scrub_bytes_per_s, scrub_interval_s
        Everything stored is read and checked after the store is opened, and again `scrub_interval_s` seconds after each
        pass, at `scrub_bytes_per_s` bytes a second; 0 bytes a second: never.
    room_timeout_s
        Seconds that `Space.observe` and `Space.delete` wait for room in the tail before they raise `OverCapacity`.

    Raises
    ------
    InvalidInput
        If a value has the wrong type, a number is out of range, or `quality` is unknown.
    """

    segment_bytes: int = setting(SEGMENT_BYTES_DEFAULT, unit="bytes", low=1)
    workers: int = setting(0, group="Index", low=0, high=WORKERS_MAX)
    steal_threshold: int = setting(100, group="Index", low=0)
    link_count: int = setting(512, low=1)
    drain_s: float = setting(5.0, unit="seconds", low=0, high=math.inf)
    quality: Quality = setting("balanced", choices=get_args(Quality))
    ef: int = setting(64, low=1)
    checkpoint_count_min: int = setting(50_000, low=1)
    checkpoint_percent: int = setting(25, low=1)
    checkpoint_rest_count_min: int = setting(256, low=1)
    open_spaces_max: int = setting(256, group="Limits", low=1)
    spaces_at_start_max: int = setting(32, low=0)
    retained_count: int = setting(0, group="Recall", low=0)
    retained_s: float = setting(0.0, group="Recall", unit="seconds", low=0)
    recall_meter_share: float = setting(0.005, group="Recall", low=0, high=1)
    search_threads: int = setting(0, group="Recall", low=0, high=SEARCH_THREADS_MAX)
    compaction_count_min: int = setting(10_000, low=1)
    recent_penalty: float = setting(0.1, low=0, high=1)
    recent_tau_s: float = setting(1.0, unit="seconds", above=0)
    half_life_s: float = setting(7 * 86_400.0, unit="seconds", above=0)
    follower_count_max: int = setting(10_000, low=1)
    intake_count_max: int = setting(100_000, low=1)
    intake_bytes_max: int = setting(512 << 20, unit="bytes", low=1)
    commit_count_max: int = setting(8192, low=1)
    commit_bytes_max: int = setting(16 << 20, unit="bytes", low=1)
    tail_count_max: int = setting(250_000, group="Limits", low=1)
    tail_bytes_max: int = setting(1 << 30, group="Limits", unit="bytes", low=1)
    content_bytes_max: int = setting(CONTENT_BYTES_DEFAULT, group="Limits", unit="bytes", low=1, high=CONTENT_BYTES_MAX)
    metadata_bytes_max: int = setting(
        METADATA_BYTES_DEFAULT, group="Limits", unit="bytes", low=1, high=METADATA_BYTES_MAX
    )
    mark_interval_s: float = setting(1.0, unit="seconds", above=0)
    log_compaction_bytes_per_s: int = setting(64 << 20, group="Limits", unit="bytes per second", low=0)
    scrub_bytes_per_s: int = setting(32 << 20, unit="bytes per second", low=0)
    scrub_interval_s: float = setting(86_400.0, unit="seconds", above=0)
    room_timeout_s: float = setting(60.0, unit="seconds", above=0)

    def __repr__(self) -> str:
        return one_line(self)

    def __post_init__(self) -> None:
        if isinstance(self.workers, int) and self.workers > WORKERS_MAX:
            # Programs have always been allowed to ask for more than the store starts.
            object.__setattr__(self, "workers", WORKERS_MAX)
        check_settings(self)

    @property
    def worker_count(self) -> int:
        """Number of index threads to start."""
        return min(self.workers or os.cpu_count() or 1, WORKERS_MAX)

    @property
    def search_thread_count(self) -> int:
        """Number of threads that share the cues of one `recall_many`."""
        return min(self.search_threads or os.cpu_count() or 1, SEARCH_THREADS_MAX)


def check_options(options: object) -> StoreOptions:
    """Return `options` if they are options of a store; anything else is `InvalidInput`."""
    if isinstance(options, StoreOptions):
        return options
    raise InvalidInput(
        f"options are {shown(options)}; pass StoreOptions(...), or leave them out",
        code="invalid_option",
        field="options",
        limit="StoreOptions",
        value=type(options).__name__,
    )
