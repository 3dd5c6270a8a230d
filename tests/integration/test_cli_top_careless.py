"""``engram top`` and ``engram doctor`` on odd terminals, at wrong addresses, and where little is permitted."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.server_process import TIMEOUT_S
from tests.integration.socket_client import SocketServer
from tests.integration.terminal import Terminal

ENGRAM = [sys.executable, "-m", "engram"]
COMMAND = [*ENGRAM, "top", "--interval", "0.1"]
COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7][0-9;]*m")


@pytest.mark.parametrize(("variables", "is_coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_are_left_out_where_they_are_not_wanted(
    server: SocketServer, tmp_path: Path, variables: dict[str, str], is_coloured: bool
) -> None:
    terminal = Terminal([*COMMAND, "--address", server.base_url], tmp_path, **variables)
    try:
        terminal.read_until("recall@k")
        assert terminal.end(signal.SIGINT) == 0
    finally:
        terminal.process.kill()
        terminal.process.wait()
    assert bool(COLOUR.search(terminal.text)) is is_coloured


def test_a_terminal_that_can_do_nothing_gets_lines(server: SocketServer, tmp_path: Path) -> None:
    terminal = Terminal([*COMMAND, "--address", server.base_url], tmp_path, TERM="dumb")
    try:
        terminal.read_until("observed 0/s")
        assert terminal.end(signal.SIGINT) == 0
    finally:
        terminal.process.kill()
        terminal.process.wait()
    assert "\x1b" not in terminal.text


def test_a_terminal_of_twenty_columns_shows_something(server: SocketServer, tmp_path: Path) -> None:
    terminal = Terminal([*COMMAND, "--address", server.base_url], tmp_path, COLUMNS="20", LINES="6")
    try:
        terminal.read_until("version")
        assert terminal.end(signal.SIGTERM) == 0
    finally:
        terminal.process.kill()
        terminal.process.wait()


def test_a_reader_that_has_enough_is_no_error(server: SocketServer, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "--address", server.base_url],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(TIMEOUT_S) == 0
    process.stderr.close()


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["top", "--once"], ["top"], ["top", "--json"], ["doctor"], ["doctor", "--json"]])
def test_a_full_disk_for_the_output_is_one_sentence(
    server: SocketServer, tmp_path: Path, arguments: list[str], unbuffered: str
) -> None:
    environ = {**os.environ, "ENGRAM_CLIENT_ADDRESS": server.base_url, "PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*ENGRAM, *arguments],
            cwd=tmp_path,
            env=environ,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("engram: ")
    assert "No space left on device" in done.stderr
    assert done.stderr.count("\n") == 1


PROXIES = ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@pytest.mark.parametrize("scheme", ["", "ws://", "http://"])
def test_proxies_are_not_asked_for_this_machine(server: SocketServer, tmp_path: Path, scheme: str) -> None:
    address = server.address if not scheme else f"{scheme}127.0.0.1:{server.http_port}"
    environ = {**os.environ, **dict.fromkeys(PROXIES, "http://127.0.0.1:1")}
    command = [*COMMAND, "--once", "--json", "--address", address]
    done = subprocess.run(
        command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["interval_s"] > 0


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("nonsense://127.0.0.1:1", 2),
        ("http://127.0.0.1:99999", 2),
        ("127.0.0.1", 2),
        ("", 2),
        ("http://", 2),
        ("http://no-such-host.invalid:7432", 1),
        ("http://127.0.0.1:{grpc}", 1),
        ("127.0.0.1:{http}", 1),
    ],
)
def test_a_wrong_address_is_one_sentence(server: SocketServer, tmp_path: Path, given: str, code: int) -> None:
    given = given.format(grpc=server.address.rpartition(":")[2], http=server.http_port)
    done = subprocess.run(
        [*COMMAND, "--once", "--address", given],
        cwd=tmp_path,
        env={**os.environ, "ENGRAM_CLIENT_TIMEOUT_S": "2"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert done.stderr.startswith("engram: ")
    assert done.stderr.count("\n") == 1, done.stderr


def test_few_open_files_are_enough(server: SocketServer, tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    done = subprocess.run(
        [*COMMAND, "--once", "--json", "--address", server.base_url],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        preexec_fn=limit,
    )
    assert (done.returncode, done.stderr) == (0, "")
