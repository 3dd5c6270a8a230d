"""The settings of a server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from engram.errors import InvalidInput
from engram.model.priority import Priority
from engram.model.spaces import DEFAULT_SPACE, SpaceConfig
from engram.server.authorization import Authorizer, allow_everyone
from engram.server.process_tuning import memory_budget_bytes
from engram.store.options import StoreOptions
from engram.streaming.lanes.lane import DEFAULT_LIMITS, LaneLimits
from engram.streaming.pressure.gauges import DISK_FREE_BYTES_MIN
from engram.streaming.pressure.levels import Thresholds
from engram.streaming.sessions.connection import ConnectionLimits
from engram.streaming.sessions.paused_backlog import PAUSED_BYTES_MAX
from engram.streaming.sessions.registry import IDLE_S_MAX, SESSIONS_MAX

PORT_DEFAULT: Final = 50051
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1", "[::1]"})


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """The settings of `run_server`.

    Parameters
    ----------
    data
        Directory of the store; None keeps everything in memory, for trials.
    host, port
        Address to listen on; port 0 takes a free port.
    port_file
        File that the port is written to once the server is ready, for a process that started it with port 0.
    allow_remote
        Permit a host beyond the loopback interface. It is refused otherwise, because by default no client is
        authenticated.
    default_space
        Settings of the space ``default``, which is created if it does not exist yet.
    ready
        Called with ``host:port`` once the server answers calls.
    store
        Settings of the store.
    lanes, connection
        Limits of the queue before the committer, for each priority, and of each connection.
    thresholds
        Fills at which the pressure level rises and falls.
    memory_bytes_max
        Memory budget in bytes, for all indexes, lanes and paused sessions, and for the logs of a store in memory.
    disk_free_bytes_min
        Bytes that stay free on the disk of the store.
    sessions_max, session_idle_s_max
        The most sessions that are kept, and the seconds after which a silent session expires.
    paused_bytes_max
        Bytes of observations that may be buffered, over all paused sessions, while their clients keep sending.
    recall_threads, recalls_waiting_max
        Recalls that run at the same time, and recalls that may wait.
    recall_streams_max
        Recall streams that may be open at the same time, including standing recalls.
    grace_s
        Seconds that calls may take to end when the server stops.
    authorizer
        Allows or refuses each operation, see `Authorizer`; by default everyone may do everything.

    Raises
    ------
    InvalidInput
        If the host is not a loopback address and `allow_remote` is not set, or the port is outside of 0 to 65535.
    """

    data: Path | None
    host: str = "127.0.0.1"
    port: int = PORT_DEFAULT
    port_file: Path | None = None
    allow_remote: bool = False
    default_space: SpaceConfig = field(default_factory=lambda: SpaceConfig(DEFAULT_SPACE))
    ready: Callable[[str], None] | None = None
    store: StoreOptions = field(default_factory=StoreOptions)
    lanes: Mapping[Priority, LaneLimits] = field(default_factory=lambda: DEFAULT_LIMITS)
    connection: ConnectionLimits = field(default_factory=ConnectionLimits)
    thresholds: Thresholds = field(default_factory=Thresholds)
    memory_bytes_max: int = field(default_factory=memory_budget_bytes)
    disk_free_bytes_min: int = DISK_FREE_BYTES_MIN
    sessions_max: int = SESSIONS_MAX
    session_idle_s_max: float = IDLE_S_MAX
    paused_bytes_max: int = PAUSED_BYTES_MAX
    recall_threads: int = 4
    recalls_waiting_max: int = 1024
    recall_streams_max: int = 4096
    grace_s: float = 10.0
    # Not a setting: a function, which only a program that runs a server itself can pass.
    authorizer: Authorizer = allow_everyone

    def __post_init__(self) -> None:
        if self.host not in _LOOPBACK and not self.allow_remote:
            raise InvalidInput(
                f"refusing to listen on {self.host}: everyone who reaches it could read and write all memories",
                code="remote_not_allowed",
                field="host",
                limit="a loopback address, unless remote access is allowed explicitly",
                value=self.host,
            )
        if not 0 <= self.port <= 65535:
            raise InvalidInput(
                f"port {self.port} is outside 0..65535",
                code="invalid_port",
                field="port",
                limit="0..65535",
                value=self.port,
            )
