"""What one look at a server shows, as numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from engram.cli.live.changes import MetricChanges
from engram.client import ServerStatus
from engram.metrics import table
from engram.streaming.pressure.levels import Level


@dataclass(frozen=True, slots=True)
class LaneReading:
    """The load of one lane: what waits in it, and its fill by the fuller of its two limits; 1 is full."""

    priority: str
    depth: int
    nbytes: int
    fill: float


@dataclass(frozen=True, slots=True)
class WorkerReading:
    """The load of one index worker: its busy share of the time, what it links, and totals since the server started."""

    worker: str
    busy: float
    linked_per_s: float
    stolen: int
    restarts: int


@dataclass(frozen=True, slots=True)
class SpaceReading:
    """The load of one space.

    The tail is what is recallable and not in the graph yet. `recall` is the share of the true neighbours that sampled
    recalls found, and None if none was sampled.
    """

    name: str
    level: str
    pressure: float
    stored_per_s: float
    live: int
    tail: int
    tail_fill: float
    log_bytes: int
    index_bytes: int
    recall: float | None = None


@dataclass(frozen=True, slots=True)
class LiveReading:
    """The load of a server between two looks at it.

    Parameters
    ----------
    version, uptime_s
        Version of the server, and seconds since it started.
    interval_s
        Seconds between the looks, over which rates and quantiles are taken.
    observed_per_s, rejected_per_s, recalls_per_s, commits_per_s
        Rates.
    durable_p99_s, recall_p99_s
        99th percentiles of the time from receipt to durable, and of recalls; None if there were none, or if the server
        does not measure them.
    connections, sessions, recalls_waiting, recall_streams
        Numbers at the later look.
    damaged_count, unsound_count
        Damaged places found since the start, and spaces that could not be opened.
    lanes, workers, spaces
        Their loads; spaces under the highest pressure and with the longest tails come first.
    """

    version: str
    uptime_s: float
    interval_s: float
    observed_per_s: float
    rejected_per_s: float
    recalls_per_s: float
    commits_per_s: float
    durable_p99_s: float | None
    recall_p99_s: float | None
    connections: int
    sessions: int
    recalls_waiting: int
    recall_streams: int
    damaged_count: int
    unsound_count: int
    lanes: tuple[LaneReading, ...]
    workers: tuple[WorkerReading, ...]
    spaces: tuple[SpaceReading, ...]

    def values(self) -> dict[str, object]:
        """Return the reading as a dictionary for JSON."""
        return asdict(self)


def live_reading(before: ServerStatus, after: ServerStatus, seconds: float) -> LiveReading:
    """Return what two looks at a server, `seconds` apart, show."""
    changes = MetricChanges(before.metrics, after.metrics, seconds)
    spaces = _parts(changes, "memory_space")
    loads = [_space(status.name, spaces[status.name]) for status in after.spaces if status.name in spaces]
    return LiveReading(
        version=after.version,
        uptime_s=after.uptime_s,
        interval_s=seconds,
        observed_per_s=changes.rate(table.OBSERVATIONS),
        rejected_per_s=changes.rate(table.OBSERVATIONS_REJECTED),
        recalls_per_s=changes.rate(table.RECALLS),
        commits_per_s=changes.rate(table.COMMITS),
        durable_p99_s=changes.quantile(0.99, table.OBSERVATION_LATENCY, stage="durable"),
        recall_p99_s=changes.quantile(0.99, table.RECALL_LATENCY),
        connections=int(changes.now(table.CONNECTIONS)),
        sessions=int(changes.now(table.ACTIVE_SESSIONS)),
        recalls_waiting=int(changes.now(table.RECALLS_WAITING)),
        recall_streams=int(changes.now(table.RECALL_STREAMS)),
        damaged_count=after.damaged_count,
        unsound_count=len(after.unsound_spaces),
        lanes=tuple(_lane(name, part) for name, part in _parts(changes, "priority").items() if _is_lane(part)),
        workers=tuple(_worker(name, part) for name, part in _parts(changes, "worker").items()),
        spaces=tuple(sorted(loads, key=lambda load: (-load.pressure, -load.tail, load.name))),
    )


def _parts(changes: MetricChanges, label: str) -> dict[str, MetricChanges]:
    """Return the changes for each value of a label."""
    before = changes.before.split(label)
    return {
        # What was not there before has no rate yet: a space that rested comes with all that was ever counted in it.
        value: MetricChanges(before.get(value, part), part, changes.seconds)
        for value, part in changes.after.split(label).items()
    }


def _is_lane(part: MetricChanges) -> bool:
    # Other metrics have priorities, too.
    return bool(part.after.select(table.QUEUE_CAPACITY))


def _lane(priority: str, part: MetricChanges) -> LaneReading:
    depth, nbytes = part.now(table.QUEUE_DEPTH), part.now(table.QUEUE_BYTES)
    fill = max(_share(depth, part.now(table.QUEUE_CAPACITY)), _share(nbytes, part.now(table.QUEUE_CAPACITY_BYTES)))
    return LaneReading(priority, int(depth), int(nbytes), fill)


def _worker(number: str, part: MetricChanges) -> WorkerReading:
    return WorkerReading(
        number,
        # The clocks of the two machines, and the moments of reading, differ a little.
        min(1.0, part.rate(table.WORKER_BUSY)),
        part.rate(table.OBSERVATIONS_INDEXED),
        int(part.now(table.WORK_STOLEN)),
        int(part.now(table.WORKER_RESTARTS)),
    )


def _space(name: str, part: MetricChanges) -> SpaceReading:
    tail = part.now(table.INDEX_LAG)
    level = int(part.now(table.BACKPRESSURE_STATE))
    known = level in list(Level)
    return SpaceReading(
        name=name,
        level=Level(level).name.lower() if known else str(level),
        pressure=part.now(table.PRESSURE),
        stored_per_s=part.rate(table.OBSERVATIONS_STORED),
        live=int(part.now(table.LIVE_OBSERVATIONS)),
        tail=int(tail),
        tail_fill=_share(tail, part.now(table.INDEX_LAG_LIMIT)),
        log_bytes=int(part.now(table.LOG_BYTES)),
        index_bytes=int(part.now(table.INDEX_BYTES)),
        recall=part.now(table.RECALL_AT_K, bound="estimate") if part.after.select(table.RECALL_AT_K) else None,
    )


def _share(value: float, limit: float) -> float:
    return value / limit if limit else 0.0
