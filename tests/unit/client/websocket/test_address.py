"""Addresses of WebSockets: what they mean, and what is refused before anything is sent there."""

from __future__ import annotations

import pytest

from engram.client.websocket.address import parse_socket_address
from engram.errors import InvalidInput


@pytest.mark.parametrize(
    ("address", "meant"),
    [
        ("ws://localhost:7432", (False, "localhost", 7432, "/v1/stream")),
        ("http://localhost:7432/", (False, "localhost", 7432, "/v1/stream")),
        ("WS://LocalHost:7432", (False, "localhost", 7432, "/v1/stream")),
        ("ws://[::1]:7432", (False, "::1", 7432, "/v1/stream")),
        ("ws://localhost:7432/v1/stream", (False, "localhost", 7432, "/v1/stream")),
        ("https://example.org/base", (True, "example.org", 443, "/base/v1/stream")),
        ("wss://example.org:8443/a/b/", (True, "example.org", 8443, "/a/b/v1/stream")),
        ("ws://example.org", (False, "example.org", 80, "/v1/stream")),
    ],
)
def test_what_an_address_means(address: str, meant: tuple[bool, str, int, str]) -> None:
    parsed = parse_socket_address(address)
    assert (parsed.uri.secure, parsed.uri.host, parsed.uri.port, parsed.uri.resource_name) == meant
    assert parsed.text == address


@pytest.mark.parametrize(
    "address",
    [
        "ws://",
        "ws://:7432",
        "ws://localhost:",
        "ws://localhost:0",
        "ws://localhost:65536",
        "ws://localhost:port",
        "ws://local host:1",
        "ws://localhost:1\n",
        "ws://[::1:1",
        "ws://[::z]:1",
        "ws://1.2.3:1",
        "ws://-:1",
        "ws://localhost:1?token=x",
        "ws://localhost:1#part",
        "ws://localhost:1/päth",
        "ws://" + "a" * 300 + ":1",
        "ftp://localhost:1",
    ],
)
def test_what_is_no_address_is_refused_with_a_better_one(address: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse_socket_address(address)
    assert (refusal.value.code, refusal.value.field) == ("invalid_address", "address")
    assert "ws://localhost:7432" in refusal.value.message
    assert len(refusal.value.message) < 400


def test_a_credential_in_an_address_is_not_shown() -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse_socket_address("ws://user:secret@localhost:1")
    assert "secret" not in repr(vars(refusal.value))
