"""What no sound client sends, to a real server: each is answered by a typed error, and the next message is served.

The points are those of the checklist of bad input. Those that are not here are in the tests named behind them:

- frames too large, sequence gaps, two connections for a session, wrong types, unknown fields:
  ``test_websocket_session.py``, ``test_websocket_calls.py``, ``test_http_port.py``;
- a client that never reads, messages that are never finished, gzip bombs: ``test_stuck_clients.py``;
- a browser from a foreign origin: ``test_foreign_callers.py``.
"""

from __future__ import annotations

import base64
import http.client
import json
import struct
from itertools import count
from typing import Any

import numpy as np
import pytest

from engram.wire.frames import encode_frame
from tests.integration.server_process import DIM, TIMEOUT_S, vectors_of
from tests.integration.socket_client import SocketClient, SocketServer, columns, observation, open_socket

ONE = [1.0] * DIM
FRAME = "application/vnd.engram.frame"
LINES = "application/x-ndjson"
_numbers = count(1)


@pytest.fixture
async def space(client: SocketClient) -> str:
    name = f"bad-{next(_numbers)}"
    await client.call("create_space", 1, space=name, dimension=DIM)
    return name


def post(server: SocketServer, path: str, body: bytes, kind: str = "application/json") -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=TIMEOUT_S)
    connection.request("POST", f"/api/v1/spaces/{path}", body, {"Content-Type": kind})
    answer = connection.getresponse()
    told = json.loads(answer.read())
    connection.close()
    return answer.status, told


def written(fields: dict[str, Any], number: str) -> str:
    """JSON with a number in the place of "@" that JSON does not have, as careless programs write it."""
    return json.dumps(fields).replace('"@"', number)


OBSERVED: list[dict[str, Any]] = [
    {"vector": ["@", *ONE[1:]]},
    {"confidence": "@"},
    {"importance": "@"},
    {"timestamp": "@"},
    {"metadata": {"a": [{"b": "@"}]}},
]
ASKED: list[dict[str, Any]] = [
    {"vector": ["@", *ONE[1:]]},
    {"filter": {"confidence_min": "@"}},
    {"filter": {"metadata": {"site": {"between": ["@", None]}}}},
    {"filter": {"metadata": {"site": "@"}}},
    {"vector": ONE, "score_min": "@"},
    {"vector": ONE, "timeout_ms": "@"},
    {"vector": ONE, "strength": {"half_life_s": "@"}},
]
NO_NUMBERS = ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"]


