"""Every method of the contract has a behaviour, with its own messages and its own kind of streaming."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from engram.server.calls import ServerCalls
from engram.server.engine import Engine
from engram.server.grpc_service import service_handler
from engram.server.options import ServerOptions
from engram.server.service import OPERATIONS
from engram.wire import engram_pb2 as pb
from engram.wire.methods import SERVICE_NAME

SERVICE: Any = pb.DESCRIPTOR.services_by_name["EngramService"]


def test_the_service_is_complete() -> None:
    assert SERVICE_NAME == "engram.v1.EngramService"
    assert set(OPERATIONS) == set(SERVICE.methods_by_name)


@pytest.mark.parametrize("name", list(OPERATIONS))
def test_methods_are_what_the_contract_says(name: str) -> None:
    method, described = OPERATIONS[name].method, SERVICE.methods_by_name[name]
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


def test_everything_but_the_grpc_modules_does_without_grpc() -> None:
    script = (
        "import sys; sys.modules['grpc'] = None\n"
        "import engram.server.service, engram.server.engine, engram.server.options, engram.server.calls"
    )
    subprocess.run([sys.executable, "-c", script], timeout=120, check=True)
