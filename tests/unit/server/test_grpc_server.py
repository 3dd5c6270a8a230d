"""What the gRPC server leaves out of the log, and how many connections it takes."""

from __future__ import annotations

import logging
import socket
from collections.abc import Sequence

import grpc
import pytest

from engram.server.engine import Engine
from engram.server.grpc_server import GrpcServer
from engram.server.options import ServerOptions


class ExecuteBatchError(Exception):
    """Stands for the exception of grpc, which only grpc can make."""


async def test_only_what_a_client_that_left_brings_about_is_left_out_of_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine = Engine.open(ServerOptions(None))
    servers = [GrpcServer(engine), GrpcServer(engine)]
    logger = logging.getLogger("grpc._cython.cygrpc")
    for raised in (ExecuteBatchError("gone"), ValueError("a fault")):
        logger.error("raised in core", exc_info=raised)
    logger.error("without an exception")
    for server in servers:
        await server.stop(0)
    await engine.close()
    assert "a fault" in caplog.text
    assert "without an exception" in caplog.text
    assert "gone" not in caplog.text
    assert len(logger.filters) == 1, "however many servers there are"


@pytest.mark.parametrize(
    ("addresses", "most"),
    [
        ([("127.0.0.1", 0)], 100),
        # As /etc/hosts has them on many systems.
        ([("127.0.0.1", 0), ("::1", 0, 0, 0), ("127.0.0.1", 0)], 50),
        (OSError("unknown host"), 100),
    ],
    ids=["one", "two", "unknown"],
)
async def test_all_addresses_of_a_host_together_take_no_more_connections_than_one(
    addresses: list[tuple[object, ...]] | OSError, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def looked_up(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        assert host == "localhost"
        if isinstance(addresses, OSError):
            raise addresses
        return [(None, None, None, "", address) for address in addresses]

    given: list[object] = []
    server = grpc.aio.server

    def made(*, options: Sequence[tuple[str, object]]) -> grpc.aio.Server:
        given.append(dict(options)["grpc.max_allowed_incoming_connections"])
        return server(options=options)

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    monkeypatch.setattr(grpc.aio, "server", made)
    engine = Engine.open(ServerOptions(None, host="localhost", connections_max=100, http=False))
    await GrpcServer(engine).stop(0)
    await engine.close()
    assert given == [most]


async def test_a_connection_may_have_more_calls_than_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams may stand for ever: whoever has all of them is told so of one more, and can still recall."""
    given: list[int] = []
    server = grpc.aio.server

    def made(*, options: Sequence[tuple[str, int]]) -> grpc.aio.Server:
        given.append(dict(options)["grpc.max_concurrent_streams"])
        return server(options=options)

    monkeypatch.setattr(grpc.aio, "server", made)
    for streams in (1, 5000):
        engine = Engine.open(ServerOptions(None, recall_streams_per_client_max=streams, http=False))
        await GrpcServer(engine).stop(0)
        await engine.close()
    few, many = given
    assert few > 1
    assert many - few == 4999
