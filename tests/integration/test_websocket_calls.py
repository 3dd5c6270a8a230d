"""Calls over WebSocket, on a real server: every operation by its id, beside a session or without one."""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
from itertools import count
from typing import Any

import grpc
import numpy as np
import pytest

from engram.model.limits import JSON_BYTES_MAX
from engram.model.operations.table import OPERATIONS
from engram.wire import engram_pb2 as pb
from engram.wire.engram_pb2_grpc import EngramServiceStub
from tests.integration.server_process import DIM, TIMEOUT_S, vectors_of
from tests.integration.socket_client import SocketClient, SocketServer, columns, observation, open_socket

_numbers = count(1)


@pytest.fixture
async def space(client: SocketClient) -> str:
    """A space with three observations."""
    name = f"calls-{next(_numbers)}"
    await client.call("create_space", 1, space=name, dimension=DIM, embedder="lexical")
    ids = ["a", "b", "c"]
    made = await client.call(
        "observe",
        2,
        space=name,
        ids=ids,
        vectors=vectors_of(ids).tolist(),
        contents=["the pump leaks", "the pump runs", "a door"],
        metadata=[{"site": 4}, {"site": 5}, None],
        tags=[["pump"], ["pump"], []],
        priority="high",
    )
    assert made == {
        "type": "observe_result",
        "id": 2,
        "more": False,
        "first_generation": 1,
        "last_generation": 3,
        "count": 3,
    }
    return name


async def test_recalls_of_all_kinds(client: SocketClient, space: str) -> None:
    vector = vectors_of(["b"])[0]
    found = await client.call("recall", 1, space=space, vector=vector.tolist(), k=2)
    assert (found["type"], found["more"], found["incomplete"], found["partial"]) == (
        "recall_result",
        False,
        False,
        False,
    )
    assert (found["hits"][0]["id"], found["generation"], len(found["hits"])) == ("b", 3, 2)
    packed = base64.b64encode(vector.tobytes()).decode()
    (same,) = (await client.call("recall", 2, space=space, vector=packed, k=1))["hits"]
    assert (same["id"], same["score"]) == ("b", found["hits"][0]["score"])
    words = await client.call("recall", 3, space=space, text="leaks", by="words")
    assert [hit["id"] for hit in words["hits"]] == ["a"]
    filtered = await client.call("recall", 4, space=space, filter={"metadata": {"site": {"between": [5, None]}}})
    assert [hit["id"] for hit in filtered["hits"]] == ["b"]
    earlier = await client.call("recall", 5, space=space, filter={}, max_generation=1)
    assert [hit["id"] for hit in earlier["hits"]] == ["a"]
    strong = await client.call("recall", 6, space=space, text="pump", strength={"reinforce": False})
    assert all("strength" in hit for hit in strong["hits"])


async def test_answers_and_cues_may_be_binary(client: SocketClient, space: str) -> None:
    vectors = vectors_of(["a", "b", "c"])
    await client.send_frame(
        {"type": "recall", "id": 1, "space": space, "k": 3, "binary": True, "include_vectors": True}, vector=vectors[1]
    )
    found = await client.read_until(id=1)
    assert (found["type"], found["ids"][0], found["generation"], found["more"]) == ("recall_result", "b", 3, False)
    by_id = dict(zip(found["ids"], found["vectors"], strict=True))
    assert all(np.array_equal(by_id[id], row) for id, row in zip("abc", vectors, strict=True))
    assert found["contents"][0] == "the pump runs"
    assert found["metadata"][0] == {"site": 5}
    got = await client.call("get", 2, space=space, ids=["c", "nobody", "a"], binary=True)
    assert (got["type"], got["ids"], got["generations"].tolist()) == ("get_result", ["c", "a"], [3, 1])
    assert (got["metadata"], got["tags"]) == ([None, {"site": 4}], [[], ["pump"]])
    nothing = await client.call("get", 3, space=space, ids=["nobody"], binary=True)
    assert nothing["ids"] == []


async def test_a_streamed_recall_comes_in_batches(client: SocketClient, space: str) -> None:
    await client.send({"type": "recall_stream", "id": 1, "space": space, "filter": {}, "k": 3, "batch_size": 1})
    ids = []
    while True:
        batch = await client.read_until(id=1)
        assert batch["type"] == "recall_result"
        ids += [hit["id"] for hit in batch["hits"]]
        if not batch["more"]:
            break
    assert ids == ["c", "b", "a"]


