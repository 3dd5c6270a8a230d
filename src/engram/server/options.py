"""The settings of a server."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from engram.errors import InvalidInput
from engram.metrics.folding import SPACES_MAX
from engram.model.priority import Priority
from engram.model.spaces import DEFAULT_SPACE, SpaceConfig
from engram.server.authorization import Authorizer, allow_everyone, check_authorizer
from engram.server.http.access import parse_hosts, parse_origins
from engram.server.process_tuning import memory_budget_bytes
from engram.settings.checks import check_settings
from engram.settings.setting import setting
from engram.store.options import StoreOptions
from engram.streaming.lanes.lane import DEFAULT_LIMITS, LaneLimits
from engram.streaming.pressure.gauges import DISK_FREE_BYTES_MIN
from engram.streaming.pressure.levels import Thresholds
from engram.streaming.sessions.connection import ConnectionLimits
from engram.streaming.sessions.paused_backlog import PAUSED_BYTES_MAX
from engram.streaming.sessions.registry import IDLE_S_MAX, SESSIONS_MAX

HTTP_PORT: Final = 7432
_BASE_PATH: Final = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1", "[::1]"})


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """The settings of `run_server`.

    Parameters
    ----------
    data
        Directory of the store; None keeps everything in memory, for trials.
    host
        Address to listen on.
    port
        Port of the gRPC endpoint; 0 takes a free port.
    port_file
        File that the ports are written to once the server is ready, for a process that started it with port 0: that of
        gRPC in its first line and, if the server answers HTTP, that of HTTP in its second.
    http
        Answer HTTP and WebSockets, too.
    http_port
        Port of the HTTP endpoint, on the same address; 0 takes a free port. If the default is taken, the server logs a
        warning and serves gRPC alone.
    http_hosts
        Further names by which HTTP requests may call the server, with commas between them.
    http_origins
        Other sites whose pages may call the server from a browser, with commas between them, such as
        `https://notes.example.org`.
    http_base_path
        Path that a reverse proxy puts before every path, such as `/memory`.
    http_connections_max
        Maximum number of HTTP connections at the same time, WebSockets included. They may be half of all connections,
        and gRPC has the others.
    metrics_spaces_max
        Number of spaces that have values of their own at `/metrics`; the others are folded into one, `other`.
    http_required
        Whether a server that cannot answer HTTP at the default port refuses to start. With another port it does.
    allow_remote
        Permit a host beyond the loopback interface. It is refused otherwise, because by default no client is
        authenticated.
    connections_max
        Maximum number of connections of all transports at the same time. A process takes no more than leave it 256
        descriptors, or a quarter of those that it may have (`ulimit -n`), for its files; 0: as many, at most 8192.
    default_space
        Settings of the space ``default``, which is created if it does not exist yet.
    ready
        Called with ``host:port`` once the server answers calls.
    http_ready
        Called after `ready` with ``http://host:port``, and the base path if there is one, if the server answers HTTP.
    store
        Settings of the store.
    lanes, connection
        Limits of the queue before the committer, for each priority, and of each connection.
    thresholds
        Fills at which the pressure level rises and falls.
    memory_bytes_max
        Memory budget for all indexes, queues, paused sessions and messages that are still arriving, of which the last
        may have an eighth, and for the logs of a store in memory; 0: three quarters of the memory of the machine, or of
        its container.
    disk_free_bytes_min
        Free space that is left on the disk of the store; writes are refused before less is left.
    sessions_max
        Maximum number of sessions that are kept.
    session_idle_s_max
        Seconds without a message from its client after which a session expires. What it stored stays stored.
    paused_bytes_max
        Maximum bytes of observations, over all paused sessions, that are buffered while their clients keep sending.
    recall_threads
        Number of recalls that run at the same time.
    recalls_waiting_max
        Maximum number of recalls that wait for a thread; further ones are refused.
    recalls_waiting_per_client_max
        Maximum number of recalls and look-ups of one client, which is one connection, under way at the same time.
    recall_streams_max
        Maximum number of recall streams that are open at the same time, including standing recalls.
    recall_streams_per_client_max
        Maximum number of recall streams that one client, which is one connection, has open at the same time.
    grace_s
        Seconds that running calls get to end when the server stops.
    authorizer
        Allows or refuses each operation, see `Authorizer`; by default everyone may do everything.

    Raises
    ------
    InvalidInput
        If the host is not a loopback address and `allow_remote` is not set, a value has the wrong type, a number is out
        of range, or the authorizer is no function that could be asked.
    """

    data: Path | None
    host: str = setting("127.0.0.1", group="Server", metavar="ADDRESS")
    port: int = setting(50051, group="Server", low=0, high=65535, code="invalid_port")
    port_file: Path | None = None
    allow_remote: bool = setting(False, group="Server")
    connections_max: int = setting(0, group="Server", low=0)
    default_space: SpaceConfig = field(default_factory=lambda: SpaceConfig(DEFAULT_SPACE))
    ready: Callable[[str], None] | None = None
    http_ready: Callable[[str], None] | None = None
    http: bool = setting(True, group="HTTP")
    http_port: int = setting(HTTP_PORT, group="HTTP", low=0, high=65535, code="invalid_port")
    http_hosts: str = setting("", group="HTTP", metavar="NAMES")
    http_origins: str = setting("", group="HTTP", metavar="ORIGINS")
    http_base_path: str = setting("", group="HTTP", metavar="PATH")
    http_connections_max: int = setting(1024, group="HTTP", low=1)
    metrics_spaces_max: int = setting(SPACES_MAX, group="HTTP", low=0)
    http_required: bool = setting(False)
    store: StoreOptions = field(default_factory=StoreOptions)
    lanes: Mapping[Priority, LaneLimits] = field(default_factory=lambda: DEFAULT_LIMITS)
    connection: ConnectionLimits = field(default_factory=ConnectionLimits)
    thresholds: Thresholds = field(default_factory=Thresholds)
    memory_bytes_max: int = setting(0, group="Limits", unit="bytes", low=0)
    disk_free_bytes_min: int = setting(DISK_FREE_BYTES_MIN, group="Limits", unit="bytes", low=1)
    sessions_max: int = setting(SESSIONS_MAX, group="Limits", low=1)
    session_idle_s_max: float = setting(IDLE_S_MAX, group="Limits", key="session_idle_s", unit="seconds", low=1)
    paused_bytes_max: int = setting(PAUSED_BYTES_MAX, group="Limits", unit="bytes", low=1)
    recall_threads: int = setting(4, group="Recall", low=1, high=256)
    recalls_waiting_max: int = setting(1024, group="Recall", low=1)
    recalls_waiting_per_client_max: int = setting(512, group="Recall", low=1)
    recall_streams_max: int = setting(4096, group="Recall", low=1)
    recall_streams_per_client_max: int = setting(256, group="Recall", low=1)
    grace_s: float = setting(10.0, group="Server", unit="seconds", low=0)
    # Not a setting: a function, which only a program that runs a server itself can pass.
    authorizer: Authorizer = allow_everyone

    def __post_init__(self) -> None:
        check_settings(self)
        check_authorizer(self.authorizer)
        if self.host not in _LOOPBACK and not self.allow_remote:
            raise InvalidInput(
                f"refusing to listen on {self.host}: everyone who reaches it could read and write all memories; "
                "allow_remote permits it",
                code="remote_not_allowed",
                field="host",
                limit="a loopback address, unless remote access is allowed explicitly",
                value=self.host,
            )
        parse_hosts(self.http_hosts)
        parse_origins(self.http_origins)
        if not _BASE_PATH.fullmatch(self.http_base_path):
            raise InvalidInput(
                f"http_base_path is {self.http_base_path!r}; it must begin with a slash and not end with one",
                code="invalid_option",
                field="http_base_path",
                limit="a path such as /memory",
                value=self.http_base_path,
            )
        if not self.memory_bytes_max:
            object.__setattr__(self, "memory_bytes_max", memory_budget_bytes())
