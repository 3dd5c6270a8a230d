"""Clients of an Engram server over gRPC: `Client` for blocking code, `AsyncClient` for coroutines."""

from __future__ import annotations

import os

from engram.errors import MissingExtra

# In a process with running event threads of gRPC, which every client has, gRPC's fork handlers make a forked child
# crash or log errors. The handlers are not needed, because a child of a process that has used a client is refused
# clients of its own. gRPC reads the variable when it is first used.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

try:
    from engram.client.async_client import AsyncClient
    from engram.client.client import Client
    from engram.client.sending.send_buffer import OutboxLimits
    from engram.client.sending.stream_options import StreamOptions
    from engram.client.snapshot import AsyncClientSnapshot, ClientSnapshot
    from engram.client.status import LaneStatus, ServerStatus, SpaceStatus, UnsoundSpace, WorkerStatus
    from engram.model.ack import Ack
except ImportError as error:
    if (error.name or "").partition(".")[0] not in ("grpc", "google"):
        raise
    raise MissingExtra(
        f"the Engram client needs the package {error.name}; install it with: pip install 'engram-stream[client]'",
        field="extra",
        limit="client",
        value=error.name,
    ) from error

__all__ = [
    "Ack",
    "AsyncClient",
    "AsyncClientSnapshot",
    "Client",
    "ClientSnapshot",
    "LaneStatus",
    "OutboxLimits",
    "ServerStatus",
    "SpaceStatus",
    "StreamOptions",
    "UnsoundSpace",
    "WorkerStatus",
]