async def test_a_follower_gets_what_comes_until_it_is_cancelled(client: SocketClient, space: str) -> None:
    await client.send({"type": "recall_stream", "id": 9, "space": space, "filter": {"tags": ["pump"]}, "follow": True})
    await client.read_until(id=9, more=False)
    await client.init(space)
    await client.send(observation(1, "d", tags=["pump"]), observation(2, "e"), observation(3, "f", tags=["pump"]))
    followed: list[str] = []
    while len(followed) < 2:
        followed += [hit["id"] for hit in (await client.read_until(id=9, more=False))["hits"]]
    assert followed == ["d", "f"]
    await client.send({"type": "cancel", "id": 9})
    assert (await client.read_until(id=9))["code"] == "cancelled"
    await client.send(observation(4, "g", tags=["pump"]))
    await client.accepted(4)
    assert (await client.call("status", 9))["type"] == "status_result"


async def test_look_ups_deletions_and_snapshots(client: SocketClient, space: str) -> None:
    assert (await client.call("snapshot", 1, space=space))["generation"] == 3
    gone = await client.call("delete", 2, space=space, ids=["a", "nobody"])
    assert (gone["deleted"], gone["generation"]) == (1, 4)
    assert (await client.call("get", 3, space=space, ids=["a"]))["hits"] == []
    assert len((await client.call("get", 4, space=space, ids=["a"], max_generation=3))["hits"]) == 1
    assert (await client.call("snapshot", 5, space=space, snapshot_time="2020-01-01"))["generation"] == 0


async def test_a_write_that_is_sent_again_with_its_key_is_done_once_on_all_transports(
    server: SocketServer, client: SocketClient, space: str
) -> None:
    arguments = {"space": space, "ids": ["a", "nobody"], "idempotency_key": "k1"}
    first, again = [await client.call("delete", id, **arguments) for id in (2, 3)]
    assert ({**first, "id": 0}, first["deleted"]) == ({**again, "id": 0}, 1)
    async with open_socket(server.url) as other:
        refused = await other.call("delete", 1, space=space, ids=["b"], idempotency_key="k1")
        assert (refused["type"], refused["code"]) == ("error", "idempotency_key_reused")

    def over_others() -> tuple[str | None, Any, Any]:
        asked = pb.ForgetRequest(memory_space_id=space, ids=["a", "nobody"], idempotency_key="k1")
        with grpc.insecure_channel(server.address) as channel:
            forgotten = EngramServiceStub(channel).Forget(asked, timeout=TIMEOUT_S)
        connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=TIMEOUT_S)
        body = json.dumps({"ids": arguments["ids"]})
        headers = {"Content-Type": "application/json", "Idempotency-Key": "k1"}
        connection.request("POST", f"/api/v1/spaces/{space}/delete", body, headers)
        answer = connection.getresponse()
        told = json.loads(answer.read())
        connection.close()
        return answer.headers["Idempotency-Replayed"], told, (forgotten.forgotten, forgotten.generation)

    assert await asyncio.to_thread(over_others) == ("true", {"deleted": 1, "generation": 4}, (1, 4))


