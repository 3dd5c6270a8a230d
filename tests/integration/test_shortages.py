"""Too few descriptors for what clients want: the surplus is refused, what is open goes on, and no shortage is final."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from campaigns.crowds.connections import PREFACE, idle_connections, is_ended
from engram.client import AsyncClient, Client
from engram.wire import engram_pb2 as pb
from engram.wire.grpc_status import decode_status
from engram.wire.observations import encode_batch
from tests.integration.server_process import TIMEOUT_S, batch_of, connect, vectors_of
from tests.integration.socket_client import SocketServer, open_socket

DIM = 16
DESCRIPTORS = 1024
SURPLUS = 1124


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SocketServer]:
    """A server that may have 1024 descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < SURPLUS + 300:
        pytest.skip("this process may not have as many connections as the server is to refuse")
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))
    try:
        running = SocketServer(tmp_path / "data")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    yield running
    running.stop_soundly()


def descriptors_of(server: SocketServer) -> int:
    return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))


@pytest.mark.parametrize("door", ["grpc", "http"])
def test_idle_connections_beyond_the_limit_are_refused_and_writes_go_on(server: SocketServer, door: str) -> None:
    address = f"127.0.0.1:{server.grpc_port}"
    with contextlib.ExitStack() as stack:
        writer = stack.enter_context(Client(address, space="notes"))
        writer.create_space("notes", dim=DIM)
        writer.observe("before", vectors_of(["before"])[0])
        port, begin = (server.grpc_port, PREFACE) if door == "grpc" else (server.http_port, b"GET / HTT")
        idle = idle_connections(stack, port, begin, SURPLUS)
        for number in range(10):
            # A space of its own is a directory and files of its own.
            writer.create_space(f"space-{number}", dim=DIM)
            other = (
                stack.enter_context(Client(address, space=f"space-{number}")) if number < 1 and door == "http" else None
            )
            for each in (writer, other):
                if each is not None:
                    each.observe(f"during {number}", vectors_of([f"during {number}"])[0])
        assert writer.recall(vectors_of(["during 3"])[0], k=1)[0].id == "during 3"
        assert DESCRIPTORS - descriptors_of(server) > 100
        assert sum(map(is_ended, idle)) >= SURPLUS - DESCRIPTORS // 2
    # When they are gone, there is room again.
    with Client(address, space="notes", timeout_s=TIMEOUT_S) as client:
        assert client.space_status().live_count == 11
    connection = server.connect()
    connection.request("GET", "/health")
    assert connection.getresponse().status == 200
    connection.close()


async def test_a_connection_too_many_is_told_so(server: SocketServer) -> None:
    with contextlib.ExitStack() as stack:
        # Half of all are for HTTP, a quarter stays for files.
        idle = idle_connections(stack, server.http_port, b"GET /health HTTP/1.1\r\nHost: localhost\r\n", 384)
        connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=TIMEOUT_S)
        connection.request("GET", "/health")
        answer = connection.getresponse()
        told = json.loads(answer.read())
        assert (answer.status, told["code"], told["limit"]) == (429, "too_many_connections", "384")
        assert answer.getheader("retry-after")
        connection.close()
        with pytest.raises(Exception, match="429"):
            async with open_socket(server.url):
                pass
        idle[0].sendall(b"\r\n")
        assert idle[0].recv(12) == b"HTTP/1.1 200"


@contextlib.contextmanager
def nothing_more_to_open(server: SocketServer) -> Iterator[None]:
    """Take all descriptors that the server has not yet."""
    pid = server.process.pid
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (1, limits[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)


async def test_a_space_lives_on_after_a_shortage_of_descriptors(server: SocketServer) -> None:
    address = f"127.0.0.1:{server.grpc_port}"
    async with connect(address) as stub, AsyncClient(address, space="notes", timeout_s=TIMEOUT_S) as client:
        await client.create_space("notes", dim=DIM)
        # Connected before descriptors are short.
        await stub.ListSpaces(pb.ListSpacesRequest(), timeout=TIMEOUT_S)
        with nothing_more_to_open(server):
            # Its first segment is still to be made.
            request = pb.RememberRequest(memory_space_id="notes", batch=encode_batch(batch_of(["refused"])))
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.Remember(request, timeout=TIMEOUT_S)
            failure: Any = refused.value
            error = decode_status(failure.code(), failure.details(), failure.trailing_metadata())
            assert (error.code, error.is_transient) == ("too_many_files", True)
            assert error.retry_after_ms
            waiting = asyncio.ensure_future(client.observe("patient", vectors_of(["patient"])[0]))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.shield(waiting), 0.2)
        # Whoever waited for it has it stored when the shortage ends.
        async with asyncio.timeout(TIMEOUT_S):
            await waiting
        with nothing_more_to_open(server):
            # What is open can be written.
            await client.observe("meanwhile", vectors_of(["meanwhile"])[0])
        assert [await client.get(id) is not None for id in ("refused", "patient", "meanwhile")] == [False, True, True]
    assert "takes no more writes" not in server.log()
