"""Sessions over WebSocket, on a real server: what gRPC promises, message by message."""

from __future__ import annotations

import asyncio
import contextlib
import json
from itertools import count
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed

from tests.integration.server_process import (
    ACCEPTED,
    DIM,
    TIMEOUT_S,
    ObserveCall,
    batch_of,
    connect,
    numbered,
    recall_ids,
    vectors_of,
)
from tests.integration.socket_client import SocketClient, SocketServer, columns, observation, open_socket, some_vectors

_numbers = count(1)


@pytest.fixture
async def space(server: SocketServer) -> str:
    name = f"socket-{next(_numbers)}"
    async with open_socket(server.url) as client:
        made = await client.call("create_space", 1, space=name, dimension=DIM)
        assert (made["type"], made["name"], made["dimension"]) == ("create_space_result", name, DIM)
    return name


async def test_what_is_acknowledged_is_recalled(client: SocketClient, space: str) -> None:
    opened = await client.init(space)
    assert opened["durable_sequence"] == 0
    assert opened["dimension"] == DIM
    assert opened["session_id"]
    assert opened["incarnation"]
    assert opened["capabilities"] == {
        "queue_capacity": opened["capabilities"]["queue_capacity"],
        "batch_count_max": 10_000,
        "message_bytes_max": 40 * 1024 * 1024,
        "heartbeat_s": 30.0,
    }
    await client.send(observation(1, "a"))
    ack = await client.accepted(1)
    assert (ack["first_sequence"], ack["first_generation"], ack["last_generation"]) == (1, 1, 1)
    indexed = await client.read_until(type="ack", status="indexed")
    assert indexed["last_sequence"] == 1
    assert await client.recall_ids(space, "a") == ["a"]


async def test_singles_that_come_together_are_one_commit(client: SocketClient, space: str) -> None:
    await client.init(space)
    await client.send(*(observation(number, f"id-{number}") for number in range(1, 201)))
    await client.accepted(200)
    acks = [each for each in client.seen if each.get("status") == "accepted"]
    assert len(acks) < 200
    assert sum(each["last_sequence"] - each["first_sequence"] + 1 for each in acks) == 200
    found = await client.call("get", 1, space=space, ids=[f"id-{number}" for number in range(1, 201)])
    assert [hit["generation"] for hit in found["hits"]] == list(range(1, 201))


async def test_one_that_is_refused_does_not_concern_its_neighbours(client: SocketClient, space: str) -> None:
    await client.init(space)
    messages = [observation(number, f"id-{number}") for number in range(1, 8)]
    messages[3]["vector"] = [0.0] * DIM
    await client.send(*messages)
    rejected = await client.read_until(type="ack", status="rejected", first_sequence=4)
    assert (rejected["last_sequence"], rejected["error"]["code"]) == (4, "zero_vector")
    gap = await client.read_until(type="ack", status="rejected", first_sequence=5)
    assert (gap["error"]["code"], gap["error"]["expected_sequence"]) == ("sequence_gap", 4)
    await client.read_until(type="ack", status="rejected", last_sequence=7)
    await client.send(*(observation(number, f"id-{number}") for number in range(4, 8)))
    await client.accepted(7)


@pytest.mark.parametrize("position", range(5))
async def test_one_that_cannot_be_read_is_refused_in_its_place(client: SocketClient, space: str, position: int) -> None:
    await client.init(space)
    messages: list[dict[str, Any]] = [observation(number, f"id-{number}") for number in range(1, 6)]
    messages[position]["timestamp"] = "noon"
    await client.send(*messages)
    rejected = await client.read_until(type="ack", status="rejected")
    assert (rejected["first_sequence"], rejected["last_sequence"]) == (position + 1, position + 1)
    assert (rejected["error"]["code"], rejected["error"]["field"]) == ("invalid_time", "timestamp")
    if position < 4:
        gap = await client.read_until(type="ack", status="rejected", last_sequence=5)
        assert gap["error"]["expected_sequence"] == position + 1
    await client.send(*(observation(number, f"id-{number}") for number in range(position + 1, 6)))
    await client.accepted(5)


