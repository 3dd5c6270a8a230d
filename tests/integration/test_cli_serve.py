"""``engram serve`` and ``engram demo`` as processes, the way a person starts them."""

from __future__ import annotations

import http.client
import itertools
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engram import Cue, Filter
from engram.cli.server_child import ServerChild
from engram.client import Client
from engram.errors import Unavailable
from tests.integration.server_process import TIMEOUT_S


def engram(*arguments: str, cwd: Path, timeout_s: float = 120, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "engram", *arguments],
        cwd=cwd,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def test_a_server_serves_until_it_is_interrupted(tmp_path: Path) -> None:
    """Started from settings in a file, one of them overridden by a variable, one by an option."""
    (tmp_path / "engram.toml").write_text('[server]\ndata = "from-file"\nport = 1\ndim = 32\nembedder = "lexical"\n')
    process = subprocess.Popen(
        [sys.executable, "-m", "engram", "serve", "--port", "0", "--no-http"],
        cwd=tmp_path,
        env={**os.environ, "ENGRAM_SERVER_DATA": "from-variable", "ENGRAM_SERVER_LOG_LEVEL": "warning"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("Engram is ready at 127.0.0.1:")
        assert "data in from-variable" in line
        with Client(line.split()[4]) as client:
            config = client.space_status().config
            assert (config.dim, config.embedder) == (32, "lexical")
            client.submit("a", None, "warm coffee").result(TIMEOUT_S)
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=TIMEOUT_S)
    finally:
        process.kill()
    assert (process.returncode, complaint) == (0, "")
    assert (tmp_path / "from-variable").is_dir()
    assert not (tmp_path / "from-file").exists()


def test_a_directory_or_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    with ServerChild(tmp_path / "data", tmp_path / "server.log") as server:
        locked = engram("serve", "--data", "data", "--port", "0", cwd=tmp_path)
        port = server.address.rpartition(":")[2]
        taken = engram("serve", "--data", "other", "--port", port, cwd=tmp_path)
    for result in (locked, taken):
        assert result.returncode == 1
        assert result.stderr.count("\n") == 1, result.stderr
        assert result.stderr.startswith("engram: ")
    assert f"cannot listen on 127.0.0.1:{port}" in taken.stderr


def test_listening_to_the_world_must_be_meant(tmp_path: Path) -> None:
    result = engram("serve", "--host", "0.0.0.0", "--port", "0", cwd=tmp_path)  # noqa: S104 - it is refused.
    assert result.returncode == 1
    assert "refusing to listen on 0.0.0.0" in result.stderr


def test_a_server_that_cannot_start_tells_why(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file, not a directory")
    with pytest.raises(Unavailable, match="the server did not start; it said"):
        ServerChild(tmp_path / "data", tmp_path / "server.log").start()


def test_the_demo_proves_its_point_in_a_plain_pipe(tmp_path: Path) -> None:
    result = engram("demo", cwd=tmp_path, TMPDIR=str(tmp_path))
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"Its page: http://127\.0\.0\.1:[1-9]\d*/\n", result.stdout)
    assert "Streamed 4,000 observations" in result.stdout
    assert "Killed process" in result.stdout
    assert "recalled before = recalled after" in result.stdout
    assert result.stderr == ""
    assert list(tmp_path.iterdir()) == [], "the demo leaves something behind"


def test_the_demo_can_keep_its_data_and_run_again(tmp_path: Path) -> None:
    for _ in range(2):
        result = engram("demo", "--data", "kept", cwd=tmp_path)
        assert result.returncode == 0, result.stdout + result.stderr
    assert engram("recall", "coffee", "--space", "demo-text", "--data", "kept", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_demo_that_stays_shows_its_page_until_it_is_ended(tmp_path: Path, end: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "engram", "demo", "--stay"],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = ""
        while "#/recall/demo-text" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        port, other = map(int, re.findall(r"http://127\.0\.0\.1:(\d+)/", said))
        assert port == other, "the page that was opened at first does not go on"
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        connection.request("GET", "/")
        assert "<title>Engram</title>" in connection.getresponse().read().decode()
        connection.close()
        with Client(f"ws://127.0.0.1:{port}", space="demo-text") as client:
            arriving = client.recall_stream(Cue(filter=Filter()), 1, follow=True)
            generations = [hit.generation for hits in itertools.islice(arriving, 3) for hit in hits]
            arriving.close()  # type: ignore[attr-defined]  # A generator.
            assert len(generations) >= 2
        process.send_signal(end)
        _, complaint = process.communicate(timeout=TIMEOUT_S)
    finally:
        process.kill()
    assert (process.returncode, complaint) == (0, "")
    assert list(tmp_path.iterdir()) == [], "the demo leaves something behind"
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S).connect()


def test_a_demo_whose_recalls_differ_fails(tmp_path: Path) -> None:
    """The proof is a real comparison: with a recall that forgets, the demo exits with 1."""
    code = (
        "import sys\n"
        "from engram.cli.commands import demo\n"
        "from engram.cli.main import run\n"
        "real, calls = demo._recall_all, []\n"
        "def forgetful(*arguments):\n"
        "    calls.append(1)\n"
        "    found = real(*arguments)\n"
        "    return found if len(calls) == 1 else [found[0][:-1], *found[1:]]\n"
        "demo._recall_all = forgetful\n"
        "sys.exit(run(['demo']))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 1
    assert "recalled before ≠ recalled after" in result.stdout
    assert result.stderr == "engram: what was recalled after the crash is not what was recalled before\n"
