"""Every operation of the table, over HTTP."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engram.errors import PermissionDenied
from engram.model.limits import JSON_BYTES_MAX
from engram.model.operations import table
from engram.server.calls import ServerCalls
from engram.server.gatekeeper import Gatekeeper
from engram.server.http.api.operation_routes import OperationRoutes
from engram.server.http.app import http_app
from engram.wire.frames import decode_frame, encode_frame
from tests.unit.server.http.api.conftest import DIM, NOTES, Service

FRAME = ("content-type", "application/vnd.engram.frame")
ONE = [1.0, *[0.0] * (DIM - 1)]
TWO = [0.0, 1.0, *[0.0] * (DIM - 2)]


def observation(id: str = "n1", vector: Any = ONE, **fields: Any) -> str:
    return json.dumps({"id": id, "vector": vector, "content": f"text of {id}", **fields})


async def stored(service: Service, *ids: str) -> None:
    for id in ids:
        assert (await service.post(f"{NOTES}/observations", observation(id))).status == 200


def ids(answered: Any) -> list[str]:
    assert answered.status == 200, answered
    return [hit["id"] for hit in answered.json()["hits"]]


def test_every_route_of_the_table_is_served(service: Service) -> None:
    served = {(route.method, route.path.replace(":path", "")) for route in OperationRoutes(service.calls).routes()}
    assert served == {(route.method, route.path) for each in table.OPERATIONS.values() for route in each.routes}


async def test_what_was_stored_is_found_read_and_deleted(service: Service) -> None:
    body = observation(timestamp="2026-11-28T12:00:00Z", metadata={"site": 4}, tags=["pump"], importance=0.25)
    answered = await service.post(f"{NOTES}/observations", body)
    assert (answered.status, answered.json()) == (200, {"first_generation": 1, "last_generation": 1, "count": 1})
    recalled = (await service.post(f"{NOTES}/recall", json.dumps({"vector": ONE, "k": 5}))).json()
    (hit,) = recalled["hits"]
    assert (hit["id"], hit["content"], hit["metadata"], hit["tags"]) == ("n1", "text of n1", {"site": 4}, ["pump"])
    assert (hit["timestamp"], hit["importance"]) == ("2026-11-28T12:00:00.000000Z", 0.25)
    assert (recalled["generation"], recalled["incomplete"], recalled["partial"]) == (1, False, False)
    got = (await service.get(f"{NOTES}/observations/n1?include_vectors=true")).json()
    assert got["hits"][0]["vector"] == ONE
    assert ids(await service.post(f"{NOTES}/get", json.dumps({"ids": ["n1", "n2"]}))) == ["n1"]
    assert (await service.get(f"{NOTES}/snapshot")).json() == {"generation": 1}
    assert (await service.send("DELETE", f"{NOTES}/observations/n1")).json() == {"deleted": 1, "generation": 2}
    missing = await service.get(f"{NOTES}/observations/n1")
    assert (missing.status, missing.json()["kind"]) == (404, "not_found")
    assert ids(await service.get(f"{NOTES}/observations/n1?max_generation=1")) == ["n1"]
    assert (await service.post(f"{NOTES}/delete", json.dumps({"ids": ["n1"]}))).json()["deleted"] == 0


async def test_a_body_has_large_texts_and_little_else(service: Service) -> None:
    await stored(service, "n1")
    body: dict[str, Any] = {"ids": ["n1", "x" * JSON_BYTES_MAX]}
    assert ids(await service.post(f"{NOTES}/get", json.dumps(body))) == ["n1"]
    assert ids(await service.post(f"{NOTES}/get", encode_frame(body, {}), FRAME)) == ["n1"]
    many: dict[str, Any] = {"ids": ["x"] * JSON_BYTES_MAX}
    for refused in (
        await service.post(f"{NOTES}/get", json.dumps(many)),
        await service.post(f"{NOTES}/get", encode_frame(many, {}), FRAME),
    ):
        assert (refused.status, refused.json()["code"]) == (413, "json_bytes")


async def test_many_observations_come_as_columns_and_as_frames(service: Service) -> None:
    packed = base64.b64encode(np.array([ONE, TWO], "<f4").tobytes()).decode()
    body = json.dumps({"ids": ["a", "b"], "vectors": packed, "contents": ["x", "y"], "metadata": [{"n": 1}, None]})
    assert (await service.post(f"{NOTES}/observations", body)).json()["count"] == 2
    frame = encode_frame({"ids": ["c"]}, {"vectors": np.array([TWO], np.float32)})
    assert (await service.post(f"{NOTES}/observations", frame, FRAME)).json()["count"] == 1
    cue = encode_frame({"k": 3, "include_vectors": True}, {"vector": np.array(TWO, np.float32)})
    answered = await service.post(f"{NOTES}/recall", cue, FRAME, ("accept", FRAME[1]))
    assert answered.headers["content-type"] == FRAME[1]
    header, arrays = decode_frame(answered.body)
    assert set(header["ids"][:2]) == {"b", "c"}
    assert arrays["vectors"].shape == (3, DIM)


async def test_many_cues_come_as_objects_as_lists_and_as_frames(service: Service) -> None:
    await stored(service, "a")
    assert (await service.post(f"{NOTES}/observations", observation("b", TWO, tags=["x"]))).status == 200
    words = {"text": "text", "by": "words", "filter": {"tags": ["x"]}}
    cues = [{"vector": ONE}, {"vector": TWO, "filter": {"tags": ["y"]}}, words]
    answered = (await service.post(f"{NOTES}/recall_many", json.dumps({"cues": cues, "k": 1}))).json()
    assert [[hit["id"] for hit in each["hits"]] for each in answered["results"]] == [["a"], [], ["b"]]
    assert (answered["generation"], answered["results"][0]["incomplete"]) == (2, False)
    body = {"vectors": [TWO, ONE], "k": 1, "filter": {"tags": ["x"]}}
    answered = (await service.post(f"{NOTES}/recall_many", json.dumps(body))).json()
    assert [[hit["id"] for hit in each["hits"]] for each in answered["results"]] == [["b"], ["b"]]
    frame = encode_frame({"k": 2}, {"vectors": np.array([TWO, ONE, TWO], np.float32)})
    answered = await service.post(f"{NOTES}/recall_many", frame, FRAME, ("accept", FRAME[1]))
    assert answered.headers["content-type"] == FRAME[1]
    header, arrays = decode_frame(answered.body)
    assert (header["ids"], arrays["counts"].tolist()) == (["b", "a", "a", "b", "b", "a"], [2, 2, 2])
    assert (header["generation"], header["incomplete_cues"]) == (2, [])


async def test_ids_with_any_character_are_reached_by_their_path(service: Service) -> None:
    for id in ("a/b", "a b", "ü", ".", "/", "a//b/"):
        await stored(service, id)
        assert ids(await service.get(f"{NOTES}/observations/{id}")) == [id]


async def test_an_observation_without_an_id_gets_one_and_is_told(service: Service) -> None:
    for body in (f'{{"vector": {ONE}}}', f' {{ "content": "x", "vector": {ONE}}}'):
        answered = await service.post(f"{NOTES}/observations", body)
        (made,) = answered.json()["ids"]
        assert ids(await service.get(f"{NOTES}/observations/{made}")) == [made]
    for bad in ("{,}", "[]", "", "null", "{"):
        assert (await service.post(f"{NOTES}/observations", bad)).status == 400, bad


async def test_spaces_are_made_and_described(service: Service) -> None:
    path = "/api/v1/spaces/new"
    made = await service.send("PUT", path, '{"dimension": 16, "metric": "l2", "embedder": ""}')
    assert (made.json()["name"], made.json()["dimension"], made.json()["metric"]) == ("new", 16, "l2")
    assert (await service.send("PUT", path, '{"dimension": 16, "metric": "l2"}')).status == 200
    assert (await service.send("PUT", path, '{"dimension": 17}')).status == 409
    assert (await service.send("PUT", "/api/v1/spaces/plain")).json()["dimension"] == 768
    assert (await service.get(path)).json()["live_count"] == 0
    listed = (await service.get("/api/v1/spaces")).json()
    assert [space["name"] for space in listed["spaces"]] == ["default", "new", "notes", "plain"]
    assert (await service.get("/api/v1/status")).json()["version"]
    assert (await service.get("/api/v1/spaces/nowhere")).status == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/observations", '{"id": "x", "vector": [1, 2]}', 400, "dimension_mismatch"),
        ("POST", "/observations", '{"id": "x", "vektor": [1, 2]}', 400, "unknown_field"),
        ("POST", "/observations", '{"id": 5}', 400, "wrong_type"),
        ("POST", "/observations", '{"id": "x", "id": "y"}', 400, "malformed_message"),
        ("POST", "/observations", "{}", 400, "invalid_arguments"),
        ("POST", "/observations", '{"content": null, "embed": false, "priority": "low"}', 400, "invalid_arguments"),
        ("POST", "/observations", b"\xff\xfe", 400, "malformed_message"),
        ("POST", "/observations", "[" * 100_000, 400, "malformed_message"),
        ("POST", "/observations?x=1", '{"id": "x"}', 400, "unknown_field"),
        ("POST", "/recall", "{}", 400, "cue_missing"),
        ("POST", "/recall", '{"vector": [NaN]}', 400, "malformed_message"),
        ("POST", "/recall", f'{{"vector": {ONE}, "k": 0}}', 400, "invalid_k"),
        ("POST", "/recall", f'{{"vector": {ONE}, "follow": true}}', 400, "unknown_field"),
        ("POST", "/recall_many", "{}", 400, "cue_missing"),
        ("POST", "/recall_many", f'{{"vectors": [{ONE}, [1]]}}', 400, "dimension_mismatch"),
        ("POST", "/recall_many", f'{{"vectors": [{ONE}], "cues": []}}', 400, "invalid_recall"),
        ("POST", "/recall_many", f'{{"vectors": [{ONE}], "timeout_ms": 5}}', 400, "unknown_field"),
        ("POST", "/delete", '{"ids": "a"}', 400, "wrong_type"),
        ("POST", "/delete", '{"ids": "n1"}', 400, "wrong_type"),
        ("GET", "/observations/x?include_vectors=maybe", b"", 400, "wrong_type"),
        ("GET", "/observations/x?id=y", b"", 400, "unknown_field"),
        ("GET", "/snapshot?max_generation=1&max_generation=2", b"", 400, "invalid_argument"),
        ("GET", "/snapshot?max_generation=99", b"", 400, "invalid_max_generation"),
        ("PUT", "/observations", "{}", 405, "method_not_allowed"),
    ],
)
async def test_what_is_wrong_is_named(
    service: Service, method: str, path: str, body: Any, status: int, code: str
) -> None:
    if method == "GET":
        answered = await service.get(NOTES + path)
    else:
        answered = await service.send(method, NOTES + path, body)
    assert (answered.status, answered.json()["code"]) == (status, code), answered.json()


async def test_who_may_not_is_refused_before_anything_is_read(service: Service) -> None:
    asked: list[Any] = []

    def nobody(caller: Any, action: Any, space: str | None) -> None:
        asked.append((caller.metadata.get("authorization"), action.value, space))
        raise PermissionDenied("not you")

    service.engine._gatekeeper = Gatekeeper(nobody)
    answered = await service.post(f"{NOTES}/observations", "nonsense", ("authorization", "Bearer x"))
    assert (answered.status, answered.json()["code"]) == (403, "permission_denied")
    assert asked == [("Bearer x", "observe", "notes")]


async def test_a_key_gets_the_first_answer_again(service: Service) -> None:
    path, key = f"{NOTES}/observations", ("idempotency-key", "k1")
    first = await service.post(path, f'{{"vector": {ONE}}}', key)
    again = await service.post(path, f'{{"vector": {ONE}}}', key)
    assert (again.status, again.json()) == (200, first.json())
    assert (first.headers.get("idempotency-replayed"), again.headers["idempotency-replayed"]) == (None, "true")
    other = await service.post(path, f'{{"vector": {TWO}}}', key)
    assert (other.status, other.json()["code"]) == (409, "idempotency_key_reused")
    both = await asyncio.gather(*(service.post(path, f'{{"vector": {ONE}}}', (key[0], "k2")) for _ in range(5)))
    assert len({answered.body for answered in both}) == 1
    assert service.engine.store.space("notes", create=False).generation == 2
    failed = await service.post(path, '{"id": "x", "vector": [1]}', (key[0], "k3"))
    assert failed.status == 400
    assert (await service.post(path, observation("x"), (key[0], "k3"))).status == 200
    assert (await service.post(path, observation("x"), (key[0], "a b"))).json()["code"] == "invalid_idempotency_key"


async def test_observations_are_stored_on_conditions(service: Service) -> None:
    path = f"{NOTES}/observations"
    assert (await service.post(path, observation("a", if_absent=True))).status == 200
    refused = await service.post(path, observation("a", if_absent=True))
    problem = refused.json()
    assert (refused.status, problem["code"], problem["kind"]) == (409, "condition_failed", "failed_precondition")
    assert (problem["field"], problem["limit"], problem["value"]) == ("expected_generations[0]", "0", "1")
    key = ("idempotency-key", "k")
    body = json.dumps({"ids": ["a", "b"], "vectors": [ONE, TWO], "expected_generations": [1, 0]})
    first, again = await service.post(path, body, key), await service.post(path, body, key)
    assert (first.status, again.json(), again.headers["idempotency-replayed"]) == (200, first.json(), "true")
    frame = encode_frame({"ids": ["b"], "expected_generations": [9]}, {"vectors": np.array([TWO], np.float32)})
    refused = await service.post(path, frame, FRAME)
    assert (refused.status, refused.json()["value"]) == (409, "3")
    made = await service.post(path, json.dumps({"vector": ONE, "if_absent": True}))
    assert (made.status, len(made.json()["ids"])) == (200, 1)


async def test_fields_are_updated(service: Service) -> None:
    await stored(service, "a")
    path, key = f"{NOTES}/update", ("idempotency-key", "k")
    body = json.dumps({"ids": ["a"], "metadata": [{"n": 1}], "tags": [["x"]]})
    first, again = await service.post(path, body, key), await service.post(path, body, key)
    assert (first.status, first.json()) == (200, {"first_generation": 2, "last_generation": 2, "count": 1})
    assert (again.json(), again.headers["idempotency-replayed"]) == (first.json(), "true")
    assert (await service.post(path, json.dumps({"ids": ["a"], "tags": [[]]}), key)).status == 409
    (hit,) = (await service.get(f"{NOTES}/observations/a?include_vectors=true")).json()["hits"]
    assert (hit["content"], hit["metadata"], hit["tags"], hit["vector"]) == ("text of a", {"n": 1}, ["x"], ONE)
    frame = encode_frame({"ids": ["a"]}, {"vectors": np.array([TWO], np.float32)})
    assert (await service.post(path, frame, FRAME)).json()["last_generation"] == 3
    missing = await service.post(path, json.dumps({"ids": ["a", "b"], "contents": ["x", "y"]}))
    assert (missing.status, missing.json()["code"], missing.json()["field"]) == (404, "missing_ids", "ids[1]")
    refused = await service.post(path, json.dumps({"ids": ["a"]}))
    assert (refused.status, refused.json()["code"]) == (400, "missing_field")


async def test_a_key_may_be_an_argument_and_there_is_one(service: Service) -> None:
    await stored(service, "a")
    body = '{"ids": ["a"], "idempotency_key": "k"}'
    first, again = [await service.post(f"{NOTES}/delete", body) for _ in range(2)]
    assert (first.json()["deleted"], again.json()["deleted"], again.headers["idempotency-replayed"]) == (1, 1, "true")
    await stored(service, "a")
    path = f"{NOTES}/observations/a?idempotency_key=k2"
    first, again = [await service.send("DELETE", path) for _ in range(2)]
    assert (first.json()["deleted"], again.json()["deleted"]) == (1, 1)
    two = await service.post(f"{NOTES}/delete", body, ("idempotency-key", "other"))
    assert (two.status, two.json()["code"]) == (400, "invalid_idempotency_key")


async def test_the_same_write_is_known_in_another_form(service: Service) -> None:
    path, key = f"{NOTES}/observations", ("idempotency-key", "k1")
    forms = [
        f'{{"vector": {ONE}, "metadata": {{"a": 1, "b": 2}}}}',
        f'{{ "idempotency_key": "k1", "metadata": {{"b":2,"a":1}}, "confidence": 1, "vector": {ONE} }}',
    ]
    first, again = await service.post(path, forms[0], key), await service.post(path, forms[1])
    assert (again.status, again.json(), again.headers["idempotency-replayed"]) == (200, first.json(), "true")
    columns = {"ids": ["x"], "vectors": [ONE], "idempotency_key": "k2"}
    first = await service.post(path, json.dumps(columns))
    header = {"ids": ["x"], "idempotency_key": "k2"}
    frame = encode_frame(header, {"vectors": np.array([ONE], np.float32)})
    again = await service.post(path, frame, FRAME)
    assert (again.status, again.json(), again.headers["idempotency-replayed"]) == (200, first.json(), "true")
    other = await service.post(path, f'{{"id": "x", "vector": {TWO}, "idempotency_key": "k2"}}')
    assert (other.status, other.json()["code"]) == (409, "idempotency_key_reused")


async def test_other_observations_with_one_key_get_other_ids_even_when_the_key_is_forgotten(service: Service) -> None:
    path, key = f"{NOTES}/observations", ("idempotency-key", "k1")
    ids = []
    for vector in (ONE, ONE, TWO):
        forgetful = http_app(service.engine, ServerCalls(service.engine))
        answered = await replace(service, app=forgetful).post(path, f'{{"vector": {vector}}}', key)
        ids += answered.json()["ids"]
    assert (ids[0] == ids[1], ids[0] == ids[2]) == (True, False)


async def test_a_recall_in_time_is_whole_and_one_out_of_time_is_partial(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stored(service, "a", "b", "c")
    body = {"vector": ONE, "k": 3, "timeout_ms": 60_000}
    whole = (await service.post(f"{NOTES}/recall", json.dumps(body))).json()
    assert ({hit["id"] for hit in whole["hits"]}, whole["partial"]) == ({"a", "b", "c"}, False)
    now_s = [0.0]

    class Clock:
        @staticmethod
        def monotonic() -> float:
            now_s[0] += 100.0
            return now_s[0]

    monkeypatch.setattr("engram.store.recall.stream.time", Clock)
    late = (await service.post(f"{NOTES}/recall", json.dumps(body))).json()
    assert (late["hits"], late["partial"], late["generation"]) == ([], True, 3)


async def test_batches_come_as_lines(service: Service) -> None:
    await stored(service, "a", "b", "c")
    body = json.dumps({"vector": ONE, "k": 3, "batch_size": 2})
    answered = await service.post(f"{NOTES}/recall", body, ("accept", "application/x-ndjson"))
    assert answered.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answered.body.splitlines()]
    assert [(len(line["hits"]), line["more"]) for line in lines] == [(2, True), (1, False)]
    refused = await service.post(f"{NOTES}/recall", "{}", ("accept", "application/x-ndjson"))
    assert (refused.status, refused.json()["code"]) == (400, "cue_missing")
