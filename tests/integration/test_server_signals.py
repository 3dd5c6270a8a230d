"""Signals that ask a server to end, at every stage of its life: it ends as asked, or says in one line what it does."""

from __future__ import annotations

import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, ClassVar

import pytest

from engram.client import Client
from engram.store import MemoryStore
from tests.integration.server_process import TIMEOUT_S

SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
SKIPPED = "ended without answering calls under way and without checkpoints"
AGAIN = "the server is ending already; one more signal ends it without checkpoints"

# A server that says how far it is, and waits there until a file appears.
RUNNER = """
import sys, time
from pathlib import Path
from engram.lifecycle.stop_signals import EndSignals
EndSignals.of_process()
gate = Path(sys.argv[1])

def pause(what):
    print(what, flush=True)
    while not gate.exists():
        time.sleep(0.01)

{patch}
from engram.server import ServerOptions, serve
ready = lambda address: print("ready at", address, flush=True)
serve(ServerOptions(Path(sys.argv[2]), port=0, http=False, ready=ready))
"""
AT_RECOVERY = """
from engram.store import store_engine
recover = store_engine.recover_space
def slow(*arguments):
    pause("recovering")
    return recover(*arguments)
store_engine.recover_space = slow
"""
AT_CLOSE = """
from engram.store.indexing.maintenance_thread import MaintenanceThread
stop = MaintenanceThread.stop
def slow(self):
    pause("closing")
    stop(self)
MaintenanceThread.stop = slow
"""
# While the main thread waits for the store to close, another thread receives the signals.
ELSEWHERE = """
import signal, threading
def slow_elsewhere(self):
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
    slow(self)
MaintenanceThread.stop = slow_elsewhere
"""


# Whatever started the tests, such as nohup, may have had signals ignored.
PYTHON = ["env", "--default-signal=TERM,INT,HUP", sys.executable]