async def test_batches_come_as_text_and_as_frames(client: SocketClient, space: str) -> None:
    await client.init(space)
    ids = numbered(1, 3)
    await client.send(columns(1, ids, vectors=vectors_of(ids).tolist(), priority="high"))
    await client.accepted(3)
    more = numbered(4, 300)
    times = np.arange(300, dtype=np.int64) * 1_000_000
    await client.send_frame(columns(4, more, tags=[["x"]] * 300), vectors=vectors_of(more), timestamps=times)
    ack = await client.accepted(303)
    assert (ack["first_generation"], ack["last_generation"]) == (4, 303)
    found = await client.call("get", 1, space=space, ids=["id-2", "id-14"], include_vectors=True)
    assert [hit["content"] for hit in found["hits"]] == ["text of id-2", "text of id-14"]
    assert found["hits"][1]["timestamp"] == "1970-01-01T00:00:10.000000Z"
    assert found["hits"][1]["vector"] == vectors_of(["id-14"])[0].tolist()
    assert found["hits"][1]["tags"] == ["x"]


async def test_a_session_is_resumed_and_duplicates_get_their_first_answer(server: SocketServer, space: str) -> None:
    async with open_socket(server.url) as first:
        session = (await first.init(space, writer=77))["session_id"]
        await first.send(*(observation(number, f"id-{number}") for number in range(1, 4)))
        await first.accepted(3)
    async with open_socket(server.url) as second:
        opened = await second.init(space, session_id=session, writer=77, known_sequence=2)
        assert (opened["session_id"], opened["durable_sequence"]) == (session, 3)
        await second.send(observation(2, "id-2"), observation(3, "id-3"), observation(4, "id-4"))
        ack = await second.accepted(4)
        assert ack["last_generation"] == 4
        status = await second.call("space", 1, space=space)
        assert status["live_count"] == 4


async def test_a_gap_is_refused_and_names_what_is_expected(client: SocketClient, space: str) -> None:
    await client.init(space)
    await client.send(observation(1, "a"), observation(3, "c"))
    rejected = await client.read_until(type="ack", status="rejected")
    assert (rejected["first_sequence"], rejected["error"]["code"]) == (3, "sequence_gap")
    assert rejected["error"]["kind"] == "sequence_gap"
    assert rejected["error"]["expected_sequence"] == 2
    for wrong in (0, -5, 2**62):
        await client.send(observation(wrong, "x"))
        rejected = await client.read_until(type="ack", status="rejected", first_sequence=wrong)
        assert rejected["error"]["code"] == "sequence_gap"
    await client.send(observation(2, "b"))
    await client.accepted(2)


async def test_a_pause_holds_acks_and_buffers_what_comes(client: SocketClient, space: str) -> None:
    await client.init(space)
    await client.send({"type": "flow_control", "action": "pause"})
    assert (await client.read_until(type="status"))["state"] == "paused"
    await client.send(observation(1, "a"), observation(2, "b"))
    await client.send({"type": "flow_control", "action": "resume"})
    resumed = await client.read_until(type="status")
    assert resumed["state"] == "active"
    assert {"queue_depth", "queue_capacity", "pressure", "level", "message"} <= resumed.keys()
    assert [each["type"] for each in client.seen[1:]] == ["status", "status"]
    await client.accepted(2)


async def test_a_rate_and_a_buffer_can_be_asked_for(client: SocketClient, space: str) -> None:
    await client.init(space)
    await client.send(
        {"type": "flow_control", "action": "slow_down"},
        {"type": "flow_control", "action": "speed_up"},
        {"type": "flow_control", "preferred_rate": 5000.5},
        {"type": "flow_control", "action": "buffer_status", "buffer_remaining": 0},
        observation(1, "a"),
        {"type": "flow_control", "action": "buffer_status", "buffer_remaining": 100},
    )
    await client.accepted(1)
    for wrong in ({"action": "hurry"}, {"preferred_rate": -1}, {"preferred_rate": "fast"}, {"rate": 1}):
        await client.send({"type": "flow_control", **wrong})
        assert (await client.read_until(type="error"))["kind"] == "invalid_input"
    await client.send(observation(2, "b"))
    await client.accepted(2)


async def test_a_drained_close_waits_for_the_index(client: SocketClient, space: str) -> None:
    await client.init(space)
    await client.send(observation(1, "a"), observation(2, "b"), {"type": "close", "drain": True, "last_sequence": 2})
    closed = await client.read_until(type="closed")
    assert closed == {"type": "closed", "sequence_number": 2}
    indexed = [each for each in client.seen if each.get("status") == "indexed"]
    assert indexed
    assert indexed[-1]["last_sequence"] == 2
    assert await client.end() == (1000, "")


