"""Clients of an Engram server: `Client` for blocking code, `AsyncClient` for coroutines."""

from __future__ import annotations

from engram.client.missing_packages import naming_the_extra

with naming_the_extra():
    from engram.client.async_client import AsyncClient
    from engram.client.client import Client
    from engram.client.sending.send_buffer import OutboxLimits
    from engram.client.sending.stream_options import StreamOptions
    from engram.client.snapshot import AsyncClientSnapshot, ClientSnapshot
    from engram.client.status import LaneStatus, ServerStatus, SpaceStatus, UnsoundSpace, WorkerStatus
    from engram.model.ack import Ack

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
