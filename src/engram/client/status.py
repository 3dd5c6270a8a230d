"""The status of a server and of its spaces, as a client sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from engram.metrics.samples import NO_METRICS, MetricSamples
from engram.model.damage import Damage
from engram.model.spaces import Metric, SpaceConfig
from engram.wire import engram_pb2 as pb
from engram.wire.counter_fields import lane_name, server_fields, space_fields
from engram.wire.damages import decode_damage, decode_unsound
from engram.wire.metrics import decode_metrics


@dataclass(frozen=True, slots=True)
class SpaceStatus:
    """The settings, watermarks and sizes of a memory space.

    Parameters
    ----------
    config
        Settings of the space.
    durable_generation, visible_generation, indexed_generation
        Watermarks: generations up to which everything is on disk, recallable, and linked into the graph.
    live_count
        Number of observations that are neither deleted nor superseded.
    log_bytes, index_bytes
        Size of the log, and memory of the index and of the data for filters, in bytes.
    damaged_count
        Number of damaged places found in the space since it was opened.
    metrics
        The metrics of the space, which include everything above but the settings; `engram.metrics.table` describes
        them.
    """

    config: SpaceConfig
    durable_generation: int
    visible_generation: int
    indexed_generation: int
    live_count: int
    log_bytes: int
    index_bytes: int
    damaged_count: int = 0
    metrics: MetricSamples = NO_METRICS

    @property
    def name(self) -> str:
        """Name of the space."""
        return self.config.name


@dataclass(frozen=True, slots=True)
class UnsoundSpace:
    """A space that exists but could not be opened.

    Parameters
    ----------
    name
        Name of the space.
    code
        Code of the error that every use of the space raises.
    message
        Description of the problem.
    """

    name: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class LaneStatus:
    """One priority lane of the server's queue.

    Parameters
    ----------
    priority
        ``"high"``, ``"normal"`` or ``"low"``.
    depth, capacity
        Number of observations in the lane, and its limit.
    nbytes, bytes_max
        Bytes of observations in the lane, and their limit.
    """

    priority: str
    depth: int
    capacity: int
    nbytes: int
    bytes_max: int


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """The work of one index worker since the server started.

    Parameters
    ----------
    number
        Number of the worker, from 0.
    batches, observations
        Number of batches, and of observations, that the worker linked.
    stolen
        Number of these batches that the worker linked in a space of another worker.
    restarts
        Number of times the worker died and was replaced.
    busy_s
        Seconds that the worker spent on batches.
    """

    number: int
    batches: int
    observations: int
    stolen: int
    restarts: int
    busy_s: float


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """The version, counters, lanes, index workers, spaces and damage of a server.

    Parameters
    ----------
    version
        Version of Engram that the server runs.
    uptime_s
        Seconds since the server started.
    sessions, connections
        Number of sessions, and of connections.
    observations_accepted, observations_rejected, recalls, commits
        Counters since the server started.
    lanes, workers, spaces
        The lanes of the queue, the index workers, and the spaces that can be used.
    damaged_count
        Number of damaged places found since the server started.
    damages
        The damaged places, up to a hundred of them.
    unsound_spaces
        The spaces that could not be opened and are not served.
    metrics
        The metrics of the server and of its spaces, which include all counters above; `engram.metrics.table` describes
        them.
    """

    version: str
    uptime_s: float
    sessions: int
    connections: int
    observations_accepted: int
    observations_rejected: int
    recalls: int
    commits: int
    lanes: tuple[LaneStatus, ...]
    workers: tuple[WorkerStatus, ...]
    spaces: tuple[SpaceStatus, ...]
    damaged_count: int = 0
    damages: tuple[Damage, ...] = ()
    unsound_spaces: tuple[UnsoundSpace, ...] = ()
    metrics: MetricSamples = NO_METRICS


def decode_space(message: pb.Space) -> SpaceStatus:
    """Return the status of a space."""
    return _decode_space(message, decode_metrics(message.metrics) or MetricSamples(space_fields(message)))


def decode_unsound_space(message: pb.UnsoundSpace) -> UnsoundSpace:
    """Return the space, and the reason why it is not served."""
    name, error = decode_unsound(message)
    return UnsoundSpace(name, error.code, error.message)


def decode_server_status(message: pb.GetStatusResponse) -> ServerStatus:
    """Return the status of a server."""
    metrics = decode_metrics(message.metrics) or MetricSamples(server_fields(message))
    by_space = metrics.split("memory_space")
    return ServerStatus(
        version=message.version,
        uptime_s=message.uptime_s,
        sessions=message.sessions,
        connections=message.connections,
        observations_accepted=message.observations_accepted,
        observations_rejected=message.observations_rejected,
        recalls=message.recalls,
        commits=message.commits,
        lanes=tuple(_decode_lane(lane) for lane in message.lanes),
        workers=tuple(_decode_worker(worker) for worker in message.workers),
        spaces=tuple(_decode_space(space, by_space.get(space.memory_space_id, NO_METRICS)) for space in message.spaces),
        damaged_count=message.damaged_count,
        damages=tuple(decode_damage(damage) for damage in message.damages),
        unsound_spaces=tuple(decode_unsound_space(space) for space in message.unsound_spaces),
        metrics=metrics,
    )


def _decode_space(message: pb.Space, metrics: MetricSamples) -> SpaceStatus:
    config = SpaceConfig(message.memory_space_id, message.dimension, cast(Metric, message.metric), message.embedder)
    return SpaceStatus(
        config,
        message.durable_generation,
        message.visible_generation,
        message.indexed_generation,
        message.live_count,
        message.log_bytes,
        message.index_bytes,
        message.damaged_count,
        metrics,
    )


def _decode_lane(message: Any) -> LaneStatus:
    name = lane_name(message.priority)
    return LaneStatus(name, message.depth, message.capacity, message.bytes, message.bytes_max)


def _decode_worker(message: pb.WorkerStatus) -> WorkerStatus:
    return WorkerStatus(
        message.number,
        message.batches,
        message.observations,
        message.stolen,
        message.restarts,
        message.busy_s,
    )
