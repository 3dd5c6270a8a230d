"""The programs in examples/ and the server examples of the documents run against a real server."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.doubles.places import ROOT
from tests.integration.server_process import ServerProcess
from tests.integration.socket_client import SocketServer

SHOWN_ADDRESS: Final = "http://localhost:7432"
_EXAMPLE: Final = re.compile(r"^```python\n(.*?)^```\n+```text\n(.*?)^```", re.MULTILINE | re.DOTALL)


def run(*arguments: str, folder: Path) -> str:
    command = [sys.executable, "-W", "error", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("folder", [[], ["memories"]], ids=["in memory", "on disk"])
def test_embedded(folder: list[str], tmp_path: Path) -> None:
    output = run(str(ROOT / "examples" / "embedded.py"), *folder, folder=tmp_path)
    assert "generation 4000: 4000 words in memory" in output
    assert "thunderbolt: a discharge of lightning" in output
    assert "The printer jammed again ['office']" in output


def test_streaming(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data")
    try:
        output = run(str(ROOT / "examples" / "streaming.py"), server.address, folder=tmp_path)
    finally:
        server.stop()
    assert "is durable up to 4000" in output
    assert output.splitlines()[-4].startswith("cascade ")
    assert len(output.splitlines()[-1].split(",")) == 5


def test_server_examples_of_the_documents(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "getting-started.md").read_text(encoding="utf-8")
    shown = [(code, output) for code, output in _EXAMPLE.findall(text) if SHOWN_ADDRESS in code]
    assert shown
    server = SocketServer(tmp_path / "data")
    try:
        for code, output in shown:
            assert run("-c", code.replace(SHOWN_ADDRESS, server.base_url), folder=tmp_path) == output
    finally:
        server.stop()