async def test_a_message_has_large_texts_and_little_else_and_the_connection_lives(
    client: SocketClient, space: str
) -> None:
    contents = ["x" * (5 * JSON_BYTES_MAX // 400)] * 100
    request = {"space": space, "ids": [f"n{row}" for row in range(100)]}
    numbers = vectors_of(request["ids"])
    stored = await client.call("observe", 1, **request, contents=contents, vectors=numbers.tolist())
    assert stored["count"] == 100
    # Quotes and commas are no part of a text.
    refused = await client.call("observe", 2, **request, contents=[""] * (JSON_BYTES_MAX // 2))
    assert (refused["type"], refused["code"], refused["limit"]) == ("error", "json_bytes", str(JSON_BYTES_MAX))
    await client.init(space)
    message = {"type": "observation_batch", "sequence_number": 1, "ids": request["ids"]}
    await client.send({**message, "contents": [""] * (JSON_BYTES_MAX // 2)})
    rejected = await client.read_until(type="ack", status="rejected")
    assert (rejected["first_sequence"], rejected["last_sequence"]) == (1, 100)
    assert rejected["error"]["code"] == "json_bytes"
    await client.send_frame({"type": "observe", "id": 3, **request, "contents": contents}, vectors=numbers)
    assert (await client.read_until(id=3))["count"] == 100


async def test_the_server_and_its_spaces_are_described(client: SocketClient, space: str) -> None:
    status = await client.call("status", 1)
    assert status["version"]
    assert space in [each["name"] for each in status["spaces"]]
    connections = [each["value"] for each in status["metrics"] if each["name"] == "engram_streaming_connections"]
    assert connections == [0], "who only looks has no session"
    assert [each["priority"] for each in status["lanes"]] == ["high", "normal", "low"]
    spaces = await client.call("spaces", 2)
    assert (space in [each["name"] for each in spaces["spaces"]], spaces["unsound_spaces"]) == (True, [])
    described = await client.call("space", 3, space=space)
    assert (described["live_count"], described["pressure_level"]) == (3, "normal")


@pytest.mark.parametrize(
    ("call", "code", "field"),
    [
        ({"type": "recall", "text": "x", "kk": 1}, "unknown_field", "kk"),
        ({"type": "recall"}, "cue_missing", "cue"),
        ({"type": "recall", "vector": [1, 2]}, "dimension_mismatch", "embedding"),
        ({"type": "recall", "text": "x", "binary": 1}, "wrong_type", "binary"),
        ({"type": "recall", "text": "x", "follow": True}, "unknown_field", "follow"),
        ({"type": "recall_stream", "text": "x", "follow": True}, "invalid_recall", "score_min"),
        ({"type": "recall_stream", "text": "x", "follow": "yes"}, "wrong_type", "follow"),
        ({"type": "changes", "after_generation": 99}, "invalid_after_generation", "after_generation"),
        ({"type": "changes", "k": 3}, "unknown_field", "k"),
        ({"type": "recall", "text": "x", "max_generation": 99}, "invalid_max_generation", "max_generation"),
        ({"type": "get"}, "missing_field", "ids"),
        ({"type": "get", "ids": ["a"] * 10_001}, "batch_count", "ids"),
        ({"type": "delete", "ids": "a"}, "wrong_type", "ids"),
        ({"type": "observe", "ids": []}, "batch_count", "batch"),
        ({"type": "observe", "ids": ["a"], "vectors": [[1]]}, "dimension_mismatch", "embedding"),
        ({"type": "observe", "ids": ["a"], "vectors": [["x"]]}, "wrong_type", "vectors[0][0]"),
        ({"type": "observe", "ids": ["a", "a"], "if_absent": True}, "duplicate_id", "ids[1]"),
        ({"type": "observe", "ids": ["a"], "expected_generations": [1, 2]}, "column_length", "expected_generations"),
        ({"type": "observe", "ids": ["a"], "expected_generations": 1.5}, "wrong_type", "expected_generations"),
        ({"type": "update", "ids": ["a"]}, "missing_field", "changes"),
        ({"type": "update", "ids": ["a"], "contents": ["x"], "merge": 1}, "wrong_type", "merge"),
        ({"type": "update", "ids": ["a", "nobody"], "contents": ["x", "y"]}, "missing_ids", "ids[1]"),
        ({"type": "create_space", "dimension": 99}, "space_exists", "dimension"),
        ({"type": "status", "ids": ["a"]}, "unknown_field", "ids"),
    ],
)
async def test_calls_that_cannot_be_answered_say_why(
    client: SocketClient, space: str, call: dict[str, Any], code: str, field: str
) -> None:
    about = {} if call["type"] == "status" else {"space": space}
    await client.send({**call, "id": 12, **about})
    error = await client.read_until(id=12)
    assert (error["type"], error["code"], error["field"]) == ("error", code, field)
    assert {"message", "limit", "value", "kind"} <= error.keys()
    assert (await client.call("space", 12, space=space))["live_count"] == 3


@pytest.mark.parametrize("space", ["nowhere", "NO"])
@pytest.mark.parametrize("operation", sorted(set(OPERATIONS) - {"spaces", "status", "create_space", "aliases"}))
async def test_no_operation_finds_a_space_that_is_not_there(client: SocketClient, space: str, operation: str) -> None:
    arguments: dict[str, Any] = {"text": "x"} if "recall" in operation else {}
    if operation in ("observe", "update", "delete", "erase", "get"):
        arguments = {"ids": ["a"]}
    if operation == "update":
        arguments |= {"contents": ["new"]}
    elif operation == "recall_many":
        arguments = {"cues": [{"text": "x"}]}
    elif operation == "rename_space":
        arguments = {"new": "somewhere"}
    elif operation == "set_alias":
        arguments = {"to": "nowhere"}
    answer = await client.call(operation, 1, space=space, **arguments)
    unknown = "unknown_alias" if operation == "drop_alias" else "unknown_space"
    assert answer["code"] == (unknown if space == "nowhere" else "invalid_space_name")


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [("drop_space", {}), ("rename_space", {"new": "somewhere"}), ("set_alias", {"to": "default"}), ("drop_alias", {})],
)
async def test_no_name_is_no_default_where_it_would_be_lost(
    client: SocketClient, operation: str, arguments: dict[str, Any]
) -> None:
    answer = await client.call(operation, 1, **arguments)
    assert (answer["code"], answer["field"]) == ("missing_field", "space")
    assert (await client.call("space", 2))["name"] == "default"


async def test_ids_are_the_clients_choice_but_only_one_call_has_one(client: SocketClient, space: str) -> None:
    for id in (0, -7, 2**53):
        assert (await client.call("space", id, space=space))["id"] == id
    await client.send({"type": "recall_stream", "id": 5, "space": space, "filter": {}, "follow": True})
    await client.read_until(id=5, more=False)
    await client.send({"type": "status", "id": 5})
    error = await client.read_until(type="error")
    assert (error["code"], error["field"], "id" in error) == ("invalid_request", "id", False)


async def test_a_call_that_is_over_can_be_cancelled(client: SocketClient, space: str) -> None:
    await client.call("space", 3, space=space)
    for id in (3, 4):
        await client.send({"type": "cancel", "id": id})
        assert (await client.read_until(id=id))["code"] == "cancelled"


async def test_calls_of_many_clients_at_once(server: SocketServer, space: str) -> None:
    async def ask(number: int) -> list[int]:
        async with open_socket(server.url) as client:
            await client.send(
                *(
                    {"type": "recall", "id": id, "space": space, "text": "pump", "k": 2}
                    for id in range(number, number + 50)
                )
            )
            answers = [await client.read_until(type="recall_result") for _ in range(50)]
            assert all(len(each["hits"]) == 2 for each in answers)
            return sorted(each["id"] for each in answers)

    answered = await asyncio.gather(*map(ask, range(8)))
    assert answered == [list(range(number, number + 50)) for number in range(8)]


async def test_a_paused_connection_refuses_the_call_too_many(client: SocketClient, space: str) -> None:
    await client.init(space)
    await client.send({"type": "flow_control", "action": "pause"})
    await client.read_until(type="status")
    await client.send(*({"type": "space", "id": id, "space": space} for id in range(33)))
    refused = await client.read_until(type="error")
    assert (refused["id"], refused["code"], refused["limit"]) == (32, "recalls_in_flight", "32")
    await client.send({"type": "flow_control", "action": "resume"})
    answered = {(await client.read_until(type="space_result"))["id"] for _ in range(32)}
    assert answered == set(range(32))


async def test_a_close_lets_calls_end_and_ends_followers(client: SocketClient, space: str) -> None:
    await client.init(space)
    await client.send({"type": "recall_stream", "id": 1, "space": space, "filter": {}, "follow": True})
    await client.read_until(id=1, more=False)
    await client.send(
        *({"type": "recall", "id": id, "space": space, "text": "pump"} for id in range(2, 12)), {"type": "close"}
    )
    assert await client.end() == (1000, "")
    assert {each["id"] for each in client.seen if each["type"] == "recall_result"} == set(range(1, 12))
    assert client.seen[-1]["type"] == "closed"


async def test_what_a_call_wrote_is_seen_by_a_session_and_the_other_way_round(client: SocketClient, space: str) -> None:
    await client.init(space)
    await client.send(columns(1, ["x"], vectors=vectors_of(["x"]).tolist()))
    await client.accepted(1)
    assert [hit["id"] for hit in (await client.call("get", 1, space=space, ids=["x", "a"]))["hits"]] == ["x", "a"]


async def test_numbers_and_texts_come_back_as_they_were(client: SocketClient, space: str) -> None:
    metadata = {"big": 2**63, "small": 1e-300, "text": "\u2028 🌊 \u0000", "deep": [[{"a": None}]]}
    content = "line\nline \u0001 🌊"
    await client.call(
        "observe",
        1,
        space=space,
        ids=["🌊"],
        vectors=vectors_of(["x"]).tolist(),
        metadata=[metadata],
        contents=[content],
    )
    (hit,) = (await client.call("get", 2, space=space, ids=["🌊"]))["hits"]
    assert (hit["id"], hit["content"], hit["metadata"]) == ("🌊", content, metadata)
    await client.send(json.dumps({"type": "get", "id": 3, "space": space, "ids": ["🌊"], "binary": True}))
    assert (await client.read_until(id=3))["metadata"] == [metadata]
