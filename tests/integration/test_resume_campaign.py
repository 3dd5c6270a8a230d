"""Sessions resumed again and again with batches in flight: every row that was acknowledged is stored, and once.

The server's directory is opened afterwards, so that each acknowledgement is held against what stands under its very
numbers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from pathlib import Path
from random import Random

import pytest

from engram.client.grpc.transport import GrpcTransport
from engram.store import Cue, Filter, MemoryStore, Space
from engram.wire import engram_pb2 as pb
from tests.integration.resuming_client import Acked, ResumingClient
from tests.integration.server_process import DIM, TIMEOUT_S, ServerProcess, connect

SESSION = "the-session"
EVERYTHING = Cue(filter=Filter(without_tags={"nothing has this"}))
_PAGE = 1000


class Round:
    """Resumptions of one session in one space: by how many clients, and with which data.

    With the same data, what stands under a number depends on the number alone, as of a client that reads a file; with
    new data, every life of a client has its own.
    """

    def __init__(self, transport: GrpcTransport, clients: int, data: str, random: Random) -> None:
        self.space = f"{data}-{clients}"
        self._transport = transport
        self._data = data
        self._random = random
        self._lives = count(1)
        self._former: list[ResumingClient] = []
        self.current: ResumingClient | None = None
        self.rows_in_flight = 0
        self.settled_meanwhile = 0

    def begin(self) -> ResumingClient:
        """Make a client that knows nothing but the id of the session."""
        life = next(self._lives)
        name: Callable[[int, int], str] = (
            (lambda base, row: f"row-{base + row + 1}") if self._data == "same" else (lambda _, row: f"{life}-{row}")
        )
        client = ResumingClient(self._transport, self.space, SESSION, name)
        self._former.append(client)
        return client

    async def resume_alone(self) -> None:
        """The client loses its connection and goes on; or it crashes, and another life of it goes on."""
        client = await self._busy()
        if self._data == "same" and self._random.random() < 0.5:
            await client.transport.cut()
            await client.resumed()
            self._note(client)
        else:
            next_life = self.begin()
            if self._random.random() < 0.5:
                await client.crash()
            await next_life.opened()
            # Or the server sees only afterwards that it is gone.
            await client.crash()
            self._note(next_life)
            self.current = next_life

    async def resume_against_another(self) -> None:
        """A stranger opens the session under the hands of who has it, who may be about to come back at this moment."""
        client = await self._busy()
        stranger = self.begin()
        if self._random.random() < 0.5:
            await client.transport.cut()
        await stranger.opened()
        self._note(stranger)
        stranger.send(self._random, self._random.randint(1, 4))
        error = await client.failed()
        assert error.code == "session_taken_over", error
        self.current = stranger

    async def finish(self) -> list[Acked]:
        """Wait for all that is on its way; return all that was acknowledged to anybody."""
        if self.current is not None:
            await self.current.finish()
        return [acked for client in self._former for acked in client.acked()]

    async def _busy(self) -> ResumingClient:
        """The present client, when some of what it sent just now is answered, and some is not."""
        if self.current is None:
            self.current = self.begin()
            await self.current.opened()
        sent, batches = len(self.current.batches), self._random.randint(3, 10)
        self.current.send(self._random, batches)
        await self.current.answered(sent + self._random.randrange(batches))
        self.rows_in_flight += self.current.unanswered
        self._known = max([ack.first_sequence + len(ack.ids) - 1 for ack in self._answered()], default=0)
        return self.current

    def _answered(self) -> list[Acked]:
        return [
            Acked(future.result().first_sequence, ids)
            for ids, future in (self.current.batches if self.current is not None else [])
            if future.done() and future.exception() is None
        ]

    def _note(self, client: ResumingClient) -> None:
        self.settled_meanwhile += client.transport.welcomes[-1].durable_sequence > self._known


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    running = ServerProcess(tmp_path / "data")
    yield running
    running.process.kill()
    running.process.wait()


async def resume_often(address: str, resumptions: int, seed: int) -> dict[str, tuple[Round, list[Acked]]]:
    """Make so many resumptions, a quarter of each kind; return what was acknowledged, by space."""
    random = Random(seed)
    found: dict[str, tuple[Round, list[Acked]]] = {}
    transport = GrpcTransport(address, {})
    async with connect(address) as stub:
        for clients in (1, 2):
            for data in ("same", "new"):
                each = Round(transport, clients, data, random)
                await stub.CreateSpace(
                    pb.CreateSpaceRequest(memory_space_id=each.space, dimension=DIM), timeout=TIMEOUT_S
                )
                resume: Callable[[], Awaitable[None]] = (
                    each.resume_alone if clients == 1 else each.resume_against_another
                )
                for _ in range(resumptions // 4):
                    await resume()
                found[each.space] = each, await each.finish()
    await transport.close()
    return found


def rows_by_number(space: Space) -> list[str]:
    """The ids of all that is stored, in the order of generations, each of which is one row that is alive."""
    found: list[str] = []
    for last in range(_PAGE, space.generation + _PAGE, _PAGE):
        newest = min(last, space.generation)
        hits = space.recall(EVERYTHING, k=newest - len(found), max_generation=newest)
        assert [hit.generation for hit in reversed(hits)] == list(range(len(found) + 1, newest + 1))
        assert all(hit.content == hit.id for hit in hits)
        found += [hit.id for hit in reversed(hits)]
    return found


def check(space: Space, acked: list[Acked]) -> int:
    """Hold acknowledgements against what is stored; return how many rows were acknowledged.

    A session that is alone in its space has the same number for sequence and generation.
    """
    stored = rows_by_number(space)
    assert space._engine.durable_sequence(SESSION) == len(stored) == space.stats().live_count
    assert len(set(stored)) == len(stored)
    rows = 0
    for first, names in acked:
        assert stored[first - 1 : first - 1 + len(names)] == names, f"acknowledged as {first} and not there"
        rows += len(names)
    return rows


@pytest.mark.parametrize(
    ("resumptions", "seed"), [(40, 1), *(pytest.param(1000, seed, marks=pytest.mark.campaign) for seed in (2, 3))]
)
def test_every_acknowledged_row_is_there_once(server: ServerProcess, resumptions: int, seed: int) -> None:
    found = asyncio.run(resume_often(server.address, resumptions, seed))
    server.stop_soundly()
    with MemoryStore(server.data) as store:
        rows = sum(check(store.space(name, create=False), acked) for name, (_, acked) in found.items())
    in_flight = sum(each.rows_in_flight for each, _ in found.values())
    meanwhile = sum(each.settled_meanwhile for each, _ in found.values())
    assert rows > 0
    assert in_flight > 0
    print(
        f"{resumptions} resumptions (seed {seed}), by one and two clients, with the same and new data, "
        f"{in_flight} rows in flight, {meanwhile} told of more than was known: {rows} rows acked, each stored once"
    )
