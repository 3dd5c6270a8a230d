"""Every operation of the table has a behaviour, a protobuf codec and a method of the clients, and gRPC serves them."""

from __future__ import annotations

import inspect
import subprocess
import sys
from typing import Any

import pytest

from engram.client import AsyncClient, Client
from engram.model.operations.operation import Operation
from engram.model.operations.table import OPERATIONS
from engram.server.calls import ServerCalls
from engram.server.engine import Engine
from engram.server.grpc_service import service_handler
from engram.server.options import ServerOptions
from engram.server.protobuf.service import METHODS
from engram.server.service import BEHAVIOURS, STREAM_BEHAVIOURS
from engram.wire import engram_pb2 as pb
from engram.wire.methods import SERVICE_NAME
from engram.wire.operations.table import CODEC_OF, CODECS

SERVICE: Any = pb.DESCRIPTOR.services_by_name["EngramService"]
# Where the method of a client has another name than the operation: `space` is the name of a client's own.
CLIENT_NAMES = {"space": "space_status"}


def test_every_operation_has_one_behaviour() -> None:
    assert set(BEHAVIOURS) == {name for name, operation in OPERATIONS.items() if not operation.streams}
    assert set(STREAM_BEHAVIOURS) == {name for name, operation in OPERATIONS.items() if operation.streams}


@pytest.mark.parametrize("operation", list(OPERATIONS.values()), ids=list(OPERATIONS))
def test_a_behaviour_takes_the_request_of_its_operation(operation: Operation[Any]) -> None:
    behaviour = {**BEHAVIOURS, **STREAM_BEHAVIOURS}[operation.name]
    annotations = inspect.get_annotations(behaviour)
    assert annotations["request"] == operation.request.__name__
    assert annotations["encode"] == f"Callable[[{operation.result.__name__}], T]"


def test_every_operation_has_a_protobuf_codec_and_a_method_of_its_own() -> None:
    assert {name: codec.operation for name, codec in CODECS.items()} == OPERATIONS
    assert len({codec.method.name for codec in CODECS.values()}) == len(OPERATIONS)
    assert {codec.operation.request for codec in CODEC_OF.values()} == set(CODEC_OF)
    for codec in CODECS.values():
        assert codec.method.answers_stream == codec.operation.streams


@pytest.mark.parametrize("home", [Client, AsyncClient])
@pytest.mark.parametrize("name", list(OPERATIONS))
def test_every_operation_has_a_method_of_the_clients(name: str, home: type) -> None:
    assert callable(getattr(home, CLIENT_NAMES.get(name, name)))


def test_names_and_routes_are_unique_as_far_as_they_must_be() -> None:
    for name, operation in OPERATIONS.items():
        assert operation.name == name
        assert operation.summary.endswith(".")
        assert operation.routes
    routes = [route for operation in OPERATIONS.values() if not operation.streams for route in operation.routes]
    assert len(set(routes)) == len(routes)


def test_the_service_is_complete() -> None:
    assert SERVICE_NAME == "engram.v1.EngramService"
    assert set(METHODS) == set(SERVICE.methods_by_name)


@pytest.mark.parametrize("name", list(METHODS))
def test_methods_are_what_the_contract_says(name: str) -> None:
    method, described = METHODS[name].method, SERVICE.methods_by_name[name]
    assert method.name == name
    assert method.request.DESCRIPTOR is described.input_type
    assert method.response.DESCRIPTOR is described.output_type


async def test_grpc_serves_every_method_with_its_kind_of_streaming() -> None:
    engine = Engine.open(ServerOptions(None))
    handler: Any = service_handler(ServerCalls(engine))
    for name, described in SERVICE.methods_by_name.items():

        class Details:
            method = f"/{SERVICE_NAME}/{name}"

        found = handler.service(Details)
        assert found.request_streaming == described.client_streaming
        assert found.response_streaming == described.server_streaming
    await engine.close()


@pytest.mark.parametrize(
    ("hidden", "modules"),
    [
        ("grpc", "engram.server.protobuf.service, engram.wire.operations.table, engram.server.options"),
        ("google.protobuf", "engram.server.calls, engram.server.service, engram.server.handlers.session_stream"),
        ("google.protobuf", "engram.client, engram.model.operations.table, engram.wire.error_kinds"),
    ],
)
def test_only_the_modules_of_a_transport_need_its_packages(hidden: str, modules: str) -> None:
    script = f"import sys; sys.modules['grpc'] = sys.modules[{hidden!r}] = None\nimport {modules}"
    subprocess.run([sys.executable, "-c", script], timeout=120, check=True)
