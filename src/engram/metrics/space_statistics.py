"""Statistics of a space."""

from __future__ import annotations

from dataclasses import dataclass

from engram.metrics import table
from engram.metrics.family import MetricFamily
from engram.metrics.health import Problem, health_of
from engram.metrics.samples import MetricSamples
from engram.showing import one_line


@dataclass(frozen=True, slots=True)
class SpaceStatistics:
    """The statistics of a space at one moment.

    Parameters
    ----------
    durable_generation, visible_generation, indexed_generation
        The watermarks: everything up to them is on disk, recallable, and linked into the graph, respectively.
    tail_count
        Number of generations that are visible but not indexed yet.
    live_count
        Number of observations that are neither deleted nor superseded.
    log_bytes, index_bytes
        Size of the log, and memory of the index and the metadata index, in bytes.
    session_count
        Number of sessions with a durable sequence number.
    checkpoint_generation
        Generation that the newest checkpoint of the graph covers.
    checkpoints
        Number of checkpoints written since the store was opened.
    commits, observed, deleted, duplicates
        Number of group commits since the store was opened, and of the observations stored, ids deleted and duplicate
        observations answered in them.
    damaged_count
        Number of damaged places found in what is stored since the store was opened.
    problems
        What is wrong with the space now, the worst first.
    metrics
        The metrics of the space, which include everything above; `engram.metrics.table` describes them.
    """

    durable_generation: int
    visible_generation: int
    indexed_generation: int
    tail_count: int
    live_count: int
    log_bytes: int
    index_bytes: int
    session_count: int
    checkpoint_generation: int
    checkpoints: int
    commits: int
    observed: int
    deleted: int
    duplicates: int
    damaged_count: int
    metrics: MetricSamples
    problems: tuple[Problem, ...] = ()

    def __repr__(self) -> str:
        return one_line(self)

    @property
    def health(self) -> str:
        """``"ok"``, ``"degraded"`` or ``"failed"``: the level of the worst problem."""
        return health_of(self.problems)

    @classmethod
    def of(cls, metrics: MetricSamples, problems: tuple[Problem, ...] = ()) -> SpaceStatistics:
        """Return the statistics that `metrics` of one space say, with its `problems`."""

        def whole(family: MetricFamily, **labels: str) -> int:
            # A server of an older version does not tell all of them.
            return int(sum(sample.value for sample in metrics.select(family, **labels)))

        return cls(
            durable_generation=whole(table.GENERATION, watermark="durable"),
            visible_generation=whole(table.GENERATION, watermark="visible"),
            indexed_generation=whole(table.GENERATION, watermark="indexed"),
            tail_count=whole(table.INDEX_LAG),
            live_count=whole(table.LIVE_OBSERVATIONS),
            log_bytes=whole(table.LOG_BYTES),
            index_bytes=whole(table.INDEX_BYTES),
            session_count=whole(table.STORED_SESSIONS),
            checkpoint_generation=whole(table.CHECKPOINT_GENERATION),
            checkpoints=whole(table.CHECKPOINTS),
            commits=whole(table.COMMITS),
            observed=whole(table.OBSERVATIONS_STORED),
            deleted=whole(table.OBSERVATIONS_DELETED),
            duplicates=whole(table.OBSERVATIONS_DUPLICATE),
            damaged_count=whole(table.DAMAGED_PLACES),
            metrics=metrics,
            problems=problems,
        )
