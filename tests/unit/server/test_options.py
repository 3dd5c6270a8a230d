"""What a server refuses to be set up with."""

from __future__ import annotations

import pytest

from engram.errors import InvalidInput
from engram.server.options import ServerOptions


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]"])
def test_loopback_is_always_allowed(host: str) -> None:
    assert ServerOptions(None, host=host).host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "127.0.0.1.example.org", ""])  # noqa: S104  # Refused.
def test_other_hosts_need_permission(host: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        ServerOptions(None, host=host)
    assert (caught.value.code, caught.value.field) == ("remote_not_allowed", "host")
    assert ServerOptions(None, host=host, allow_remote=True).host == host


@pytest.mark.parametrize("port", [-1, 65536])
def test_impossible_ports_are_refused(port: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        ServerOptions(None, port=port)
    assert caught.value.code == "invalid_port"
