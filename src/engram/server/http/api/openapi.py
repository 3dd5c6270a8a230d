"""The description of the service for programs: OpenAPI 3.1, made from the table of operations and the JSON codec."""

from __future__ import annotations

import inspect
import re
from typing import Any, Final

import msgspec
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from engram import __version__
from engram.model.cue import Cue
from engram.model.observations import ObservationBatch
from engram.model.operations import table
from engram.model.operations.changes import ObservationChanges
from engram.model.operations.conditions import ConditionalColumns
from engram.model.operations.operation import Operation, Route
from engram.model.query import RecallQuery
from engram.model.spaces import NAME_PATTERN, SpaceConfig
from engram.server.http.api.result_schemas import NAME_OF_RESULT, RESULT_SCHEMAS, Schema
from engram.server.http.api.streamed import EVENTS_TYPE
from engram.server.http.bodies import FRAME_TYPE, JSON_TYPE, LINES_TYPE
from engram.server.http.problems import PROBLEM_TYPE
from engram.server.http.routes import HttpRoute
from engram.wire.forms.many import MANY_TEXTS
from engram.wire.forms.observations import CONDITION_FIELDS, OBSERVED_TEXTS, ONE_FIELDS
from engram.wire.forms.requests import SETTING_TEXTS, RequestReader
from engram.wire.forms.results import encode_json

_PARAMETERS: Final = re.compile(r"^Parameters\n-+\n(.*?)(?=^\w+\n-+$|\Z)", re.MULTILINE | re.DOTALL)
_ENTRY: Final = re.compile(r"^(\w[\w, ]*)\n((?: +.*\n?|\n)+)", re.MULTILINE)
_IN_PATH: Final = re.compile(r"\{(\w+)\}")
_SCHEMAS: Final = "#/components/schemas/{name}"
# Names of the schemas of one observation: as a line, and by itself, where it may have conditions.
_LINE: Final = "Observation"
_ONE: Final = "ConditionalObservation"
# What else explains arguments of an operation.
_EXPLAINING: Final[dict[str, tuple[type, ...]]] = {
    "observe": (ConditionalColumns,),
    "update": (ObservationChanges,),
    "create_space": (SpaceConfig,),
}
# What is said in place of that.
_SAID: Final[dict[str, dict[str, str]]] = {
    "observe": OBSERVED_TEXTS,
    "update": OBSERVED_TEXTS,
    "recall_many": MANY_TEXTS,
    "create_space": SETTING_TEXTS,
}
_PATH_SCHEMAS: Final[dict[str, Schema]] = {
    "space": {"type": "string", "pattern": f"^{NAME_PATTERN}$"},
    "id": {"type": "string", "minLength": 1},
}


def openapi_route(base_path: str) -> HttpRoute:
    """Return the route of the description; it is made once, when it is first asked for."""
    made: list[bytes] = []

    async def answer(request: HttpRequest) -> Response:
        if not made:
            made.append(encode_json(openapi(base_path)))
        return Response(made[0], media_type=JSON_TYPE)

    return HttpRoute("GET", "/openapi.json", answer)


def openapi(base_path: str = "") -> dict[str, Any]:
    """Return the description.

    Parameters
    ----------
    base_path
        What a proxy puts before every path.
    """
    readers = {name: RequestReader(operation) for name, operation in table.OPERATIONS.items()}
    fields = [_shown(field) for field in ONE_FIELDS]
    ones = [
        msgspec.defstruct(name, given, forbid_unknown_fields=True, kw_only=True)
        for name, given in ((_LINE, fields), (_ONE, [*fields, *CONDITION_FIELDS]))
    ]
    _, schemas = msgspec.json.schema_components(
        [*ones, *(reader.form for reader in readers.values())], ref_template=_SCHEMAS
    )
    paths: dict[str, dict[str, Any]] = {}
    for name, operation in table.OPERATIONS.items():
        arguments = _described(schemas[f"_{name}"], _texts(operation))
        # Only the header of a frame has them.
        arguments["properties"].pop("arrays", None)
        for route in operation.routes:
            there = paths.setdefault(route.path, {})
            method = route.method.lower()
            # Where two operations share a path, the second is what the first is with another `Accept`.
            if method in there:
                _add_streams(there[method], operation)
            else:
                there[method] = _operation(operation, route, arguments)
    for name in (_LINE, _ONE):
        # An observation without an id gets one.
        _described(schemas[name], _texts(table.OBSERVE)).pop("required")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Engram",
            "version": __version__,
            "description": "A streaming memory engine: an acknowledged observation is durable and already recallable.",
        },
        "servers": [{"url": base_path or "/"}],
        "paths": paths,
        "components": {"schemas": {**schemas, **RESULT_SCHEMAS}},
    }


