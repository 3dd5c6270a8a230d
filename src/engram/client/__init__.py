"""Clients of an Engram server: `Client` for blocking code, `AsyncClient` for coroutines."""

from __future__ import annotations

from engram.client.async_client import AsyncClient
from engram.client.client import Client
from engram.client.sending.send_buffer import OutboxLimits
from engram.client.sending.stream_options import StreamOptions
from engram.client.snapshot import AsyncClientSnapshot, ClientSnapshot
from engram.metrics.health import Problem
from engram.model.ack import Ack
from engram.model.operations.status import LaneStatus, ServerStatus, SpaceStatus, UnsoundSpace, WorkerStatus

__all__ = [
    "Ack",
    "AsyncClient",
    "AsyncClientSnapshot",
    "Client",
    "ClientSnapshot",
    "LaneStatus",
    "OutboxLimits",
    "Problem",
    "ServerStatus",
    "SpaceStatus",
    "StreamOptions",
    "UnsoundSpace",
    "WorkerStatus",
]
