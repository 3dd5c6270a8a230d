"""The ways to one store that recalls and durable observations are measured over, each with the same three methods."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

import engram
from engram.client import AsyncClient, Client
from engram.store.space import Space

_CONNECTIONS = 32


class Door(Protocol):
    """A way to a store. What blocks is called on the event loop's thread, one call at a time."""

    async def recall(self, vector: NDArray[np.float32], k: int) -> int:
        """Return how many hits came."""
        ...

    async def observe(self, id: str, vector: NDArray[np.float32]) -> None:
        """Observe one, and return when it is durable."""
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...


class Embedded:
    """The library in this process."""

    def __init__(self, folder: Path, space: str) -> None:
        self._store = engram.MemoryStore(folder)
        self._space: Space = self._store.space(space)

    async def recall(self, vector: NDArray[np.float32], k: int) -> int:
        """Return how many hits came."""
        return len(self._space.recall(vector, k))

    async def observe(self, id: str, vector: NDArray[np.float32]) -> None:
        """Observe one."""
        self._space.observe(id, vector, "a text")

    async def close(self) -> None:
        """Close the store."""
        self._store.close()


class Asynchronous:
    """An `AsyncClient`, of the transport that its address names."""

    def __init__(self, address: str, space: str) -> None:
        self._client = AsyncClient(address, space=space)

    async def recall(self, vector: NDArray[np.float32], k: int) -> int:
        """Return how many hits came."""
        return len(await self._client.recall(vector, k))

    async def observe(self, id: str, vector: NDArray[np.float32]) -> None:
        """Observe one."""
        await self._client.observe(id, vector, "a text")

    async def close(self) -> None:
        """Close the client."""
        await self._client.close()


class Blocking:
    """A `Client`, of the transport that its address names."""

    def __init__(self, address: str, space: str) -> None:
        self._client = Client(address, space=space)

    async def recall(self, vector: NDArray[np.float32], k: int) -> int:
        """Return how many hits came."""
        return len(self._client.recall(vector, k))

    async def observe(self, id: str, vector: NDArray[np.float32]) -> None:
        """Observe one."""
        self._client.observe(id, vector, "a text")

    async def close(self) -> None:
        """Close the client."""
        self._client.close()


class Http:
    """HTTP/1.1 as any program speaks it: connections that stay open, vectors as base64."""

    def __init__(self, address: str, space: str) -> None:
        self._host, _, self._port = address.partition(":")
        self._path = f"/api/v1/spaces/{space}"
        self._idle: asyncio.LifoQueue[_Connection | None] = asyncio.LifoQueue()
        for _ in range(_CONNECTIONS):
            self._idle.put_nowait(None)

    async def recall(self, vector: NDArray[np.float32], k: int) -> int:
        """Return how many hits came."""
        return len((await self._post("recall", {"vector": vector, "k": k}))["hits"])

    async def observe(self, id: str, vector: NDArray[np.float32]) -> None:
        """Observe one."""
        await self._post("observations", {"id": id, "vector": vector, "content": "a text"})

    async def close(self) -> None:
        """Close the connections."""
        while not self._idle.empty():
            if connection := self._idle.get_nowait():
                connection.close()

    async def _post(self, operation: str, fields: dict[str, Any]) -> Any:
        connection = await self._idle.get() or await _Connection.open(self._host, self._port)
        try:
            return await connection.post(f"{self._path}/{operation}", fields)
        finally:
            self._idle.put_nowait(connection)


class _Connection:
    """One connection, which carries one request at a time."""

    def __init__(self, host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._host = host
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, host: str, port: str) -> Self:
        return cls(f"{host}:{port}", *await asyncio.open_connection(host, int(port)))

    async def post(self, path: str, fields: dict[str, Any]) -> Any:
        body = _encode(fields)
        head = f"POST {path} HTTP/1.1\r\nhost: {self._host}\r\ncontent-type: application/json\r\n"
        self._writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        said = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(said.partition(b"content-length:")[2].partition(b"\r\n")[0])
        answer = await self._reader.readexactly(length)
        if not said.startswith(b"http/1.1 200"):
            raise RuntimeError(answer.decode())
        return json.loads(answer)

    def close(self) -> None:
        self._writer.close()


def _encode(fields: dict[str, Any]) -> bytes:
    plain = {
        name: b64encode(value.astype("<f4").tobytes()).decode() if isinstance(value, np.ndarray) else value
        for name, value in fields.items()
    }
    return json.dumps(plain).encode()
