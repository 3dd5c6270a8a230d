"""The HTTP port of a real server, by raw sockets and a plain HTTP client."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engram.client import Client
from engram.model.limits import MESSAGE_BYTES_MAX
from tests.integration.server_process import TIMEOUT_S
from tests.integration.socket_client import SocketServer, everything


def test_both_ports_answer_and_the_file_names_both(server: SocketServer) -> None:
    assert server.address.endswith(f":{server.grpc_port}")
    with Client(server.address) as client:
        assert client.status().version
    connection = server.connect()
    for _ in range(3):
        connection.request("GET", "/health/ready")
        answer = connection.getresponse()
        expected = {"status": "ready", "reasons": [], "health": "ok", "problems": []}
        assert (answer.status, json.loads(answer.read())) == (200, expected)
    connection.close()


@pytest.mark.parametrize("order", ["all at once", "the body after the answer"])
def test_a_body_that_is_too_large_gets_its_answer_and_the_connection_lives(server: SocketServer, order: str) -> None:
    connection = server.connect()
    body = b"x" * (MESSAGE_BYTES_MAX + 1)
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    connection.request("POST", "/health", body if order == "all at once" else None, headers)
    answer = connection.getresponse()
    if order != "all at once":
        connection.sock.sendall(body)
    assert (answer.status, json.loads(answer.read())["code"]) == (413, "message_bytes")
    connection.request("GET", "/health/live")
    assert connection.getresponse().read() == b'{"status":"live"}'
    connection.close()


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\nhost: localhost\r\nx: " + b"y" * 100_000, b"431"),
        (b"\x00\x01\x02\x03\r\n\r\n", b"400"),
        (b"GET /health HTTP/1.1\r\nconnection: close\r\n\r\n", b"400"),
        (b"GET /health HTTP/1.0\r\nhost: localhost\r\n\r\n", b"200"),
        (b"POST /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-encoding: gzip\r\n\r\n", b"415"),
        (
            b"GET /v1/nowhere HTTP/1.1\r\nhost: evil.example\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
            b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            b"403",
        ),
    ],
)
def test_what_is_refused_is_refused_with_a_typed_answer(server: SocketServer, data: bytes, status: bytes) -> None:
    answer = everything(server.open(data))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == status, answer
    assert status == b"200" or json.loads(body)["status"] == int(status)


def test_clients_that_go_away_at_any_moment_leave_nothing_in_the_log(server: SocketServer) -> None:
    request = b"POST /health HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    request += b"content-length: 9\r\n\r\n12"
    for length in range(0, len(request), 7):
        server.open(request[:length]).close()
    assert "Traceback" not in server.log()
    assert "ERROR" not in server.log()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_waits_for_no_connection(tmp_path: Path, number: signal.Signals) -> None:
    server = SocketServer(tmp_path / "data")
    request = b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n"
    silent, head, kept = server.open(), server.open(request[:-2]), server.open(request)
    assert kept.recv(12) == b"HTTP/1.1 200"
    assert server.stop(number) == 0, server.log()
    assert everything(silent) == b""
    assert everything(head) == b""
    everything(kept)
    assert "Traceback" not in server.log()


def test_a_base_path_is_part_of_the_address(tmp_path: Path) -> None:
    arguments = ["serve", "--memory", "--port", "0", "--http-port", "0", "--http-base-path", "/memory"]
    process = subprocess.Popen(
        [sys.executable, "-m", "engram", *arguments, "--log-level", "warning"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Engram is ready at ")
        line = process.stdout.readline()
        assert line.startswith("Engram answers HTTP at http://127.0.0.1:")
        assert line.endswith("/memory/\n")
        port = int(line.rpartition(":")[2].partition("/")[0])
        for path in ("/memory/health/live", "/health/live"):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
            connection.request("GET", path)
            assert connection.getresponse().status == 200
            connection.close()
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=TIMEOUT_S)
    finally:
        process.kill()
    assert (process.returncode, complaint) == (0, "")


def test_a_port_that_was_asked_for_and_is_taken_is_one_sentence(server: SocketServer, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "engram", "serve", "--memory", "--port", "0"]
    for environ, arguments in (
        ({}, ["--http-port", str(server.http_port)]),
        ({"ENGRAM_SERVER_HTTP_PORT": str(server.http_port)}, []),
    ):
        done = subprocess.run(
            [*command, "--log-level", "error", *arguments],
            cwd=tmp_path,
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 1
        assert done.stderr.startswith(f"engram: cannot listen on 127.0.0.1:{server.http_port} for HTTP")
        assert done.stderr.count("\n") == 1
