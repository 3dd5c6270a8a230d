"""Reaching a server, or being told why not: proxies in the environment, and whatever else may be at an address."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from engram.client import AsyncClient, Client
from engram.errors import EngramError, Unavailable
from tests.integration.server_process import TIMEOUT_S, ServerProcess
from tests.integration.socket_client import SocketServer

# Nothing listens on the first, and the second is no proxy.
PROXIES = ["http://127.0.0.1:1", "http://proxy.invalid:3128"]
VARIABLES = ["http_proxy", "https_proxy", "grpc_proxy", "all_proxy"]
# A client that never had an answer gives up after two seconds of attempts; this only ends what hangs.
CALL_S = 30.0
# An attempt to connect over gRPC takes several times as long.
_ONE_WAY_S = 0.4


def clear_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*VARIABLES, "no_proxy", "no_grpc_proxy"]:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def use_proxy(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    clear_proxies(monkeypatch)
    for name in VARIABLES:
        monkeypatch.setenv(name, proxy)
        monkeypatch.setenv(name.upper(), proxy)


@pytest.mark.parametrize("proxy", PROXIES)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2"])
def test_a_server_on_this_machine_is_reached_whatever_the_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: str, host: str
) -> None:
    use_proxy(monkeypatch, proxy)
    server = ServerProcess(tmp_path / "data", "--host", host, "--allow-remote")
    address = server.address
    try:
        with Client(address) as client:
            client.create_space("notes", dim=8)
        with Client(address, space="notes") as client:
            assert client.submit("a", [1.0] * 8).result(TIMEOUT_S).sequence == 1
            assert [hit.id for hit in client.recall([1.0] * 8)] == ["a"]

        async def asynchronous() -> int:
            async with AsyncClient(address) as client:
                return len(await client.spaces())

        assert asyncio.run(asynchronous()) == 2
        assert run_cli(tmp_path, "status", "--address", address, "--json").returncode == 0
    finally:
        server.stop(signal.SIGKILL)


def run_cli(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "engram", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=2 * TIMEOUT_S, check=False)


def test_the_demo_and_its_server_need_no_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_proxy(monkeypatch, PROXIES[0])
    done = run_cli(tmp_path, "demo")
    assert done.returncode == 0, done.stderr
    assert "recalled before = recalled after" in done.stdout


def test_other_machines_are_still_looked_for_by_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    use_proxy(monkeypatch, "http://127.0.0.1:1")
    # Reserved for documentation, so that nobody is there even without a proxy.
    message = refusal("192.0.2.1:50051")
    assert "tried by the proxy that $grpc_proxy names" in message


@contextmanager
def listening(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Something else than an Engram server, at the address."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)

        def run() -> None:
            with contextlib.ExitStack() as open_connections:
                while not stop.is_set():
                    with contextlib.suppress(OSError):
                        connection = open_connections.enter_context(listener.accept()[0])
                        answer(connection)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stop.set()
            thread.join(TIMEOUT_S)


def end_at_once(connection: socket.socket) -> None:
    connection.close()


def alert_as_tls_does(connection: socket.socket) -> None:
    connection.sendall(bytes.fromhex("15030300020246"))
    connection.close()


def say_nothing(_: socket.socket) -> None:
    pass


def greet_as_mail_does(connection: socket.socket) -> None:
    connection.sendall(b"220 mail.example.com ready\r\n")


@contextmanager
def web_server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(TIMEOUT_S)


@contextmanager
def nothing() -> Iterator[str]:
    # Bound and not listening: nobody else can take the port meanwhile.
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


@contextmanager
def unknown_name() -> Iterator[str]:
    yield "no-such-host.invalid:50051"


@contextmanager
def no_socket() -> Iterator[str]:
    yield "unix:/nowhere/engram.sock"


def refusal(address: str) -> str:
    """What a client says."""
    with Client(address, timeout_s=CALL_S) as client, pytest.raises(Unavailable) as refused:
        client.status()
    assert address in refused.value.message
    assert (refused.value.field, refused.value.value) == ("address", address)

    async def asynchronous() -> str:
        async with AsyncClient(address, timeout_s=CALL_S) as client:
            with pytest.raises(Unavailable) as refused:
                await client.status()
            return refused.value.code

    assert asyncio.run(asynchronous()) == refused.value.code
    return refused.value.message


@pytest.mark.parametrize(
    ("there", "told"),
    [
        (nothing, "nothing listens there (connection refused)"),
        (unknown_name, "the name of the host is not known (name not found)"),
        (no_socket, "there is no such socket"),
        (web_server, "is no Engram server: it speaks HTTP/1 or another protocol"),
        (lambda: listening(greet_as_mail_does), "is no Engram server: it speaks HTTP/1 or another protocol"),
        (lambda: listening(end_at_once), "the connection was ended there"),
        (lambda: listening(alert_as_tls_does), "or want TLS"),
        (lambda: listening(say_nothing), "(timed out)"),
    ],
    ids=["refused", "name", "socket", "web", "mail", "ends", "tls", "silent"],
)
def test_the_message_says_what_was_tried(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    there: Callable[[], contextlib.AbstractContextManager[str]],
    told: str,
) -> None:
    clear_proxies(monkeypatch)
    with there() as address:
        assert told in refusal(address)
        done = run_cli(tmp_path, "status", "--address", address)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("engram: ")
    assert told in done.stderr
    assert address in done.stderr


@contextlib.asynccontextmanager
async def far_away(port: int) -> AsyncIterator[int]:
    """A port that leads to another one by a slow network: everything takes its time, in both directions."""
    streams: list[asyncio.StreamWriter] = []

    async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while piece := await source.read(65_536):
            await asyncio.sleep(_ONE_WAY_S)
            target.write(piece)
        target.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        streams.extend([writer, back])
        with contextlib.suppress(OSError):
            await asyncio.gather(carry(reader, back), carry(there, writer))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        for stream in streams:
            stream.close()
        server.close()


@pytest.mark.parametrize("scheme", ["", "ws://"])
async def test_a_server_is_reached_by_a_slow_network(server: SocketServer, scheme: str) -> None:
    port = server.http_port if scheme else server.grpc_port
    async with far_away(port) as there, AsyncClient(f"{scheme}127.0.0.1:{there}", timeout_s=CALL_S) as client:
        status = await client.status()
    assert status.version


def test_a_server_that_answered_before_and_hangs_is_said_to_hang(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data")
    try:
        with Client(server.address, timeout_s=TIMEOUT_S) as client:
            client.status()
            client._client._calls.timeout_s = 1.0
            server.process.send_signal(signal.SIGSTOP)
            with pytest.raises(Unavailable, match=r"did not answer within 1 s") as refused:
                client.status()
            assert refused.value.code == "call_timeout"
    finally:
        server.process.send_signal(signal.SIGCONT)
        server.stop(signal.SIGKILL)


async def test_another_grpc_server_is_called_that(monkeypatch: pytest.MonkeyPatch) -> None:
    clear_proxies(monkeypatch)
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with AsyncClient(f"127.0.0.1:{port}", timeout_s=CALL_S) as client:
            with pytest.raises(EngramError, match=rf"the server at 127\.0\.0\.1:{port} does not know this call"):
                await client.status()
    finally:
        await server.stop(None)


@pytest.mark.parametrize("address", ["ftp://localhost:50051", "localhost", "localhost:x", "", "::1:50051", "/a/path"])
@pytest.mark.parametrize("by", ["option", "variable"])
def test_the_command_line_refuses_what_is_no_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, by: str
) -> None:
    if by == "variable":
        monkeypatch.setenv("ENGRAM_CLIENT_ADDRESS", address)
    done = run_cli(tmp_path, "spaces", *(["--address", address] if by == "option" else []))
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    source = {"option": "option --address", "variable": "variable ENGRAM_CLIENT_ADDRESS"}[by]
    named = f"address {address!r} " if address else f"{source}: '' is not allowed"
    assert done.stderr.startswith(f"engram: {named}")
