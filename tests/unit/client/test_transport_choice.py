"""The choice of a transport: by the scheme of the address, in one place."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from engram.client import AsyncClient, Client
from engram.client.grpc.transport import GrpcTransport
from engram.client.transport_choice import OPENERS, choose_transport
from engram.client.websocket.transport import WebSocketTransport
from engram.errors import InvalidInput


class Opened:
    """A transport that only knows what it was opened with."""

    def __init__(self, address: str, metadata: Mapping[str, str]) -> None:
        self.address = address
        self.metadata = metadata


@pytest.mark.parametrize("address", ["localhost:1", "[::1]:1", "unix:/tmp/socket", "dns:///localhost:1"])
def test_an_address_without_a_scheme_of_ours_is_one_of_grpc(address: str) -> None:
    transport = choose_transport(address)
    assert isinstance(transport, GrpcTransport)
    assert transport.address == address


def test_grpc_can_be_asked_for_by_name() -> None:
    transport = choose_transport("grpc://localhost:1")
    assert isinstance(transport, GrpcTransport)
    assert transport.address == "localhost:1"


@pytest.mark.parametrize("address", ["ws://localhost:1", "WSS://localhost", "http://[::1]:1/base", "https://localhost"])
def test_an_address_of_the_web_is_one_of_websocket(address: str) -> None:
    transport = choose_transport(address)
    assert isinstance(transport, WebSocketTransport)
    assert transport.address == address


@pytest.mark.parametrize(
    ("package", "address", "extra"),
    [("grpc", "localhost:1", "client"), ("websockets", "ws://localhost:1", "websocket")],
)
def test_what_is_not_installed_is_named_with_its_extra(package: str, address: str, extra: str) -> None:
    program = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from engram.client import Client; from engram.errors import MissingExtra\n"
        f"try: Client({address!r})\n"
        "except MissingExtra as error: print(error.limit, error.value, error.message)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    limit, value, message = done.stdout.strip().split(" ", 2)
    assert (limit, value) == (extra, package)
    assert f"pip install 'engram-stream[{extra}]'" in message


@pytest.mark.parametrize(
    "address", ["htp://localhost:1", "grpc://localhost", "ws://", "other://x", "://", "", 50051, None]
)
def test_what_no_transport_knows_is_refused(address: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        choose_transport(address)
    assert caught.value.code == "invalid_address"


@pytest.mark.parametrize("address", ["other://x", "OTHER://x"])
@pytest.mark.parametrize("kind", [AsyncClient, Client])
def test_a_scheme_decides_for_both_clients(
    monkeypatch: pytest.MonkeyPatch, kind: type[AsyncClient | Client], address: str
) -> None:
    opened: list[Opened] = []

    def open_other(address: str, metadata: Mapping[str, str]) -> Any:
        opened.append(Opened(address, metadata))
        return opened[-1]

    monkeypatch.setitem(OPENERS, "other", open_other)
    kind(address, metadata={"Authorization": "Bearer 1"})
    assert [(each.address, each.metadata) for each in opened] == [(address, {"authorization": "Bearer 1"})]


def test_metadata_are_checked_before_anything_is_opened() -> None:
    with pytest.raises(InvalidInput) as caught:
        AsyncClient("localhost:1", metadata={"two words": "x"})
    assert caught.value.code == "invalid_call_metadata"