async def test_a_close_too_early_says_what_is_missing(client: SocketClient, space: str) -> None:
    await client.init(space)
    await client.send(observation(1, "a"), {"type": "close", "last_sequence": 5})
    closed = await client.read_until(type="closed")
    assert (closed["sequence_number"], closed["error"]["code"]) == (1, "sequence_incomplete")
    assert closed["error"]["expected_sequence"] == 2
    assert (await client.end())[0] == 4400


async def test_what_was_sent_before_a_sudden_end_is_stored(server: SocketServer, space: str) -> None:
    async with open_socket(server.url) as client:
        session = (await client.init(space))["session_id"]
        await client.send(*(observation(number, f"id-{number}") for number in range(1, 51)))
    async with open_socket(server.url) as client:
        # Whoever opens the session ends what its earlier connection still has to say.
        calls = count(1)
        async with asyncio.timeout(TIMEOUT_S):
            while (await client.call("space", next(calls), space=space))["live_count"] < 50:
                pass
        assert (await client.init(space, session_id=session))["durable_sequence"] == 50


async def test_the_second_connection_of_a_session_ends_the_first(server: SocketServer, space: str) -> None:
    async with open_socket(server.url) as first, open_socket(server.url) as second:
        session = (await first.init(space))["session_id"]
        await first.send(observation(1, "a"))
        await first.accepted(1)
        assert (await second.init(space, session_id=session))["durable_sequence"] == 1
        code, reason = await first.end()
        assert (code, reason) == (4400, "session_taken_over")
        told = [each for each in first.seen if each["type"] == "error"]
        assert [each["code"] for each in told] == ["session_taken_over"]
        await second.send(observation(2, "b"))
        await second.accepted(2)


async def test_a_session_of_grpc_goes_on_over_websocket_and_back(server: SocketServer, space: str) -> None:
    async with connect(server.address) as stub:
        call = ObserveCall(stub)
        await call.open(space)
        await call.send_batch(1, batch_of(["a", "b"]))
        await call.read_ack(ACCEPTED)
        async with open_socket(server.url) as client:
            opened = await client.init(space, session_id=call.session_id)
            assert opened["durable_sequence"] == 2
            await client.send(observation(2, "b"), observation(3, "c"))
            await client.accepted(3)
            assert await client.recall_ids(space, "c", k=1) == ["c"]
        again = ObserveCall(stub)
        assert (await again.open(space, call.session_id)).initial_sequence == 3
        await again.send_batch(3, batch_of(["c", "d"]))
        assert (await again.read_ack(ACCEPTED)).ack.last_sequence == 4
        assert await recall_ids(stub, space, "d", 1) == ["d"]


async def test_grpc_takes_a_session_from_websocket(server: SocketServer, space: str) -> None:
    async with connect(server.address) as stub, open_socket(server.url) as client:
        session = (await client.init(space))["session_id"]
        await client.send(observation(1, "a"))
        await client.accepted(1)
        call = ObserveCall(stub)
        assert (await call.open(space, session)).initial_sequence == 1
        assert (await client.end())[0] == 4400


async def test_another_client_with_my_session_is_noticed(server: SocketServer, space: str) -> None:
    async with open_socket(server.url) as client:
        session = (await client.init(space, writer=1))["session_id"]
    async with open_socket(server.url) as other:
        await other.init(space, session_id=session, writer=2)
        await other.send(observation(1, "x"))
        await other.accepted(1)
    async with open_socket(server.url) as client:
        await client.send({"type": "init", "space": space, "session_id": session, "writer": 1, "known_sequence": 0})
        assert (await client.read_until(type="error"))["code"] == "session_taken_over"
        assert (await client.end())[0] == 4400


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (observation(1, "a"), "no_init"),
        (columns(1, ["a"]), "no_init"),
        ({"type": "flow_control", "action": "pause"}, "no_init"),
        ({"type": "close"}, "no_init"),
        ({"type": "init", "space": "nowhere"}, "unknown_space"),
        ({"type": "init", "space": "NO"}, "invalid_space_name"),
        ({"type": "init", "session_id": "x" * 65}, "invalid_session_id"),
        ({"type": "init", "incarnation": "another", "writer": 1, "known_sequence": 1}, "other_incarnation"),
    ],
)
async def test_errors_that_end_the_stream(client: SocketClient, message: Any, code: str) -> None:
    await client.send(message)
    assert (await client.read_until(type="error"))["code"] == code
    assert await client.end() == (4400, code)


