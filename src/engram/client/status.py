"""What a client can learn about a server and its spaces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from engram.model.damage import Damage
from engram.model.spaces import Metric, SpaceConfig
from engram.wire import engram_pb2 as pb
from engram.wire.damages import decode_damage, decode_unsound


@dataclass(frozen=True, slots=True)
class SpaceStatus:
    """A memory space, how far its watermarks are, and how many damaged places were found in it."""

    config: SpaceConfig
    durable_generation: int
    visible_generation: int
    indexed_generation: int
    live_count: int
    log_bytes: int
    index_bytes: int
    damaged_count: int = 0

    @property
    def name(self) -> str:
        """Name of the space."""
        return self.config.name


@dataclass(frozen=True, slots=True)
class UnsoundSpace:
    """A space that is there and could not be opened.

    Parameters
    ----------
    name
        Its name.
    code
        The code of the error that every use of it raises.
    message
        What is wrong with it.
    """

    name: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class LaneStatus:
    """One priority lane of the server's queue."""

    priority: str
    depth: int
    capacity: int
    nbytes: int
    bytes_max: int


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """What one index worker of the server did since that started.

    Parameters
    ----------
    number
        Which worker, from 0.
    batches, observations
        What it linked.
    stolen
        Batches of these that it linked in another worker's space.
    restarts
        How often it died and was replaced.
    busy_s
        Seconds it had a turn.
    """

    number: int
    batches: int
    observations: int
    stolen: int
    restarts: int
    busy_s: float


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """A server's version, counters since it started, queue lanes, index workers and spaces, and what is damaged.

    Parameters
    ----------
    damaged_count
        Damaged places found since it started.
    damages
        Up to a hundred of them.
    unsound_spaces
        The spaces that it does not serve.
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


def decode_space(message: pb.Space) -> SpaceStatus:
    """Return the status of a space."""
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
    )


def decode_unsound_space(message: pb.UnsoundSpace) -> UnsoundSpace:
    """Return the space, and why it is not served."""
    name, error = decode_unsound(message)
    return UnsoundSpace(name, error.code, error.message)


def decode_server_status(message: pb.GetStatusResponse) -> ServerStatus:
    """Return the status of a server."""
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
        spaces=tuple(decode_space(space) for space in message.spaces),
        damaged_count=message.damaged_count,
        damages=tuple(decode_damage(damage) for damage in message.damages),
        unsound_spaces=tuple(decode_unsound_space(space) for space in message.unsound_spaces),
    )


def _decode_lane(message: Any) -> LaneStatus:
    name = pb.Priority.Name(message.priority).removeprefix("PRIORITY_").lower()
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
