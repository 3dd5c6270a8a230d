"""The choice of a transport: by the scheme of the address, in one place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from engram.client import AsyncClient, Client
from engram.client.grpc.transport import GrpcTransport
from engram.client.transport_choice import OPENERS, choose_transport
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


@pytest.mark.parametrize("address", ["http://localhost:1", "other://x", "://", "", 50051, None])
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