MALFORMED: list[tuple[str, Any, str, str]] = [
    ("no JSON", "{", "malformed_message", "the message"),
    ("no object", "[]", "malformed_message", "the message"),
    ("empty", "", "malformed_message", "the message"),
    ("two keys", '{"type":"heartbeat","type":"heartbeat"}', "malformed_message", "the heartbeat"),
    ("no type", "{}", "no_operation", "type"),
    ("a type that is none", '{"type":"observe_batch"}', "no_operation", "type"),
    ("a type that is no text", '{"type":7}', "malformed_message", "message"),
    ("an unknown field", '{"type":"init","spaces":"x"}', "unknown_field", "spaces"),
    ("a field of another type", '{"type":"init","space":7}', "malformed_message", "message"),
    ("a negative writer", '{"type":"init","writer":-1}', "out_of_range", "writer"),
    ("a heartbeat with content", '{"type":"heartbeat","id":1}', "unknown_field", "id"),
    ("a cancel without an id", '{"type":"cancel"}', "missing_field", "id"),
    ("a call without an id", '{"type":"status"}', "missing_field", "id"),
    ("a call with a text as its id", '{"type":"status","id":"1"}', "wrong_type", "id"),
    ("half a pair", '{"type":"init","space":"\\ud800"}', "malformed_message", "the message"),
    ("an observation without a number", '{"type":"observation","id":"a"}', "missing_field", "sequence_number"),
    ("an observation that is cut in front", '{"type":"observation","sequ', "malformed_message", "the observation"),
]


@pytest.mark.parametrize(("text", "code", "field"), [row[1:] for row in MALFORMED], ids=[row[0] for row in MALFORMED])
async def test_what_is_not_understood_is_answered_and_ends_nothing(
    client: SocketClient, space: str, text: str, code: str, field: str
) -> None:
    await client.init(space)
    await client.send(text)
    error = await client.read_until(type="error")
    assert (error["code"], error["field"], error["kind"]) == (code, field, "invalid_input")
    assert "id" not in error
    await client.send(observation(1, "a"))
    await client.accepted(1)


async def test_an_observation_that_is_cut_is_rejected_by_its_number(client: SocketClient, space: str) -> None:
    await client.init(space)
    whole = json.dumps(observation(1, "a"), separators=(",", ":"))
    for stop in (len('{"type":"observation","sequence_number":1,'), len(whole) // 2, len(whole) - 1):
        await client.send(whole[:stop])
        rejected = await client.read_until(type="ack", status="rejected")
        assert (rejected["first_sequence"], rejected["last_sequence"]) == (1, 1)
        assert (rejected["error"]["code"], rejected["error"]["kind"]) == ("malformed_message", "invalid_input")
    await client.send(whole)
    await client.accepted(1)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\1\2",
        b'{"type":"heartbeat"}',
        json.dumps(columns(1, ["a"])).encode(),
        b"\xff\xff\xff\xff",
        b"\x02\0\0\0{}\0\0",
        b"\x20\0\0\0" + b'{"type":"heartbeat","arrays":[]}' + bytes(4),
    ],
    ids=["empty", "short", "text", "a batch as text", "endless", "without arrays", "of the session"],
)
async def test_bytes_that_are_no_frame_are_answered_and_end_nothing(
    client: SocketClient, space: str, data: bytes
) -> None:
    await client.init(space)
    await client.send_bytes(data)
    assert (await client.read_until(type="error"))["code"] == "malformed_message"
    await client.send(observation(1, "a"))
    await client.accepted(1)


