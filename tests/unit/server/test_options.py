"""What a server refuses to be set up with."""

from __future__ import annotations

from typing import Any

import pytest

from engram.errors import InvalidInput
from engram.server import memory_budget_bytes
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


@pytest.mark.parametrize(
    ("field", "value"),
    [("recall_threads", 0), ("recall_threads", 257), ("sessions_max", "5"), ("grace_s", -1), ("allow_remote", 1)],
)
def test_options_out_of_bounds_or_of_another_type_are_refused(field: str, value: Any) -> None:
    settings: dict[str, Any] = {field: value}
    with pytest.raises(InvalidInput, match=field) as caught:
        ServerOptions(None, **settings)
    assert (caught.value.code, caught.value.field) == ("invalid_option", field)


def test_the_memory_budget_is_that_of_the_machine_unless_it_is_given() -> None:
    assert ServerOptions(None).memory_bytes_max == memory_budget_bytes()
    assert ServerOptions(None, memory_bytes_max=0).memory_bytes_max == memory_budget_bytes()
    assert ServerOptions(None, memory_bytes_max=5).memory_bytes_max == 5
