"""Streams of messages over the seam of the client's transports, one message for each batch, whatever its size."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from engram.client.grpc.transport import GrpcTransport
from engram.client.transport import Accepted, Closed, Greeting, Refused, StreamConnection, Transport
from engram.client.websocket.observe_socket import ObserveSocket
from engram.client.websocket.transport import WebSocketTransport
from engram.model.observations import ObservationBatch, fill_batch
from engram.model.priority import Priority

_encode_json = msgspec.json.Encoder().encode
_TEXT = "observation: the quick brown fox jumps over the lazy dog"
# Decimals of the numbers of a unit vector, as services that make embeddings send them: about as many digits as a
# float32 has. As Python writes a float32, each number would have twice as many, which nobody sends.
_DECIMALS = 9


class JsonTransport(WebSocketTransport):
    """Sends each observation as one text of JSON, with its vector as a list of numbers, as any program could."""

    def encode(self, batch: ObservationBatch, priority: Priority) -> Any:
        """Return the vector, as JSON, and the rest."""
        return _encode_json(np.round(batch.vectors[0].astype(np.float64), _DECIMALS).tolist()), batch.ids[0]

    async def observe(self, greeting: Greeting) -> Any:
        """Open the session."""
        connection = _JsonSocket(self._address, self._metadata, self._heartbeats)
        return connection, await connection.open(greeting)


class _JsonSocket(ObserveSocket):
    async def send(self, payload: Any, first_sequence: int, traceparent: str = "") -> None:
        vector, id = payload
        rest = _encode_json({"id": id, "content": _TEXT, "vector": msgspec.Raw(vector)})
        text = b'{"type":"observation","sequence_number":%d,%b' % (first_sequence, rest[1:])
        await self._socket.send(text, is_frame=False)


class Base64Transport(JsonTransport):
    """Sends each observation as one text of JSON, with its vector as base64."""

    def encode(self, batch: ObservationBatch, priority: Priority) -> Any:
        """Return the vector, as JSON, and the rest."""
        return _encode_json(batch.vectors[0].astype("<f4").tobytes()), batch.ids[0]


Maker = Callable[[str, str], Transport]
"""Makes a transport from the address of gRPC and that of HTTP."""
STREAMS: dict[str, Maker] = {
    "grpc": lambda grpc, http: GrpcTransport(grpc, {}),
    "websocket": lambda grpc, http: WebSocketTransport(f"ws://{http}", {}),
    "websocket, JSON": lambda grpc, http: JsonTransport(f"ws://{http}", {}),
    "websocket, JSON with base64": lambda grpc, http: Base64Transport(f"ws://{http}", {}),
}


@dataclass(slots=True)
class Streamed:
    """What became of one stream: counts, and the milliseconds from each sending to its ack."""

    sent: int = 0
    acked: int = 0
    ack_ms: list[float] = field(default_factory=list)


class Stream:
    """One session that sends batches, as many at a time as `in_flight` observations allow.

    Parameters
    ----------
    transport
        What carries it.
    space, name
        The space, and a text with which its ids begin.
    rows
        Vectors, float32, shape ``(n, dim)``, sent again and again.
    batch, in_flight
        Observations in a message, and sent without an ack.
    """

    def __init__(
        self, transport: Transport, space: str, name: str, rows: NDArray[np.float32], batch: int, in_flight: int
    ) -> None:
        self.streamed = Streamed()
        self._transport = transport
        self._space = space
        self._name = name
        self._rows = rows
        self._batch = batch
        self._in_flight = in_flight
        self._waiting: deque[tuple[int, float]] = deque()
        self._changed = asyncio.Event()

    async def run(self, count: int = 0, seconds: float = 0.0) -> Streamed:
        """Send `count` observations, or for some seconds; return when all are acked."""
        connection, _ = await self._transport.observe(Greeting(self._space, writer=secrets.randbelow(2**63) + 1))
        receiving = asyncio.create_task(self._receive(connection))
        end_s = time.perf_counter() + seconds
        while self.streamed.sent < count or time.perf_counter() < end_s:
            while self.streamed.sent + self._batch - self.streamed.acked > self._in_flight and not receiving.done():
                self._changed.clear()
                await self._changed.wait()
            if receiving.done():
                receiving.result()
            await self._send(connection)
        await connection.close_session(self.streamed.sent)
        await receiving
        await connection.abort()
        await self._transport.close()
        return self.streamed

    async def _send(self, connection: StreamConnection) -> None:
        first = self.streamed.sent
        place = first % (len(self._rows) - self._batch + 1)
        ids = [f"{self._name}-{number}" for number in range(first, first + self._batch)]
        batch = fill_batch(ids, self._rows[place : place + self._batch], {"contents": [_TEXT] * self._batch})
        self.streamed.sent += self._batch
        self._waiting.append((self.streamed.sent, time.perf_counter()))
        await connection.send(self._transport.encode(batch, Priority.NORMAL), first + 1)

    async def _receive(self, connection: StreamConnection) -> None:
        try:
            while not isinstance(event := await connection.receive(), Closed):
                if isinstance(event, Refused):
                    raise event.error
                if isinstance(event, Accepted):
                    self._note(event.ack.last_sequence)
        finally:
            # The sender learns of the end, and of a refusal.
            self._changed.set()

    def _note(self, sequence: int) -> None:
        now = time.perf_counter()
        while self._waiting and self._waiting[0][0] <= sequence:
            last, sent_s = self._waiting.popleft()
            self.streamed.ack_ms.append((now - sent_s) * 1e3)
            self.streamed.acked = last
        self._changed.set()
