"""The description of the service is true: every path, every argument and every answer."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from engram.model.operations import table
from engram.server.http.api.openapi import openapi
from engram.server.http.api.operation_routes import OperationRoutes
from engram.server.http.api.result_schemas import NAME_OF_RESULT, RESULT_SCHEMAS
from tests.doubles.asgi import HOST, ask
from tests.unit.server.http.api.conftest import DIM, NOTES, Service


def refs(value: Any) -> set[str]:
    return set(re.findall(r'"\$ref": "#/components/schemas/(\w+)"', json.dumps(value)))


def conforms(value: Any, schema: Any) -> None:
    """The value has the fields of the schema, and no others, down to its leaves."""
    schema = RESULT_SCHEMAS[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool}
    assert isinstance(value, kinds[schema["type"]]), (value, schema)  # type: ignore[arg-type]
    for each in value if schema["type"] == "array" else ():
        conforms(each, schema["items"])
    if "properties" in schema:
        assert set(schema["required"]) <= set(value) <= set(schema["properties"]), (value, schema)
        for name, each in value.items():
            conforms(each, schema["properties"][name])


def test_every_route_is_described_and_nothing_else(service: Service) -> None:
    described = {(method.upper(), path) for path, methods in openapi()["paths"].items() for method in methods}
    routes = OperationRoutes(service.calls).routes()
    assert described == {(route.method, route.path.replace(":path", "")) for route in routes}
    names = [each["operationId"] for methods in openapi()["paths"].values() for each in methods.values()]
    assert len(set(names)) == len(names)


def test_every_reference_leads_somewhere() -> None:
    description = openapi("/memory")
    assert refs(description) <= set(description["components"]["schemas"])
    assert description["servers"] == [{"url": "/memory"}]
    assert set(NAME_OF_RESULT) == {operation.result for operation in table.OPERATIONS.values()}


def test_arguments_are_explained() -> None:
    schemas = openapi()["components"]["schemas"]
    assert schemas["_recall"]["properties"]["k"]["description"]
    assert schemas["_get"]["properties"]["ids"]["description"] == "The ids, up to 10 000."
    assert schemas["_get"]["required"] == ["ids"]
    assert schemas["_recall_many"]["properties"]["cues"]["description"].startswith("The cues, up to 10 000")
    assert schemas["_recall_many"]["properties"]["k"]["description"]


@pytest.mark.parametrize(
    ("schema", "names"),
    [
        ("_observe", {"ids", "vectors", "expires_at", "ttl", "embed", "if_absent", "expected_generations"}),
        ("Observation", {"vector", "expires_at", "ttl", "embed"}),
        ("_update", {"ids", "vectors", "expires_at", "ttl"}),
        ("_create_space", {"dimension", "metric", "embedder", "vectors", "ttl_s"}),
    ],
)
def test_arguments_with_another_name_in_python_are_explained(schema: str, names: set[str]) -> None:
    properties = openapi()["components"]["schemas"][schema]["properties"]
    assert {name for name in names if not properties[name].get("description")} == set()


def test_a_word_with_two_meanings_is_explained_by_its_own() -> None:
    schemas = openapi()["components"]["schemas"]
    assert schemas["_create_space"]["properties"]["vectors"]["description"].startswith("Whether observations have")
    assert schemas["Observation"]["properties"]["vector"]["description"].startswith("Numbers")
    assert (
        schemas["_recall"]["properties"]["vector"]["description"]
        != (schemas["Observation"]["properties"]["vector"]["description"])
    )


async def test_answers_are_as_described(service: Service) -> None:
    vector = [1.0] * DIM

    async def check(operation: Any, method: str, path: str, body: Any = None) -> None:
        answered = (
            await ask(service.app, method, path)
            if method == "GET"
            else await service.send(method, path, json.dumps(body))
        )
        assert answered.status == 200, answered
        conforms(answered.json(), {"$ref": f"/{NAME_OF_RESULT[operation.result]}"})

    await check(table.OBSERVE, "POST", f"{NOTES}/observations", {"id": "a", "vector": vector})
    await check(table.OBSERVE, "POST", f"{NOTES}/observations", {"vector": vector})
    await check(table.UPDATE, "POST", f"{NOTES}/update", {"ids": ["a"], "contents": ["x"]})
    cue = {"vector": vector, "include_vectors": True, "strength": {}}
    await check(table.RECALL, "POST", f"{NOTES}/recall", cue)
    many = {"cues": [{"vector": vector}, {"filter": {}}], "include_vectors": True, "strength": {}}
    await check(table.RECALL_MANY, "POST", f"{NOTES}/recall_many", many)
    await check(table.RECALL_MANY, "POST", f"{NOTES}/recall_many", {"vectors": [vector] * 3})
    await check(table.GET, "GET", f"{NOTES}/observations/a?include_vectors=true")
    await check(table.SNAPSHOT, "GET", f"{NOTES}/snapshot")
    await check(table.DELETE, "POST", f"{NOTES}/delete", {"ids": ["a"]})
    await check(table.CREATE_SPACE, "PUT", "/api/v1/spaces/other", {"dimension": DIM})
    await check(table.SPACE, "GET", NOTES)
    await check(table.SPACES, "GET", "/api/v1/spaces")
    await check(table.STATUS, "GET", "/api/v1/status")
    await check(table.SET_ALIAS, "PUT", "/api/v1/aliases/current", {"to": "other"})
    await check(table.ALIASES, "GET", "/api/v1/aliases")
    await check(table.RENAME_SPACE, "POST", "/api/v1/spaces/other/rename", {"new": "renamed"})
    await check(table.DROP_ALIAS, "DELETE", "/api/v1/aliases/current", {})
    await check(table.DROP_SPACE, "DELETE", "/api/v1/spaces/renamed", {})
    refused = await ask(service.app, "GET", "/nowhere")
    conforms(refused.json(), {"$ref": "/Problem"})


def test_an_answer_that_is_not_as_described_is_found() -> None:
    for wrong in ({"generation": 1, "more": 1}, {}, {"generation": "1"}):
        with pytest.raises(AssertionError):
            conforms(wrong, {"$ref": "/Snapshot"})


async def test_the_page_works_offline_and_takes_its_scripts_from_here(service: Service) -> None:
    moved = await service.get("/docs")
    assert (moved.status, moved.headers["location"]) == (307, "docs/")
    page = await service.get("/docs/")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    links = re.findall(rb'(?:src|href)="([^"]+)"', page.body)
    assert len(links) == 3
    for link in links:
        assert b":" not in link, "from elsewhere"
        found = await ask(service.app, "GET", "/openapi.json" if b".." in link else f"/docs/{link.decode()}", [HOST])
        assert found.status == 200
    script = (await service.get("/docs/docs.js")).body
    assert b"innerHTML" not in script
    assert b"http:" not in script
    assert b"https:" not in script
    assert (await service.get("/openapi.json")).json() == json.loads(json.dumps(openapi()))