async def test_frames_that_are_cut_or_do_not_fit_are_refused(client: SocketClient, space: str) -> None:
    await client.init(space)
    header = {**columns(1, ["a", "b"]), "arrays": [["vectors", "f4", [2, DIM]]]}
    text = json.dumps(header).encode()
    whole = len(text).to_bytes(4, "little") + text
    whole += bytes(-len(whole) % 8) + some_vectors(2).tobytes()
    for cut in (whole[: len(whole) // 2], whole[:-1], whole + b"\0"):
        await client.send_bytes(cut)
        rejected = await client.read_until(type="ack", status="rejected")
        assert (rejected["first_sequence"], rejected["last_sequence"]) == (1, 2)
        assert rejected["error"]["code"] == "malformed_message"
    for arrays, code in (
        ({"vectors": some_vectors(3)}, "column_length"),
        ({"vectors": some_vectors(2).astype(np.float64)}, "wrong_type"),
        ({"vectors": some_vectors(2)[:, :4]}, "dimension_mismatch"),
        ({"colours": some_vectors(2)}, "unknown_field"),
    ):
        await client.send_frame(columns(1, ["a", "b"]), **arrays)
        rejected = await client.read_until(type="ack", status="rejected")
        assert (rejected["first_sequence"], rejected["last_sequence"]) == (1, 2)
        assert rejected["error"]["code"] == code
    await client.send(columns(1, ["a", "b"], arrays=[]))
    assert (await client.read_until(type="ack", status="rejected"))["error"]["code"] == "malformed_message"
    await client.send_frame(observation(1, "a"), confidences=np.ones(1, np.float32))
    assert (await client.read_until(type="ack", status="rejected"))["error"]["code"] == "unknown_field"
    await client.send_bytes(whole)
    await client.accepted(2)


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"vektor": [1]}, "unknown_field", "vektor"),
        ({"vector": "x"}, "invalid_vector", "vector"),
        ({"vector": [1, "2"]}, "wrong_type", "vector[1]"),
        ({"vector": [1.0]}, "dimension_mismatch", "embedding"),
        ({"id": ""}, "id_size", "id[0]"),
        ({"id": 7}, "wrong_type", "id"),
        ({"metadata": [1]}, "invalid_metadata", "metadata[0]"),
        ({"confidence": 2}, "confidence_range", "confidence[0]"),
        ({"priority": "urgent"}, "invalid_priority", "priority"),
        ({"timestamp": 1e300}, "invalid_time", "timestamp"),
        ({"content": "x" * (2**24 + 1)}, "content_size", "content[0]"),
    ],
)
async def test_observations_that_cannot_be_are_rejected_by_number(
    client: SocketClient, space: str, fields: dict[str, Any], code: str, field: str
) -> None:
    await client.init(space)
    await client.send({**observation(1, "a"), **fields})
    rejected = await client.read_until(type="ack", status="rejected")
    assert (rejected["first_sequence"], rejected["last_sequence"]) == (1, 1)
    assert (rejected["error"]["code"], rejected["error"]["field"]) == (code, field)
    await client.send(observation(1, "a"))
    await client.accepted(1)


async def test_a_second_init_is_answered_and_ends_nothing(client: SocketClient, space: str) -> None:
    await client.init(space)
    await client.send({"type": "init", "space": space})
    assert (await client.read_until(type="error"))["code"] == "already_open"
    await client.send(observation(1, "a"))
    await client.accepted(1)


async def test_a_message_beyond_the_limit_closes_the_socket(client: SocketClient, space: str) -> None:
    await client.init(space)
    with contextlib.suppress(ConnectionClosed):
        await client.send_bytes(bytes(40 * 1024 * 1024 + 1))
    assert (await client.end())[0] == 1009


async def test_a_server_that_stops_says_so_and_keeps_what_it_acknowledged(tmp_path: Any) -> None:
    server = SocketServer(tmp_path / "data")
    async with open_socket(server.url) as client, open_socket(server.url) as caller:
        await client.call("create_space", 1, space="notes", dimension=DIM)
        session = (await client.init("notes"))["session_id"]
        await client.send(observation(1, "a"))
        await client.accepted(1)
        await caller.send({"type": "recall_stream", "id": 5, "filter": {}, "follow": True})
        await caller.read_until(id=5, more=False)
        stopped = asyncio.create_task(asyncio.to_thread(server.stop))
        closed = await client.read_until(type="closed")
        assert closed["error"]["code"] == "shutting_down"
        for each in (client, caller):
            code, reason = await each.end()
            assert (code, json.loads(reason)) == (1001, {"code": "shutting_down", "retry_after_ms": 1000})
        assert [each["code"] for each in caller.seen if each["type"] == "error"] == ["shutting_down"]
        assert await stopped == 0
    again = SocketServer(tmp_path / "data")
    async with open_socket(again.url) as client:
        assert (await client.init("notes", session_id=session))["durable_sequence"] == 1
    assert await asyncio.to_thread(again.stop) == 0
    assert "Traceback" not in server.log() + again.log()


async def test_a_heartbeat_keeps_the_session_and_needs_none(client: SocketClient, space: str) -> None:
    await client.send({"type": "heartbeat"})
    await client.init(space)
    await client.send({"type": "heartbeat"}, observation(1, "a"))
    await client.accepted(1)
    assert all(each["type"] != "error" for each in client.seen)


async def test_the_subprotocol_is_answered_if_it_is_offered(server: SocketServer) -> None:
    async with open_socket(server.url, "engram.v1", "engram.bearer.c2VjcmV0") as client:
        assert client.socket.subprotocol == "engram.v1"
    async with open_socket(server.url, "chat") as client:
        assert client.socket.subprotocol is None