@pytest.mark.parametrize("number", NO_NUMBERS)
async def test_no_number_of_json_that_is_none_gets_in(
    server: SocketServer, client: SocketClient, space: str, number: str
) -> None:
    await client.init(space)
    for fields in OBSERVED:
        # Metadata are kept as they came, and a number of any size is a number of JSON.
        code = "invalid_metadata" if "metadata" in fields and "e" in number else "malformed_message"
        await client.send(written({**observation(1, "a"), **fields}, number))
        rejected = await client.read_until(type="ack", status="rejected")
        assert (rejected["first_sequence"], rejected["last_sequence"]) == (1, 1), fields
        assert (rejected["error"]["code"], rejected["error"]["kind"]) == (code, "invalid_input"), fields
        status, told = post(
            server, f"{space}/observations", written({"id": "a", "vector": ONE, **fields}, number).encode()
        )
        assert (status, told["code"]) == (400, code), fields
    for id, fields in enumerate(ASKED, 7):
        await client.send(written({"type": "recall", "id": id, "space": space, **fields}, number))
        error = await client.read_until(type="error")
        assert (error.get("id"), error["code"]) == (id, "malformed_message"), fields
        status, told = post(server, f"{space}/recall", written(fields, number).encode())
        assert (status, told["code"]) == (400, "malformed_message"), fields
    await client.send(written({"type": "flow_control", "preferred_rate": "@"}, number))
    assert (await client.read_until(type="error"))["code"] == "malformed_message"
    await client.send(observation(1, "a"))
    await client.accepted(1)
    assert (await client.call("space", 3, space=space))["live_count"] == 1


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
async def test_no_number_of_a_column_that_is_none_gets_in(
    server: SocketServer, client: SocketClient, space: str, number: float
) -> None:
    bad = vectors_of(["a", "b"])
    bad[1, 3] = number
    shares = np.array([1.0, number], np.float32)
    packed, packed_one = (base64.b64encode(each.tobytes()).decode() for each in (bad, bad[1]))
    await client.init(space)
    for arrays, code, field in (
        ({"vectors": bad}, "not_finite", "embedding[1][3]"),
        ({"vectors": vectors_of(["a", "b"]), "confidences": shares}, "confidence_range", "confidence[1]"),
        ({"vectors": vectors_of(["a", "b"]), "importances": shares}, "importance_range", "importance[1]"),
    ):
        await client.send_frame(columns(1, ["a", "b"]), **arrays)
        rejected = await client.read_until(type="ack", status="rejected")
        assert (rejected["error"]["code"], rejected["error"]["field"]) == (code, field)
        status, told = post(server, f"{space}/observations", encode_frame({"ids": ["a", "b"]}, arrays), FRAME)
        assert (status, told["code"], told["field"]) == (400, code, field)
    await client.send(columns(1, ["a", "b"], vectors=packed))
    assert (await client.read_until(type="ack", status="rejected"))["error"]["code"] == "not_finite"
    await client.send({**observation(1, "a"), "vector": packed_one})
    assert (await client.read_until(type="ack", status="rejected"))["error"]["code"] == "not_finite"
    for body in ({"ids": ["a", "b"], "vectors": packed}, {"id": "a", "vector": packed_one}):
        status, told = post(server, f"{space}/observations", json.dumps(body).encode())
        assert (status, told["code"]) == (400, "not_finite")
    assert (await client.call("recall", 1, space=space, vector=packed_one))["code"] == "not_finite"
    await client.send_frame({"type": "recall", "id": 2, "space": space}, vector=bad[1])
    assert (await client.read_until(id=2))["code"] == "not_finite"
    status, told = post(server, f"{space}/recall", encode_frame({}, {"vector": bad[1]}), FRAME)
    assert (status, told["code"]) == (400, "not_finite")
    # A number that only a double can hold is beyond the vectors' float32.
    await client.send({**observation(1, "a"), "vector": [1e39, *ONE[1:]]})
    assert (await client.read_until(type="ack", status="rejected"))["error"]["code"] == "not_finite"
    await client.send_frame(columns(1, ["a", "b"]), vectors=vectors_of(["a", "b"]))
    await client.accepted(2)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"type":"recal","id":7,"text":"pumps"}', "no_operation"),
        ('{"type":["recall"],"id":7}', "malformed_message"),
        ('{"id":7}', "no_operation"),
        ('{"type":"recall","id":7,"space":["notes"]}', "malformed_message"),
        ('{"type":"recall","id":7,"text":"pumps"', "malformed_message"),
        ('{"type":"recall","id":7,"text":"half a ch', "malformed_message"),
        ('{"type":"recall","id":7,"text":"a","text":"b"}', "malformed_message"),
        ('{"type":"recall","id":7,"text":pumps}', "malformed_message"),
        ('{"type":"recall","id":7,"text":"\\ud800"}', "malformed_message"),
        ('{"type":"recall","text":NaN,"id":7}', "malformed_message"),
        ('{"type":"recall","id":7,"filter":' + "[" * 100_000, "malformed_message"),
        ('{"type":"get","id":7,"ids":[' + '"",' * (2 << 20) + '""]}', "json_bytes"),
        ('{"type":"get","id":7,"ids":[' + '"",' * (2 << 20), "json_bytes"),
    ],
    ids=lambda each: each[:60],
)
async def test_a_call_that_cannot_be_read_is_answered_by_its_id(
    client: SocketClient, space: str, text: str, code: str
) -> None:
    await client.send({"type": "recall_stream", "id": 5, "space": space, "filter": {}, "follow": True})
    await client.read_until(id=5, more=False)
    await client.send(text)
    error = await client.read_until(type="error")
    assert (error.get("id"), error["code"], error["kind"]) == (7, code, "invalid_input")
    # With the id of a call under way, it would be taken for the end of that call.
    await client.send('{"type":"recall","id":5,"text":')
    assert "id" not in await client.read_until(type="error")
    assert (await client.call("space", 7, space=space))["name"] == space


