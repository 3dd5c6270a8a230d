"""Every method of the contract has a behaviour, with its own messages and its own kind of streaming."""

from __future__ import annotations

from typing import Any

import pytest

from engram.server.service import _METHODS, SERVICE_NAME
from engram.wire import engram_pb2 as pb

SERVICE: Any = pb.DESCRIPTOR.services_by_name["EngramService"]


def test_the_service_is_complete() -> None:
    assert SERVICE_NAME == "engram.v1.EngramService"
    assert set(_METHODS) == set(SERVICE.methods_by_name)


@pytest.mark.parametrize("name", list(_METHODS))
def test_methods_are_what_the_contract_says(name: str) -> None:
    make, _, request, response = _METHODS[name]
    method = SERVICE.methods_by_name[name]
    assert request.DESCRIPTOR is method.input_type
    assert response.DESCRIPTOR is method.output_type
    handler: Any = make(lambda: None)
    assert handler.request_streaming == method.client_streaming
    assert handler.response_streaming == method.server_streaming
