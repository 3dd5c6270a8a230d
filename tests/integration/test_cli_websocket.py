"""The command line takes the address of a server over WebSocket wherever it takes one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.integration.server_process import TIMEOUT_S
from tests.integration.socket_client import SocketServer


def engram(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "engram", *arguments], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )


def test_every_command_of_a_server_takes_a_websocket(tmp_path: Path) -> None:
    server = SocketServer(tmp_path / "data")
    try:
        place = ("--address", server.base_url)
        notes = tmp_path / "notes.jsonl"
        notes.write_text('{"id": "n1", "text": "the pump leaks"}\n{"id": "n2", "text": "the sea is calm"}\n')
        ingested = engram("ingest", str(notes), "--space", "notes", "--create", "--embedder", "lexical", *place)
        assert ingested.returncode == 0, ingested.stderr
        recalled = engram("recall", "leaking pump", "--space", "notes", "--json", *place)
        assert recalled.returncode == 0, recalled.stderr
        assert json.loads(recalled.stdout)[0]["id"] == "n1"
        status = engram("status", "--json", *place)
        assert status.returncode == 0, status.stderr
        assert "notes" in json.dumps(json.loads(status.stdout))
        spaces = engram("spaces", "--json", *place)
        assert (spaces.returncode, "notes" in spaces.stdout) == (0, True), spaces.stderr
        made = engram("spaces", *place, "create", "others", "--dim", "8")
        assert made.returncode == 0, made.stderr
    finally:
        server.stop()


def test_a_server_that_is_not_there_is_named() -> None:
    done = engram("status", "--address", "ws://127.0.0.1:1")
    assert (done.returncode, "ws://127.0.0.1:1" in done.stderr) == (1, True), done.stderr
