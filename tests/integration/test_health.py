"""A server with a fault tells of it in every way, and what ends by itself ends without a restart."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from engram.client import AsyncClient, Client, Problem
from engram.errors import Unavailable
from tests.doubles.http_transport import SCHEME
from tests.integration.faulty_process import faulty_server
from tests.integration.faulty_server import FULL_DISK, REFUSED_CHECKPOINTS, REFUSED_SYNCS
from tests.integration.server_process import DIM, TIMEOUT_S, numbered, vectors_of
from tests.integration.socket_client import SocketServer

SPACE = "notes"
# Two batches of them do not fit into the first segment.
LARGE, LARGE_COUNT = "x" * 65_000, 9


def addresses(server: SocketServer) -> list[str]:
    """The server over every transport."""
    return [f"grpc://127.0.0.1:{server.grpc_port}", server.base_url, server.base_url.replace("ws://", f"{SCHEME}://")]


class Looks:
    """What a server tells of its health, everywhere."""

    def __init__(self, server: SocketServer) -> None:
        self.server = server

    def problems(self) -> list[Problem]:
        """The problems of the space, which are the same over every transport, to both clients and in all answers."""
        found = [self._asked(address) for address in addresses(self.server)]
        found.append(asyncio.run(self._asked_of_coroutines()))
        assert found == found[:1] * len(found)
        return found[0]

    def _asked(self, address: str) -> list[Problem]:
        with Client(address, space=SPACE) as client:
            stats, status, server = client.stats(), client.space_status(), client.status()
            (of_server,) = [each for each in server.spaces if each.name == SPACE]
            (listed,) = [each for each in client.spaces() if each.name == SPACE]
        answers = [stats.problems, status.problems, of_server.problems, listed.problems]
        assert answers == [stats.problems] * 4
        assert stats.health == status.health == of_server.health == server.health
        assert list(server.all_problems) == list(stats.problems)
        return list(stats.problems)

    async def _asked_of_coroutines(self) -> list[Problem]:
        async with AsyncClient(addresses(self.server)[0], space=SPACE) as client:
            return list((await client.stats()).problems)

    def ready(self) -> tuple[int, Any]:
        """The answer of ``/health``."""
        connection = self.server.connect()
        connection.request("GET", "/health")
        answered = connection.getresponse()
        body = json.loads(answered.read())
        connection.close()
        return answered.status, body

    def sent(self, count: int) -> tuple[int, Any]:
        """The answer to so many large observations, which nobody sends again."""
        ids = numbered(1, count, "sent")
        body = {"ids": ids, "vectors": vectors_of(ids).tolist(), "contents": [LARGE] * count}
        connection = self.server.connect()
        path = f"/api/v1/spaces/{SPACE}/observations"
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answered = connection.getresponse()
        found = json.loads(answered.read())
        connection.close()
        return answered.status, found

    def metrics(self) -> str:
        """The lines of ``/metrics`` that tell of problems."""
        connection = self.server.connect()
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return "\n".join(line for line in text.splitlines() if line.startswith("engram_streaming_problem_level{"))

    def command(self) -> tuple[int, Any, str]:
        """The exit code of ``engram status``, and what it shows as JSON and to people."""
        arguments = [sys.executable, "-m", "engram", "status", "--address", f"http://127.0.0.1:{self.server.http_port}"]

        def run(*more: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [*arguments, *more], capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env=WIDE
            )

        made, shown = run("--json"), run()
        assert made.returncode == shown.returncode
        return made.returncode, json.loads(made.stdout), shown.stdout

    def lines(self, name: str) -> list[str]:
        """What the log says of a problem."""
        return [line for line in self.server.log().splitlines() if f"({name})" in line]

    def until(self, wanted: list[str]) -> None:
        """Wait until the space has these problems."""
        deadline = time.monotonic() + TIMEOUT_S
        with Client(addresses(self.server)[0], space=SPACE) as client:
            while (found := [problem.name for problem in client.stats().problems]) != wanted:
                assert time.monotonic() < deadline, (found, self.server.log())

    def until_told(self, name: str, count: int) -> None:
        """Wait until the log has so many lines about a problem: one that ends is gone a moment before its line."""
        deadline = time.monotonic() + TIMEOUT_S
        while len(self.lines(name)) < count:
            assert time.monotonic() < deadline, self.server.log()
        assert len(self.lines(name)) == count


WIDE = {"COLUMNS": "200", "PATH": ""}


@contextmanager
def ill(tmp_path: Path) -> Iterator[tuple[Looks, Client, Callable[[str], Path]]]:
    data = tmp_path / "data"
    with (
        faulty_server("refusing", data) as server,
        Client(addresses(server)[0], space=SPACE) as client,
    ):
        client.create_space(SPACE, DIM)
        client.observe("a", vectors_of(["a"])[0])
        yield Looks(server), client, data.with_suffix


def large(client: Client, id: str) -> None:
    ids = numbered(1, LARGE_COUNT, id)
    client.observe(ids, vectors_of(ids), [LARGE] * LARGE_COUNT)


def test_a_full_disk_is_told_everywhere_and_over_when_there_is_room(tmp_path: Path) -> None:
    with ill(tmp_path) as (looks, client, switch), ExitStack() as stack:
        looks.until([])
        assert looks.ready()[0] == 200
        large(client, "fits")
        switch(FULL_DISK).touch()
        status, refusal = looks.sent(LARGE_COUNT)
        assert (status, refusal["code"], refusal["limit"]) == (503, "disk_full", "0")
        assert int(refusal["value"]) > LARGE_COUNT * len(LARGE)
        looks.until(["disk_full"])
        (problem,) = looks.problems()
        assert (problem.level, problem.space) == ("failed", SPACE)
        assert "bytes, and 0 are free" in problem.message
        assert str(tmp_path / "data") in problem.message
        status, body = looks.ready()
        assert (status, body["health"]) == (503, "failed")
        assert {"code": "disk_full", "space": SPACE, "message": problem.message} in body["reasons"]
        assert looks.metrics() == f'engram_streaming_problem_level{{memory_space="{SPACE}",problem="disk_full"}} 2.0'
        code, made, shown = looks.command()
        assert (code, made["health"]) == (5, "failed")
        assert made["problems"] == [problem._asdict()]
        assert "disk_full" in shown
        # What fits is stored, a deletion above all.
        assert client.delete(["a"]) == 1
        client.observe("small", vectors_of(["small"])[0])
        other = stack.enter_context(Client(addresses(looks.server)[1], space=SPACE))
        ids = numbered(1, LARGE_COUNT, "waits")
        waiting = other.submit(ids, vectors_of(ids), [LARGE] * LARGE_COUNT)
        switch(FULL_DISK).unlink()
        looks.until([])
        # The client tries again for a while.
        assert waiting.result(TIMEOUT_S).count == LARGE_COUNT
        large(client, "c")
        assert looks.ready()[0] == 200
        assert looks.command()[0] == 0
        looks.until_told("disk_full", 2)


def test_a_refused_sync_is_told_everywhere_until_a_restart(tmp_path: Path) -> None:
    with ill(tmp_path) as (looks, client, switch):
        switch(REFUSED_SYNCS).touch()
        with pytest.raises(Unavailable):
            client.delete(["a"])
        looks.until(["sync_refused"])
        switch(REFUSED_SYNCS).unlink()
        (problem,) = looks.problems()
        status, body = looks.ready()
        assert (status, body["problems"]) == (503, [problem._asdict()])
        assert looks.command()[0] == 5
        assert len(looks.lines("sync_refused")) == 1
        assert [hit.id for hit in client.recall(vectors_of(["a"])[0])] == ["a"]
    with faulty_server("refusing", tmp_path / "data") as server:
        Looks(server).until([])
        assert Looks(server).command()[0] == 0


def test_a_checkpoint_that_fails_degrades_until_it_can_be_written(tmp_path: Path) -> None:
    with ill(tmp_path) as (looks, client, switch):
        switch(REFUSED_CHECKPOINTS).touch()
        ids = numbered(1, 20)
        client.observe(ids, vectors_of(ids))
        looks.until(["checkpoint_failed"])
        assert looks.problems()[0].level == "degraded"
        status, body = looks.ready()
        assert (status, body["health"], body["reasons"]) == (200, "degraded", []), "every call is served"
        assert looks.command()[0] == 5
        switch(REFUSED_CHECKPOINTS).unlink()
        looks.until([])
        looks.until_told("checkpoint_failed", 2)
