"""The library's stream over a real connection that a test cuts, and what became of each batch it was given."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

from engram.client.grpc.observe_call import GrpcObserveCall
from engram.client.grpc.transport import GrpcTransport
from engram.client.sending.observe_session import ObserveSession
from engram.client.sending.send_buffer import OutboxLimits
from engram.client.sending.stream_options import StreamOptions
from engram.client.transport import Greeting, Welcome
from engram.errors import EngramError
from engram.model.ack import Ack
from engram.model.arguments import ManyObservations
from engram.model.priority import Priority
from engram.model.spaces import SpaceConfig
from tests.integration.server_process import DIM, TIMEOUT_S, vectors_of

ROWS_MAX = 40


class CuttableTransport:
    """`GrpcTransport` whose connections can be cut from outside, and which remembers how it was welcomed."""

    def __init__(self, inner: GrpcTransport) -> None:
        self._inner = inner
        self.welcomes: list[Welcome] = []
        self.welcomed = asyncio.Event()
        self.connections: list[GrpcObserveCall] = []

    async def observe(self, greeting: Greeting) -> tuple[GrpcObserveCall, Welcome]:
        connection, welcome = await self._inner.observe(greeting)
        self.connections.append(connection)
        self.welcomes.append(welcome)
        self.welcomed.set()
        return connection, welcome

    async def close(self) -> None:
        """Leave the transport, which all lives share, as it is."""

    async def cut(self) -> None:
        """End the newest connection as a broken network does; nothing is done about the stream."""
        self.welcomed.clear()
        await self.connections[-1].abort()


class Acked(NamedTuple):
    """A batch whose caller was told that it is stored under these numbers."""

    first_sequence: int
    ids: list[str]


class ResumingClient:
    """One life of a client: from opening a session to a crash, or to being taken over.

    Parameters
    ----------
    name_row
        Takes the number of the first row and says what the observation at a position of this life's data is called;
        vectors and texts follow from the id.
    """

    def __init__(self, transport: GrpcTransport, space: str, session: str, name_row: Callable[[int, int], str]) -> None:
        self.transport = CuttableTransport(transport)
        self.batches: list[tuple[list[str], asyncio.Future[Ack]]] = []
        self._name_row = name_row
        self._rows = 0
        self._base = 0
        self.observing = ObserveSession(
            self.transport,
            SpaceConfig(space, DIM),
            lambda batch: transport.encode(batch, Priority.NORMAL),
            limits=OutboxLimits(),
            options=StreamOptions(patience_s=TIMEOUT_S),
            session_id=session,
        )

    async def opened(self) -> None:
        """Wait for the first connection."""
        await asyncio.wait_for(self.observing.stream.connected(), TIMEOUT_S)
        self._base = self.transport.welcomes[0].durable_sequence

    def send(self, random: Random, batches: int) -> None:
        """Hand over batches of random sizes, without waiting for an answer."""
        for _ in range(batches):
            rows = range(self._rows, self._rows + random.randint(1, ROWS_MAX))
            self._rows = rows.stop
            ids = [self._name_row(self._base, row) for row in rows]
            future: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
            batch = ManyObservations(ids, vectors_of(ids), ids, {}).batch(self.observing.config)
            assert self.observing.add(future, batch) is None
            self.batches.append((ids, future))

    async def answered(self, count: int) -> None:
        """Wait until so many batches are answered, or it is over."""
        for _, future in self.batches[:count]:
            either: set[asyncio.Future[Any]] = {future, self.observing.task}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)

    @property
    def unanswered(self) -> int:
        """How many rows are on their way."""
        return sum(len(ids) for ids, future in self.batches if not future.done())

    async def resumed(self) -> None:
        """Wait for the connection after a cut."""
        await asyncio.wait_for(self.transport.welcomed.wait(), TIMEOUT_S)

    async def failed(self) -> EngramError:
        """Wait until it is over, and return why."""
        await asyncio.wait_for(asyncio.wait({self.observing.task}), TIMEOUT_S)
        assert self.observing.stream.failure is not None
        return self.observing.stream.failure

    async def crash(self) -> None:
        """Be gone in the middle of everything."""
        self.observing.task.cancel()
        await asyncio.wait({self.observing.task})

    async def finish(self) -> None:
        """Wait for every answer and disconnect."""
        await self.observing.drain(TIMEOUT_S)

    def acked(self) -> list[Acked]:
        """What its callers were told is stored."""
        found = []
        for ids, future in self.batches:
            assert future.done(), "a batch was left without an answer"
            if future.exception() is None:
                ack = future.result()
                assert ack.count == len(ids)
                found.append(Acked(ack.first_sequence, ids))
        return found