def _shown(field: Any) -> Any:
    # What the server passes on as it came is an object for those who send it.
    name, kind = field[:2]
    return (name, dict[str, Any] | None | msgspec.UnsetType, msgspec.UNSET) if kind is msgspec.Raw else field


def _operation(operation: Operation[Any], route: Route, arguments: Schema) -> Schema:
    in_path = _IN_PATH.findall(route.path)
    parameters = [{"name": name, "in": "path", "required": True, "schema": _PATH_SCHEMAS[name]} for name in in_path]
    described: Schema = {
        "operationId": operation.name if route == operation.routes[0] else f"{operation.name}_{route.method.lower()}",
        "summary": operation.summary,
        "parameters": parameters,
        "responses": {
            "200": {"description": "Done.", "content": _content(operation)},
            "default": {
                "description": "Refused, with the reason.",
                "content": {PROBLEM_TYPE: {"schema": {"$ref": _SCHEMAS.format(name="Problem")}}},
            },
        },
    }
    if route.method in ("POST", "PUT"):
        described["requestBody"] = {"required": route.method == "POST", "content": _body(operation)}
    else:
        required = arguments.get("required", ())
        parameters += [
            {
                "name": name,
                "in": "query",
                "required": name in required,
                "description": schema.get("description", ""),
                "schema": {key: value for key, value in schema.items() if key != "description"},
            }
            for name, schema in arguments["properties"].items()
            if name not in ("arrays", "filter", "strength", "idempotency_key") and not (in_path[1:] and name == "ids")
        ]
    if operation.writes:
        parameters.append({"name": "Idempotency-Key", "in": "header", "schema": {"type": "string", "maxLength": 255}})
    if operation.streams:
        parameters.append({"name": "Last-Event-ID", "in": "header", "schema": {"type": "string"}})
    return described


def _body(operation: Operation[Any]) -> Schema:
    form: Schema = {"$ref": _SCHEMAS.format(name=f"_{operation.name}")}
    if operation is not table.OBSERVE:
        return {JSON_TYPE: {"schema": form}}
    one, line = ({"$ref": _SCHEMAS.format(name=name)} for name in (_ONE, _LINE))
    return {
        JSON_TYPE: {"schema": {"oneOf": [one, form]}},
        LINES_TYPE: {"schema": line},
        FRAME_TYPE: {"schema": {"type": "string", "format": "binary"}},
    }


def _content(operation: Operation[Any]) -> Schema:
    result = {"schema": {"$ref": _SCHEMAS.format(name=NAME_OF_RESULT[operation.result])}}
    return dict.fromkeys((EVENTS_TYPE, LINES_TYPE) if operation.streams else (JSON_TYPE,), result)


def _add_streams(described: Schema, operation: Operation[Any]) -> None:
    described["responses"]["200"]["content"].update(_content(operation))
    content = described["requestBody"]["content"]
    content[JSON_TYPE] = {"schema": {"anyOf": [content[JSON_TYPE]["schema"], *(_body(operation)[JSON_TYPE].values())]}}


def _texts(operation: Operation[Any]) -> dict[str, str]:
    """Return what is said about the arguments of an operation, by name."""
    texts: dict[str, str] = {}
    beside = _EXPLAINING.get(operation.name, ())
    for kind in (ObservationBatch, Cue, RecallQuery, *beside, operation.request):
        section = _PARAMETERS.search(inspect.getdoc(kind) or "")
        for names, text in _ENTRY.findall(section[1] if section else ""):
            texts.update(dict.fromkeys(names.split(", "), " ".join(text.split())))
    return {**texts, **_SAID.get(operation.name, {})}


def _described(schema: Schema, texts: dict[str, str]) -> Schema:
    for name, each in schema["properties"].items():
        if name in texts and "description" not in each:
            each["description"] = texts[name]
    return schema
