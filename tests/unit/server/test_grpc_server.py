"""What the gRPC server leaves out of the log."""

from __future__ import annotations

import logging

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