class Server:
    """A server in a process, line by line. Each of them is ended at the end of its test."""

    running: ClassVar[list[Server]] = []

    def __init__(self, command: Sequence[str]) -> None:
        # Without buffers, because a line in a buffer would not be seen by `select`.
        self.process = subprocess.Popen([*PYTHON, *command], bufsize=0, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.running.append(self)

    def expect(self, text: str) -> str:
        return self._line(self.process.stdout, text)

    def complaint(self, text: str) -> str:
        return self._line(self.process.stderr, text)

    def _line(self, stream: IO[bytes] | None, text: str) -> str:
        assert stream is not None
        while True:
            readable, _, _ = select.select([stream], [], [], TIMEOUT_S)
            line = stream.readline().decode() if readable else ""
            assert line, f"no {text!r}; {self.end()}"
            if text in line:
                return line

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> tuple[int, str]:
        """The exit code, and what is left on stderr."""
        try:
            _, complaints = self.process.communicate(timeout=TIMEOUT_S)
        finally:
            self.process.kill()
        err = complaints.decode()
        assert "Traceback" not in err, err
        return self.process.returncode, err


@pytest.fixture(autouse=True)
def _all_end() -> Iterator[None]:
    yield
    while Server.running:
        process = Server.running.pop().process
        process.kill()
        process.communicate()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A directory whose log is not covered by a checkpoint."""
    path = tmp_path / "data"
    code = (
        "import os, sys, numpy as np\nfrom engram import MemoryStore\n"
        "store = MemoryStore(sys.argv[1])\nspace = store.space('notes', dim=16)\n"
        "for n in range(20): space.observe([f'{n}-{m}' for m in range(1000)], np.random.rand(1000, 16))\nos._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, path], check=True, timeout=TIMEOUT_S)
    return path


def check_data(path: Path, checkpoint: bool = False) -> None:
    """Check that everything is there, and a checkpoint if there has to be one."""
    with MemoryStore(path) as store:
        stats = store.space("notes", create=False).stats()
        assert stats.live_count == 20_000
        assert stats.checkpoint_generation > 0 or not checkpoint


def handles_signals(pid: int) -> bool:
    """Whether a process has taken SIGTERM over, or holds it back until it does."""
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
    )
    bit = 1 << (signal.SIGTERM - 1)
    return bool((int(status["SigCgt"], 16) | int(status["SigBlk"], 16)) & bit)


@pytest.mark.parametrize("number", SIGNALS)
def test_one_signal_ends_it_in_order(tmp_path: Path, data: Path, number: signal.Signals) -> None:
    server = Server(["-c", RUNNER.format(patch=""), str(tmp_path / "gate"), str(data)])
    server.expect("ready at")
    server.send(number)
    assert server.end() == (0, "")
    check_data(data, checkpoint=True)


@pytest.mark.parametrize("numbers", [SIGNALS[:2], SIGNALS[1:], [signal.SIGTERM] * 2])
def test_a_second_signal_is_answered_and_changes_nothing(
    tmp_path: Path, data: Path, numbers: list[signal.Signals]
) -> None:
    server = Server(["-c", RUNNER.format(patch=AT_CLOSE), str(tmp_path / "gate"), str(data)])
    server.expect("ready at")
    server.send(numbers[0])
    server.expect("closing")
    server.send(numbers[1])
    server.complaint(f"engram: {numbers[1].name}: {AGAIN}")
    (tmp_path / "gate").touch()
    assert server.end() == (0, "")
    check_data(data, checkpoint=True)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_third_signal_ends_it_at_once(tmp_path: Path, data: Path, number: signal.Signals) -> None:
    server = Server(["-c", RUNNER.format(patch=AT_CLOSE), str(tmp_path / "gate"), str(data)])
    address = server.expect("ready at").split()[-1]
    with Client(address, space="notes") as client:
        client.submit("0-0", [1.0] * 16).result(TIMEOUT_S)
    server.send(number)
    server.expect("closing")
    server.send(number)
    server.complaint(AGAIN)
    server.send(number)
    code, err = server.end()
    assert code == 1
    assert err.startswith(f"engram: {number.name}: {SKIPPED}")
    assert err.count("\n") == 1
    check_data(data)


def test_signals_that_another_thread_receives(tmp_path: Path, data: Path) -> None:
    server = Server(["-c", RUNNER.format(patch=AT_CLOSE + ELSEWHERE), str(tmp_path / "gate"), str(data)])
    server.expect("ready at")
    server.send(signal.SIGTERM)
    server.complaint(AGAIN)
    server.send(signal.SIGTERM)
    code, err = server.end()
    assert code == 1
    assert SKIPPED in err
    check_data(data)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_during_recovery(tmp_path: Path, data: Path, number: signal.Signals) -> None:
    server = Server(["-c", RUNNER.format(patch=AT_RECOVERY), str(tmp_path / "gate"), str(data)])
    server.expect("recovering")
    server.send(number)
    assert server.end() == (0, f"engram: ended by {number.name} before it was ready\n")
    check_data(data)


@pytest.mark.parametrize("module", ["engram", "engram.server"])
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_at_any_moment_of_the_start(tmp_path: Path, data: Path, module: str, number: signal.Signals) -> None:
    """From the moment the process understands signals, however far it is with imports, starting over, and opening."""
    for delay_ms in (0, 50, 300, 700):
        arguments = ["serve"] if module == "engram" else []
        server = Server(["-m", module, *arguments, "--data", str(data), "--port", "0", "--no-http"])
        while not handles_signals(server.process.pid):
            time.sleep(0.001)
        # Not to wait for anything: each round is to be hit somewhere else.
        time.sleep(delay_ms / 1000)
        server.send(number)
        code, err = server.end()
        assert code == 0, err
        complaints = [line for line in err.splitlines() if line.startswith("engram: ")]
        assert complaints in ([], [f"engram: ended by {number.name} before it was ready"])
    check_data(data)


def test_nohup_is_respected(tmp_path: Path, data: Path) -> None:
    ignore = (
        "import os, signal, sys\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\nos.execv(sys.executable, sys.argv[1:])"
    )
    runner = [sys.executable, "-c", RUNNER.format(patch=""), str(tmp_path / "gate"), str(data)]
    server = Server(["-c", ignore, *runner])
    address = server.expect("ready at").split()[-1]
    server.send(signal.SIGHUP)
    with Client(address, space="notes") as client:
        assert client.space_status().live_count == 20_000
    server.send(signal.SIGTERM)
    assert server.end() == (0, "")


@pytest.mark.parametrize("moment", ["before it is ready", "at work"])
def test_a_server_inside_another_program(tmp_path: Path, data: Path, moment: str) -> None:
    """It takes signals for as long as it runs, and gives them back."""
    code = f"""
import asyncio, os, signal, sys
from pathlib import Path
from engram.server import ServerOptions, run_server
def ready(address):
    os.kill(os.getpid(), signal.SIGTERM)
if {moment == "before it is ready"}:
    from engram.store import store_engine
    recover = store_engine.recover_space
    store_engine.recover_space = lambda *arguments: os.kill(os.getpid(), signal.SIGTERM) or recover(*arguments)
    ready = print
asyncio.run(run_server(ServerOptions(Path(sys.argv[1]), port=0, http=False, ready=ready)))
assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
sys.exit(3)
"""
    server = Server(["-c", code, str(data)])
    assert server.end() == (3, "")
    check_data(data, checkpoint=True)
