"""Sockets that listen."""

from __future__ import annotations

import asyncio
import socket

import pytest

from engram.errors import Unavailable
from engram.server.http.listening import listen


def test_a_free_port_is_taken_by_every_address_of_the_host() -> None:
    sockets = listen("localhost", 0)
    assert len({each.getsockname()[1] for each in sockets}) == 1
    for each in sockets:
        with socket.create_connection(each.getsockname()[:2]):
            pass
        each.close()


def test_a_taken_port_is_told() -> None:
    (taken,) = listen("127.0.0.1", 0)
    port = taken.getsockname()[1]
    with pytest.raises(Unavailable, match=f"127.0.0.1:{port}") as caught:
        listen("127.0.0.1", port)
    assert (caught.value.code, caught.value.field, caught.value.value) == ("address_in_use", "http_port", str(port))
    taken.close()
    (again,) = listen("127.0.0.1", port)
    again.close()


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host", "x" * 300, "a..b"])
def test_what_is_no_address_of_this_machine_is_told(host: str) -> None:
    with pytest.raises(Unavailable, match="cannot listen"):
        listen(host, 0)


async def test_what_is_short_is_sent_at_once() -> None:
    delays: list[int] = []

    class Connection(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            accepted = transport.get_extra_info("socket")
            delays.append(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            transport.close()

    (listening,) = listen("127.0.0.1", 0)
    async with await asyncio.get_running_loop().create_server(Connection, sock=listening):
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        assert await reader.read() == b""
        writer.close()
    assert delays[0]
