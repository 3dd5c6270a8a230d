"""``engram top`` beside a real server: on a terminal, in a pipe, once, and over every transport."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engram.client import Client
from tests.integration.server_process import TIMEOUT_S, batch_of, numbered
from tests.integration.socket_client import SocketServer
from tests.integration.terminal import Terminal

COMMAND = [sys.executable, "-m", "engram", "top", "--interval", "0.1"]


@pytest.fixture(params=["grpc", "ws", "http"])
def address(request: pytest.FixtureRequest, server: SocketServer) -> str:
    scheme = {"grpc": server.address, "ws": server.base_url}
    found: str = scheme.get(request.param, f"http://127.0.0.1:{server.http_port}")
    return found


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], cwd=cwd, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )


def test_once_is_one_reading_over_every_transport(address: str, tmp_path: Path) -> None:
    with Client(address, space="top") as client:
        client.create_space("top", 16)
        batch = batch_of(numbered(1, 5))
        client.observe(batch.ids, batch.vectors)
        done = run("--once", "--json", "--address", address, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        reading = json.loads(done.stdout)
        live = {space["name"]: space["live"] for space in reading["spaces"]}
        assert live["top"] == 5
        assert reading["address"] == address
        assert {lane["priority"] for lane in reading["lanes"]} == {"high", "normal", "low"}
        assert reading["workers"]
    done = run("--once", "--address", address, cwd=tmp_path)
    assert done.returncode == 0
    assert "index worker" in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("as_json", [False, True])
def test_in_a_pipe_each_interval_is_a_line(server: SocketServer, tmp_path: Path, as_json: bool) -> None:
    command = [*COMMAND, "--address", server.base_url, *(["--json"] if as_json else [])]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=TIMEOUT_S)
    finally:
        process.kill()
    assert (process.returncode, complaint) == (0, "")
    for line in lines:
        assert json.loads(line)["interval_s"] > 0 if as_json else "observed 0/s; rejected 0/s" in line


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_on_a_terminal_it_has_its_own_screen_and_leaves_one_line(
    server: SocketServer, tmp_path: Path, number: int
) -> None:
    terminal = Terminal([*COMMAND, "--address", server.base_url], tmp_path)
    try:
        terminal.read_until("over the last")
        assert terminal.end(number) == 0, terminal.text
    finally:
        terminal.process.kill()
        terminal.process.wait()
    assert "\x1b[?1049h" in terminal.text
    left = terminal.text.rpartition("\x1b[?1049l")[2]
    assert "observed 0/s" in left


def test_a_server_that_goes_away_is_said_and_asked_again(tmp_path: Path) -> None:
    server = SocketServer(tmp_path / "data")
    environ: dict[str, Any] = {**os.environ, "ENGRAM_CLIENT_TIMEOUT_S": "1"}
    command = [*COMMAND, "--address", server.base_url]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        assert "observed" in process.stdout.readline()
        assert server.stop() == 0
        complaints = [process.stderr.readline() for _ in range(2)]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=TIMEOUT_S)
    finally:
        process.kill()
        server.process.kill()
    assert process.returncode == 0
    assert all("does not answer" in complaint for complaint in complaints)


def test_no_server_is_an_error_at_once(tmp_path: Path) -> None:
    environ = {**os.environ, "ENGRAM_CLIENT_TIMEOUT_S": "0.5"}
    command = [*COMMAND, "--address", "http://127.0.0.1:1"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("engram: ")
    assert "Traceback" not in done.stderr
