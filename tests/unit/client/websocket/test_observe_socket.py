"""Sessions over WebSocket, against a server whose answers the test writes."""

from __future__ import annotations

import asyncio
from typing import Any

from engram.client.transport import Closed, Greeting
from engram.errors import (
    FailedPrecondition,
)
from engram.model.observations import make_batch
from engram.model.operations.requests import TakeSnapshot
from engram.model.priority import Priority
from engram.tracing.switch import current_traceparent, present_recorder
from tests.doubles.spans import recorded_spans
from tests.unit.client.websocket.scripted_server import (
    TIMEOUT_S,
    ScriptedSocket,
    error_of,
    made,
    scripted,
)


async def test_a_session_is_opened_used_and_closed() -> None:
    asked: list[dict[str, Any]] = []

    async def session(socket: ScriptedSocket) -> None:
        asked.append(await socket.read())
        await socket.send(type="heartbeat")
        await socket.send(
            type="init_ack", session_id="s", durable_sequence=4, generation=9, incarnation="i",
            capabilities={"queue_capacity": 5}, something_new=1,
        )  # fmt: skip
        asked.append(await socket.read())
        await socket.send(type="a later server's message")
        await socket.send(type="closed", sequence_number=4)
        await socket.socket.close()

    async with scripted(session) as server:
        transport = made(server.address)
        stream, welcome = await transport.observe(Greeting("notes", "s", 17, 3, "i"))
        assert (welcome.session_id, welcome.durable_sequence, welcome.generation, welcome.queue_capacity) == (
            "s", 4, 9, 5,
        )  # fmt: skip
        await stream.close_session(4)
        assert await stream.receive() == Closed()
        assert (await error_of(stream.receive())).code == "stream_ended"
        await stream.abort()
    assert asked[0] == {
        "type": "init", "space": "notes", "session_id": "s", "incarnation": "i", "writer": 17, "known_sequence": 3,
    }  # fmt: skip
    assert asked[1] == {"type": "close", "drain": False, "last_sequence": 4}
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_session_that_is_refused_is_not_left_open() -> None:
    async def refusing(socket: ScriptedSocket) -> None:
        await socket.read()
        await socket.send(type="error", kind="failed_precondition", code="session_taken_over", message="gone")
        await socket.socket.wait_closed()

    async with scripted(refusing) as server:
        error = await error_of(made(server.address).observe(Greeting("notes")))
        assert (type(error), error.code) == (FailedPrecondition, "session_taken_over")


async def test_a_server_that_does_not_take_spans_is_sent_none() -> None:
    asked: list[dict[str, Any]] = []

    async def older(socket: ScriptedSocket) -> None:
        while True:
            message = await socket.read()
            asked.append(message)
            if message["type"] == "init":
                await socket.send(type="init_ack", session_id="s", durable_sequence=0, generation=0)
            elif message["type"] == "snapshot":
                await socket.answer(message, generation=7)
            else:
                await socket.send(type="ack", status="accepted", first_sequence=1, last_sequence=1)

    with recorded_spans():
        recorder = present_recorder()
        assert recorder is not None
        async with scripted(older) as server:
            transport = made(server.address)
            with recorder.here("the program").current():
                await transport.call(TakeSnapshot("notes"), TIMEOUT_S)
                stream, _ = await transport.observe(Greeting("notes"))
                payload = transport.encode(make_batch(["a"], [[1.0]]), Priority.NORMAL)
                await stream.send(payload, 1, current_traceparent())
                await stream.receive()
            await stream.abort()
            await transport.close()
    assert [message["type"] for message in asked] == ["snapshot", "init", "observation_batch"]
    assert not any("traceparent" in message for message in asked)