async def test_a_frame_that_cannot_be_read_is_answered_by_its_number_or_its_id(
    client: SocketClient, space: str
) -> None:
    await client.init(space)
    for header, wanted in (
        (columns(3, ["a", "b"]), {"type": "ack", "status": "rejected", "first_sequence": 3, "last_sequence": 4}),
        ({"type": "recall", "id": 7, "space": space}, {"type": "error", "id": 7}),
    ):
        whole = encode_frame(header, {"vectors": vectors_of(["a", "b"])})
        for frame in (
            whole[:-1],
            whole + b"\0",
            whole.replace(b'"f4"', b'"f2"'),
            whole.replace(b'"type"', b'NaN,"ty"'),
        ):
            await client.send_bytes(frame)
            told = await client.read()
            if frame.find(b"NaN") < 0:
                assert wanted.items() <= told.items()
            assert told.get("error", told)["code"] == "malformed_message"
    await client.send_frame(columns(1, ["a", "b"]), vectors=vectors_of(["a", "b"]))
    await client.accepted(2)


async def test_half_frames_and_texts_are_no_bodies(server: SocketServer, client: SocketClient, space: str) -> None:
    observe = f"{space}/observations"
    frame = encode_frame({"ids": ["a", "b"]}, {"vectors": vectors_of(["a", "b"])})
    text = json.dumps({"ids": ["a", "b"], "vectors": [ONE, ONE]}).encode()
    for body, kind in [(frame[:stop], FRAME) for stop in (0, 1, 3, 4, 20, len(frame) // 2, len(frame) - 1)]:
        status, told = post(server, observe, body, kind)
        assert (status, told["kind"]) == (400, "invalid_input")
    for body, kind in ((text, FRAME), (frame, "application/json"), (text[: len(text) // 2], "application/json")):
        status, told = post(server, observe, body, kind)
        assert (status, told["code"]) == (400, "malformed_message")
    # The same bytes as a text of a WebSocket are no UTF-8, which ends that connection alone.
    async with open_socket(server.url) as other:
        await other.socket.send(frame + b"\xff", text=True)
        assert (await other.end())[0] == 1007
    assert (await client.call("space", 2, space=space))["live_count"] == 0


async def test_a_bad_line_in_the_middle_is_named_and_the_good_ones_stand(
    server: SocketServer, client: SocketClient, space: str
) -> None:
    bad = {
        2: b'{"id":"x","vector":[NaN]}',
        300: b'{"id":"x","vector":',
        301: b"\x1f\x8b\x08",
        302: json.dumps({"id": "x", "vector": ONE, "confidence": "much"}).encode(),
        999: json.dumps({"id": "x", "vector": base64.b64encode(struct.pack("<f", np.nan) * DIM).decode()}).encode(),
        1000: b'{"id":"' + b"x" * (32 << 20) + b'"}',
    }
    lines = [bad.get(row, json.dumps({"id": f"n{row}", "vector": ONE}).encode()) for row in range(1, 1201)]
    status, told = post(server, f"{space}/observations", b"\n".join(lines), LINES)
    assert (status, told["count"], told["rejected"]) == (207, 1194, len(bad))
    assert {error["line"]: error["code"] for error in told["errors"]} == {
        2: "malformed_message",
        300: "malformed_message",
        301: "malformed_message",
        302: "wrong_type",
        999: "not_finite",
        1000: "line_bytes",
    }
    assert (await client.call("space", 2, space=space))["live_count"] == 1194
