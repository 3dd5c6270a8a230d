"""The status of a server and of its spaces."""

from __future__ import annotations

from dataclasses import dataclass, field

from engram.errors import EngramError
from engram.metrics.health import Problem, health_of
from engram.metrics.samples import NO_METRICS, MetricSamples
from engram.model.damage import Damage
from engram.model.spaces import SpaceConfig
from engram.showing import one_line


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
        The metrics of the space, which include everything here but the settings; `engram.metrics.table` describes
        them.
    pressure
        The highest fill among the lanes, the tail of the space, memory and the disk; 1 is full.
    pressure_level
        ``"normal"``, ``"warning"``, ``"critical"`` or ``"overloaded"``; empty if the pressure is not measured, as in an
        embedded store.
    tail_count_max
        Number of observations that may be stored and not linked into the graph yet; 0 if it is not known.
    problems
        What is wrong with the space now, the worst first.
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
    pressure: float = 0.0
    pressure_level: str = ""
    tail_count_max: int = 0
    problems: tuple[Problem, ...] = ()

    def __repr__(self) -> str:
        return one_line(self)

    @property
    def health(self) -> str:
        """``"ok"``, ``"degraded"`` or ``"failed"``: the level of the worst problem."""
        return health_of(self.problems)

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
    error
        The whole error; None if only its code and message are known.
    """

    name: str
    code: str
    message: str
    error: EngramError | None = field(default=None, repr=False, compare=False)

    def __repr__(self) -> str:
        return one_line(self)


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
    problems
        What is wrong now with the server as a whole, and with the spaces that could not be opened. Each of `spaces` has
        its own.
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
    problems: tuple[Problem, ...] = ()

    def __repr__(self) -> str:
        return one_line(self)

    @property
    def all_problems(self) -> tuple[Problem, ...]:
        """The problems of the server and those of each space."""
        return (*self.problems, *(problem for space in self.spaces for problem in space.problems))

    @property
    def health(self) -> str:
        """``"ok"``, ``"degraded"`` or ``"failed"``: the level of the worst of `all_problems`."""
        return health_of(self.all_problems)
