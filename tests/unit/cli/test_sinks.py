"""Where ingest puts its batches, when the client has no room for more."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from engram.cli import sinks
from engram.cli.sinks import ServerSink
from engram.client import Ack
from engram.errors import OverCapacity, Unavailable
from engram.model.spaces import SpaceConfig
from tests.doubles.batches import DIM, batch_of


class FullClient:
    """A client that has room again whenever the oldest of what it took is answered."""

    durable_sequence = 0

    def __init__(self, *_: Any, **__: Any) -> None:
        self.taken: list[Future[Ack]] = []
        self.refused = 0

    def space_status(self) -> Any:
        class Status:
            config = SpaceConfig("notes", DIM)

        return Status()

    def connect(self) -> None:
        pass

    def submit(self, ids: list[str], *_: Any, **__: Any) -> Future[Ack]:
        if self.taken and not self.taken[-1].done():
            self.refused += 1
            number = len(self.taken)
            self.taken[-1].set_result(Ack(number, number, number, number))
            raise OverCapacity("no room", code="buffer_full")
        self.taken.append(Future())
        return self.taken[-1]

    def close(self, timeout_s: float | None = None) -> None:
        for number, future in enumerate(self.taken, 1):
            if not future.done():
                future.set_result(Ack(number, number, number, number))


class Target:
    address = "localhost:1"
    timeout_s = 1.0


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> ServerSink:
    monkeypatch.setattr(sinks, "Client", FullClient)
    target: Any = Target()
    return ServerSink(target, "notes", "session")


def test_a_client_without_room_is_waited_for(sink: ServerSink) -> None:
    for number in range(5):
        sink.put(batch_of([f"id-{number}"]))
    client: Any = sink._client
    assert client.refused == 4
    assert len(client.taken) == 5
    client.close()
    assert sink.finish() == 5


def test_why_a_client_gave_up_is_told(sink: ServerSink) -> None:
    sink.put(batch_of(["a"]))
    client: Any = sink._client
    client.taken[0].set_exception(Unavailable("it went away", code="gave_up"))
    with pytest.raises(Unavailable, match="it went away"):
        sink.put(batch_of(["b"]))


def test_other_refusals_are_not_waited_out(sink: ServerSink, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Future[Ack]:
        raise OverCapacity("too much for ever", code="batch_bytes")

    monkeypatch.setattr(sink._client, "submit", refuse)
    with pytest.raises(OverCapacity, match="for ever"):
        sink.put(batch_of(["a"]))
