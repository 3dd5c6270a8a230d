"""Clients and servers killed again and again in the middle of streams: every observation is there, and once.

Exactly once means: as many generations as observations. Something stored twice would have taken a generation more,
something lost one less.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from engram.client import Ack, Client, OutboxLimits
from tests.doubles.places import ROOT
from tests.integration.server_process import DIM, TIMEOUT_S, ServerProcess, numbered, steady_port, vectors_of
from tests.integration.streaming_child import BATCH, SESSION

CLIENTS = 3


class Restarting:
    """A server on one port and directory, across its processes."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self.process = ServerProcess(data, "--port", steady_port())
        self.address = self.process.address

    def kill_and_restart(self) -> None:
        self.process.stop(signal.SIGKILL)
        self.process = ServerProcess(self._data, "--port", self.address.rpartition(":")[2])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Restarting]:
    running = Restarting(tmp_path / "data")
    yield running
    running.process.stop_soundly()


def check_every_observation_is_there_once(client: Client, count: int, seed: int) -> None:
    status = client.space_status()
    assert (status.live_count, status.visible_generation) == (count, count)
    for number in random.Random(seed).sample(range(1, count + 1), min(count, 100)):
        (hit,) = client.recall(vectors_of([f"id-{number}"])[0], k=1)
        assert (hit.id, hit.generation) == (f"id-{number}", number)


def run_child(address: str, batches: int, lines: int) -> int:
    """Run a client until it has told of that many acknowledgements, then kill it; return the last sequence told."""
    command = [sys.executable, "-m", "tests.integration.streaming_child", address, "main", str(batches)]
    told = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        for line in process.stdout:
            told = max(told, int(line))
            lines -= 1
            if not lines:
                process.kill()
                break
    return told


@pytest.mark.parametrize("kills", [4, pytest.param(100, marks=pytest.mark.campaign)])
def test_a_client_is_killed_and_resumed_mid_stream(server: Restarting, kills: int) -> None:
    spread = random.Random(kills)
    with Client(server.address, space="main") as client:
        client.create_space("main", dim=DIM)
        acked = 0
        for _ in range(kills):
            acked = max(acked, run_child(server.address, batches=400, lines=spread.randrange(1, 60)))
            assert client.space_status().durable_generation >= acked > 0
        last = run_child(server.address, batches=20, lines=10**9)
        assert last >= acked + 20 * BATCH
        with Client(server.address, space="main", session_id=SESSION) as resumed:
            resumed.connect()
            assert resumed.durable_sequence == last
        check_every_observation_is_there_once(client, last, seed=kills)
        print(f"{kills} kills of the client: {last} observations sent, each stored once")


class Streaming(threading.Thread):
    """A client that streams into a space of its own until told to stop, whatever happens to the server."""

    def __init__(self, address: str, space: str) -> None:
        super().__init__()
        # A server that starts on a busy machine takes its time, and so does room for more.
        limits = OutboxLimits(count_max=4096)
        self.client = Client(address, space=space, limits=limits, timeout_s=TIMEOUT_S)
        self.client.create_space(space, dim=DIM)
        self.futures: list[Future[Ack]] = []
        self.acked = threading.Semaphore(0)
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.is_set():
            ids = numbered(1 + len(self.futures) * BATCH, BATCH)
            future = self.client.submit(ids, vectors_of(ids))
            future.add_done_callback(lambda _: self.acked.release())
            self.futures.append(future)

    def finish(self) -> int:
        """Stop, wait for every answer, and return how many observations were sent."""
        self._stopping.set()
        self.join(TIMEOUT_S)
        assert not self.is_alive()
        self.client.flush(TIMEOUT_S)
        return len(self.futures) * BATCH


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.campaign)])
def test_a_server_is_killed_mid_stream_and_its_clients_come_back(server: Restarting, kills: int) -> None:
    spread = random.Random(kills)
    streams = [Streaming(server.address, f"space-{number}") for number in range(CLIENTS)]
    for stream in streams:
        stream.start()
    for _ in range(kills):
        # Somewhere in the middle: when one of the clients has got so many more answers.
        watched = spread.choice(streams)
        for _ in range(spread.randrange(5, 50)):
            assert watched.acked.acquire(timeout=TIMEOUT_S)
        server.kill_and_restart()
    total = 0
    for stream in streams:
        sent = stream.finish()
        last_sequences = [future.result(0).last_sequence for future in stream.futures]
        assert last_sequences == list(range(BATCH, sent + 1, BATCH))
        check_every_observation_is_there_once(stream.client, sent, seed=kills)
        stream.client.close()
        total += sent
    print(f"{kills} kills of the server: {total} observations of {CLIENTS} clients acknowledged, each stored once")
