"""The gRPC side of a server: the service, health, reflection, limits, and a shutdown that loses nothing."""

from __future__ import annotations

import logging
from typing import Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from engram.errors import Unavailable
from engram.model.limits import MESSAGE_BYTES_MAX
from engram.server.calls import ServerCalls
from engram.server.clients.open_connections import addresses_count, descriptors_max, divided
from engram.server.engine import Engine
from engram.server.grpc_service import service_handler
from engram.server.options import ServerOptions
from engram.wire.methods import SERVICE_NAME

_PENDING_MAX: Final = 2**31 - 1
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    # Listening on a port that is in use must fail, not share the port with the other process.
    ("grpc.so_reuseport", 0),
    # grpc would cancel calls at random, whoever made them, once a thousand wait for the event loop. Calls that wait are
    # bounded where a refusal can say so, and those of one connection that nobody has seen yet by `_calls_max`.
    ("grpc.server.max_pending_requests", _PENDING_MAX),
    ("grpc.server.max_pending_requests_hard_limit", _PENDING_MAX),
    # Detect a dead client within a minute. Clients may ping as they like, with calls and without: grpc would throw them
    # out with "too many pings". It ends a connection on which ten thousand answers wait in any case.
    ("grpc.keepalive_time_ms", 40_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_ping_strikes", 0),
)
# What one connection may send ahead of what is read. grpc keeps it in memory that is not counted, so that all of 256
# connections together may have no more than the memory budget. By itself, it lets a busy server read further and
# further ahead. More than the upper bound is of use to nobody, and HTTP/2 begins with the lower one.
_WINDOW_SHARE: Final = 256
_WINDOW_BYTES_MIN: Final = 64 * 1024
_WINDOW_BYTES_MAX: Final = 4 * 1024**2
# Large enough for a batch of 256 vectors, and small enough that a recall on the same connection does not wait long for
# its turn. With frames of 16 KiB, a batch costs the server 6 % more.
_FRAME_BYTES_MAX: Final = 256 * 1024
# When the calls of the service have ended, only watches of health and reflection remain. They never end by themselves.
_REMAINING_GRACE_S: Final = 0.2
# Calls of one connection beside its streams: enough for recalls that come together, and few enough that what all of
# them make wait in front of the event loop, where nobody can be preferred or refused, is soon taken.
_CALLS_BESIDE_STREAMS: Final = 64


class _ClientsThatLeft(logging.Filter):
    """Leaves out of the log that a client was gone when its call was to end.

    grpc says so with a traceback if the client leaves at this very moment, and says nothing if it left earlier.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        raised = record.exc_info[0] if record.exc_info else None
        return raised is None or raised.__name__ != "ExecuteBatchError"


_clients_that_left: Final = _ClientsThatLeft()


class GrpcServer:
    """The gRPC server that answers calls for an engine.

    Parameters
    ----------
    engine
        What is served.
    calls
        The calls of the server, which all of its transports share; by default, there is no other transport.
    """

    def __init__(self, engine: Engine, calls: ServerCalls | None = None) -> None:
        logging.getLogger("grpc._cython.cygrpc").addFilter(_clients_that_left)
        self._engine = engine
        self._calls = calls or ServerCalls(engine)
        # The stubs lack the asynchronous half of the module.
        self._health = health.aio.HealthServicer()  # type: ignore[attr-defined]
        # grpc ends a connection too many as soon as it has taken it. It counts those at each address by themselves.
        most = max(1, divided(engine.options, descriptors_max()).grpc // addresses_count(engine.options.host))
        limits = (
            ("grpc.max_allowed_incoming_connections", most),
            ("grpc.max_concurrent_streams", _calls_max(engine.options)),
            *_window_of(engine.options.memory_bytes_max),
        )
        self._server = grpc.aio.server(options=(*_OPTIONS, *limits))
        self._server.add_generic_rpc_handlers((service_handler(self._calls),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection(
            (SERVICE_NAME, "grpc.health.v1.Health", reflection.SERVICE_NAME), self._server
        )

    async def start(self, host: str, port: int) -> int:
        """Start to listen and to answer calls; return the port.

        Raises
        ------
        Unavailable
            If the server cannot listen on the address.
        """
        try:
            port = self._server.add_insecure_port(f"{host}:{port}")
        except RuntimeError as error:
            raise Unavailable(
                f"cannot listen on {host}:{port}; is another server running?",
                code="address_in_use",
                field="port",
                value=port,
            ) from error
        await self._server.start()
        for name in ("", SERVICE_NAME):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        return port

    async def stop(self, grace_s: float) -> None:
        """Refuse new calls, let those under way end within `grace_s` seconds, then cancel the rest."""
        await self._health.enter_graceful_shutdown()
        self._engine.stop()
        await self._calls.finished(grace_s)
        await self._server.stop(_REMAINING_GRACE_S)


def _calls_max(options: ServerOptions) -> int:
    """Return how many calls one connection may have at the same time; its client keeps back those beyond.

    They are more than its streams, which may stand for ever: one stream too many can be refused in words, and whoever
    has all of them can still recall.
    """
    return options.recall_streams_per_client_max + _CALLS_BESIDE_STREAMS


def _window_of(memory_bytes_max: int) -> tuple[tuple[str, int], ...]:
    """Return the options that bound what grpc reads ahead of one connection, for a memory budget."""
    window = min(max(memory_bytes_max // _WINDOW_SHARE, _WINDOW_BYTES_MIN), _WINDOW_BYTES_MAX)
    return (
        # It would make the windows larger the longer a busy server takes to answer.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", window),
        ("grpc.http2.max_frame_size", min(window, _FRAME_BYTES_MAX)),
    )
