"""The stream of a session, however its reading ends."""

from __future__ import annotations

import pytest

from engram.errors import EngramError
from engram.model.spaces import SpaceConfig
from engram.server.clients.client_left import ClientLeft
from engram.server.engine import Engine
from engram.server.handlers.session_stream import run_stream
from engram.server.options import ServerOptions
from tests.doubles.batches import DIM


@pytest.mark.parametrize("failure", [ClientLeft(), RuntimeError("a defect")])
async def test_a_client_that_left_while_its_message_was_answered_is_no_failure(
    failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    engine = Engine.open(ServerOptions(None, default_space=SpaceConfig("default", DIM)))
    connection = engine.connect()

    async def read() -> None:
        raise failure

    async def write(_: object) -> None:
        raise AssertionError("there is nobody to write to")

    stream = run_stream(engine, connection, read(), lambda event, *_: event, write)
    if isinstance(failure, ClientLeft):
        await stream
        assert (connection.outbox.error, caplog.records) == (None, [])
    else:
        with pytest.raises(EngramError, match="internal error"):
            await stream
        assert [record.getMessage() for record in caplog.records] == ["a stream failed"]
    await engine.close()
