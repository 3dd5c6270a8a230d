"""What the gRPC server leaves out of the log, how many connections it takes, and how far it reads ahead."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import Sequence

import grpc
import pytest

from engram.server.engine import Engine
from engram.server.grpc_server import GrpcServer
from engram.server.options import ServerOptions

_INITIAL_WINDOW_SIZE = 4
_MAX_FRAME_SIZE = 5


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


@pytest.mark.parametrize(
    ("budget", "window", "frame"),
    [(1, 65_536, 65_536), (300 << 20, 1_228_800, 262_144), (1 << 40, 4_194_304, 262_144)],
    ids=["tiny", "small", "huge"],
)
async def test_what_a_connection_may_send_ahead_follows_the_memory_budget_and_never_grows(
    budget: int, window: int, frame: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What grpc reads ahead is not counted; left to itself, it read 15 MB ahead of each client of a busy server."""
    given: list[dict[str, object]] = []
    made = grpc.aio.server

    def noted(*, options: Sequence[tuple[str, object]]) -> grpc.aio.Server:
        given.append(dict(options))
        return made(options=options)

    monkeypatch.setattr(grpc.aio, "server", noted)
    engine = Engine.open(ServerOptions(None, memory_bytes_max=budget, http=False))
    server = GrpcServer(engine)
    port = await server.start("127.0.0.1", 0)
    try:
        settings = await _settings(port)
    finally:
        await server.stop(0)
        await engine.close()
    assert settings[_INITIAL_WINDOW_SIZE] == window
    assert settings[_MAX_FRAME_SIZE] == frame
    assert given[0]["grpc.http2.bdp_probe"] == 0


async def _settings(port: int) -> dict[int, int]:
    """Return the settings that a server tells a new connection of HTTP/2, by number (RFC 9113, 6.5)."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    # A client begins with this and with settings of its own, which are empty.
    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
    header = await reader.readexactly(9)
    assert header[3] == 4, "the first frame has the settings"
    payload = await reader.readexactly(int.from_bytes(header[:3], "big"))
    writer.close()
    await writer.wait_closed()
    return dict(struct.iter_unpack(">HI", payload))
