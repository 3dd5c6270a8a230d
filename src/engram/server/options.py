"""How a server is set up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from engram.errors import InvalidInput
from engram.model.priority import Priority
from engram.model.spaces import DEFAULT_SPACE, SpaceConfig
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
        Directory of the store; None keeps everything in memory, for trying things out.
    host, port
        Where to listen; port 0 takes a free one.
    port_file
        Where to write the port once the server is ready, for whoever started it with port 0.
    allow_remote
        Listening beyond the loopback interface is refused unless this is set, as long as there are no keys.
    default_space
        How the space ``default`` is made if it does not exist yet.
    ready
        Called with ``host:port`` once calls are answered.
    store
        How the store uses the machine.
    lanes, connection
        Limits of the queue before the committer, and of each connection.
    thresholds
        At which fill pressure rises and falls.
    memory_bytes_max
        What all indexes and lanes together may hold.
    disk_free_bytes_min
        What stays free on the disk of the store.
    sessions_max, session_idle_s_max
        How many sessions are kept, and how long a silent one.
    paused_bytes_max
        What all paused sessions together may keep of what their clients send all the same.
    recall_threads
        Recalls that run at the same time; more wait, up to `recalls_waiting_max`.
    recall_streams_max
        Recall streams that may be open at the same time, standing recalls among them.
    grace_s
        How long calls may take to end when the server stops.
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
