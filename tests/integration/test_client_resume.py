"""A client across the death and return of its server: nothing lost, nothing twice, whatever the moment."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from engram.client import Ack, Client
from engram.client.sending.stream_options import StreamOptions
from engram.errors import FailedPrecondition, NotFound, Unavailable
from tests.integration.server_process import DIM, TIMEOUT_S, ServerProcess, numbered, steady_port, vectors_of

BATCH = 50


class Restarting:
    """A server on one port and directory, across its processes, and where it is for a transport."""

    def __init__(self, data: Path, transport: str = "grpc") -> None:
        self._data = data
        self._ports = ["--port", steady_port()]
        if transport == "websocket":
            self._ports += ["--http-port", steady_port()]
        self.process = ServerProcess(data, *self._ports)
        self.address = self.process.address
        if transport == "websocket":
            self.address = f"ws://127.0.0.1:{self._ports[-1]}"

    def restart(self, number: int, data: Path | None = None) -> None:
        self.process.stop(number)
        self.process = ServerProcess(data or self._data, *self._ports)


@pytest.fixture(params=["grpc", "websocket"])
def restarting(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Restarting]:
    server = Restarting(tmp_path / "data", request.param)
    with Client(server.address) as client:
        client.create_space("main", dim=DIM)
    yield server
    server.process.stop(signal.SIGKILL)


def observe(client: Client, first: int, count: int) -> Future[Ack]:
    ids = numbered(first, count)
    return client.submit(ids, vectors_of(ids), [f"text of {name}" for name in ids])


def check_complete(client: Client, count: int) -> None:
    """Every observation once: as many generations as observations, and the last under its own number."""
    status = client.space_status()
    assert (status.live_count, status.visible_generation) == (count, count)
    assert client.durable_sequence == count
    for number in (1, count // 2, count):
        (hit,) = client.recall(vectors_of([f"id-{number}"])[0], k=1)
        assert (hit.id, hit.generation) == (f"id-{number}", number)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
def test_streaming_goes_on_across_restarts(restarting: Restarting, number: int) -> None:
    """The server goes down three times while a thread streams without pause."""
    batches = 400
    futures: list[Future[Ack]] = []
    some_sent = [threading.Event() for _ in range(3)]
    with Client(restarting.address, space="main") as client:

        def stream() -> None:
            for each in range(batches):
                futures.append(observe(client, 1 + each * BATCH, BATCH))
                if each and each % 100 == 0:
                    some_sent[each // 100 - 1].set()

        streaming = threading.Thread(target=stream)
        streaming.start()
        for sent in some_sent:
            assert sent.wait(TIMEOUT_S)
            restarting.restart(number)
            # A client gives up after a minute without progress, which several starts take on a busy machine.
            for unanswered in [future for future in list(futures) if not future.done()][:1]:
                unanswered.result(TIMEOUT_S)
        streaming.join(TIMEOUT_S)
        client.flush(TIMEOUT_S)
        acks = [future.result(0) for future in futures]
        assert [ack.last_sequence for ack in acks] == list(range(BATCH, batches * BATCH + 1, BATCH))
        for ack in acks:
            # One session alone in its space: sequence and generation are the same numbers.
            assert ack.last_generation >= ack.last_sequence
            assert not ack.exact or (ack.first_generation, ack.last_generation) == (
                ack.first_sequence,
                ack.last_sequence,
            )
        check_complete(client, batches * BATCH)


def test_an_idle_client_finds_its_server_again(restarting: Restarting) -> None:
    with Client(restarting.address, space="main") as client:
        observe(client, 1, 10).result(TIMEOUT_S)
        session = client.session_id
        restarting.restart(signal.SIGKILL)
        observe(client, 11, 10).result(TIMEOUT_S)
        assert client.session_id == session
        check_complete(client, 20)


def test_recalls_wait_for_a_server_that_comes_back(restarting: Restarting) -> None:
    with Client(restarting.address, space="main", timeout_s=TIMEOUT_S) as client:
        observe(client, 1, 10).result(TIMEOUT_S)
        restarter = threading.Thread(target=restarting.restart, args=(signal.SIGKILL,))
        restarter.start()
        found = [client.recall(vectors_of([f"id-{number}"])[0], k=1)[0].id for number in range(1, 11)]
        restarter.join(TIMEOUT_S)
        assert found == numbered(1, 10)


def test_single_observations_survive_too(restarting: Restarting) -> None:
    with Client(restarting.address, space="main") as client:
        names = numbered(1, 1000)
        vectors = vectors_of(names)
        futures = [client.submit(name, vector) for name, vector in zip(names[:500], vectors[:500], strict=True)]
        restarting.restart(signal.SIGKILL)
        futures += [client.submit(name, vector) for name, vector in zip(names[500:], vectors[500:], strict=True)]
        client.flush(TIMEOUT_S)
        assert [future.result(0).sequence for future in futures] == list(range(1, 1001))
        check_complete(client, 1000)


def test_a_server_that_stays_away_fails_the_futures(restarting: Restarting) -> None:
    with Client(restarting.address, space="main", options=StreamOptions(patience_s=5)) as client:
        observe(client, 1, 10).result(TIMEOUT_S)
        restarting.process.stop(signal.SIGKILL)
        future = observe(client, 11, 10)
        with pytest.raises(Unavailable, match=r"no progress for 5 s"):
            future.result(TIMEOUT_S)
        with pytest.raises(Unavailable):
            client.flush(TIMEOUT_S)


def test_of_two_clients_with_one_session_id_the_newer_wins_and_nothing_acknowledged_is_missing(
    restarting: Restarting,
) -> None:
    with (
        Client(restarting.address, space="main", session_id="shared") as older,
        Client(restarting.address, space="main", session_id="shared") as newer,
    ):
        names = [numbered(1 + 20 * each, 20, prefix="older") for each in range(50)]
        sent = [(ids, older.submit(ids, vectors_of(ids))) for ids in names]
        sent[10][1].result(TIMEOUT_S)
        newer.connect()
        mine = numbered(1, 20, prefix="newer")
        sent.append((mine, newer.submit(mine, vectors_of(mine))))
        acked: list[tuple[str, int]] = []
        for ids, future in sent:
            error = future.exception(TIMEOUT_S)
            if error is None:
                acked += zip(ids, range(future.result().first_sequence, future.result().last_sequence + 1), strict=True)
            else:
                assert isinstance(error, FailedPrecondition)
                assert error.code == "session_taken_over"
        # The older one does not fight for it, whether its caller looks at futures or not.
        with pytest.raises(FailedPrecondition) as caught:
            observe(older, 1, 10)
        assert caught.value.code == "session_taken_over"
        assert mine[-1] in dict(acked)
        for name, number in acked:
            (hit,) = newer.recall(vectors_of([name])[0], k=1)
            assert (hit.id, hit.generation) == (name, number)


@pytest.mark.parametrize("asked", ["before the space is made anew", "afterwards"])
def test_a_server_with_other_data_is_not_taken_for_the_same(restarting: Restarting, tmp_path: Path, asked: str) -> None:
    with Client(restarting.address, space="main") as client:
        observe(client, 1, 10).result(TIMEOUT_S)
        restarting.restart(signal.SIGKILL, tmp_path / "other-data")
        if asked == "before the space is made anew":
            with pytest.raises(NotFound):
                observe(client, 11, 10).result(TIMEOUT_S)
        with Client(restarting.address) as other:
            other.create_space("main", dim=DIM)
        pending: list[Future[Ack]] = []
        # The client may have met the other data by itself, before it is given something.
        with contextlib.suppress(FailedPrecondition):
            pending.extend(observe(client, first, 10) for first in (11, 21))
        for future in pending:
            with pytest.raises(FailedPrecondition, match="space main was restored, repaired or made anew") as caught:
                future.result(TIMEOUT_S)
            assert caught.value.code == "other_incarnation"
        # And it does not begin anew behind the back of a caller who looks at no future.
        with pytest.raises(FailedPrecondition, match="made anew"):
            observe(client, 31, 10)
