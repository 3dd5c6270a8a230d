"""A plain WebSocket client that sees every message of a server."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from engram.wire.frames import decode_frame, encode_frame
from tests.integration.server_process import DIM, TIMEOUT_S, ServerProcess, vectors_of


class SocketServer(ServerProcess):
    """A server whose HTTP and WebSocket can be reached, too."""

    def __init__(self, data: Path, *arguments: str, **process: Any) -> None:
        ports = data.with_suffix(".ports")
        super().__init__(data, "--http-port", "0", "--port-file", str(ports), *arguments, **process)
        self.grpc_port, self.http_port = map(int, ports.read_text().splitlines())

    @property
    def base_url(self) -> str:
        return f"ws://127.0.0.1:{self.http_port}"

    @property
    def url(self) -> str:
        return f"{self.base_url}/v1/stream"

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=TIMEOUT_S)

    def open(self, data: bytes = b"") -> socket.socket:
        """A plain connection, over which `data` was sent."""
        opened = socket.create_connection(("127.0.0.1", self.http_port), TIMEOUT_S)
        try:
            opened.sendall(data)
        except OSError:
            # The server has gone, or refuses it before all is there.
            opened.close()
            raise
        return opened


def everything(opened: socket.socket) -> bytes:
    """What comes over a plain connection until the server ends it."""
    with opened:
        return b"".join(iter(lambda: opened.recv(65536), b""))


def observation(sequence: int, id: str, **fields: Any) -> dict[str, Any]:
    """A single observation whose vector and text follow from its id."""
    return {
        "type": "observation",
        "sequence_number": sequence,
        "id": id,
        "vector": vectors_of([id])[0].tolist(),
        "content": f"text of {id}",
        **fields,
    }


def columns(sequence: int, ids: Sequence[str], **fields: Any) -> dict[str, Any]:
    """A batch without vectors."""
    return {
        "type": "observation_batch",
        "sequence_number": sequence,
        "ids": list(ids),
        "contents": [f"text of {id}" for id in ids],
        **fields,
    }


class SocketClient:
    """One WebSocket, message by message."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.seen: list[dict[str, Any]] = []

    async def send(self, *messages: Any) -> None:
        """Send messages as text, without a pause between them."""
        async with asyncio.timeout(TIMEOUT_S):
            for message in messages:
                await self.socket.send(
                    message if isinstance(message, str) else json.dumps(message, separators=(",", ":"))
                )

    async def send_frame(self, header: Mapping[str, Any], **arrays: NDArray[Any]) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            await self.socket.send(encode_frame(header, arrays))

    async def send_bytes(self, data: bytes) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            await self.socket.send(data)

    async def read(self) -> dict[str, Any]:
        """The next message; a frame is its header, with the arrays beside the fields."""
        async with asyncio.timeout(TIMEOUT_S):
            data = await self.socket.recv()
        if isinstance(data, bytes):
            frame = decode_frame(data)
            message = {**frame.header, **frame.arrays}
        else:
            message = json.loads(data)
        self.seen.append(message)
        return message

    async def read_until(self, **fields: Any) -> dict[str, Any]:
        """The next message that has these fields; others are passed over."""
        while True:
            message = await self.read()
            if fields.items() <= message.items():
                return message

    async def init(self, space: str, **fields: Any) -> dict[str, Any]:
        """Open a session."""
        await self.send({"type": "init", "space": space, **fields})
        message = await self.read_until(type="init_ack")
        return message

    async def accepted(self, last_sequence: int) -> dict[str, Any]:
        """Read acks until `last_sequence` is accepted; a rejection fails."""
        while True:
            message = await self.read_until(type="ack")
            assert message["status"] != "rejected", message
            if message["status"] == "accepted" and message["last_sequence"] >= last_sequence:
                return message

    async def call(self, operation: str, id: int, **arguments: Any) -> dict[str, Any]:
        """The only answer of a call."""
        await self.send({"type": operation, "id": id, **arguments})
        return await self.read_until(id=id)

    async def recall_ids(self, space: str, name: str, k: int = 10) -> list[str]:
        answer = await self.call("recall", 4711, space=space, vector=vectors_of([name])[0].tolist(), k=k)
        return [hit["id"] for hit in answer["hits"]]

    async def end(self) -> tuple[int, str]:
        """Read to the end; return the code and the reason of the close."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                await self.read()
        assert self.socket.close_code is not None
        return self.socket.close_code, self.socket.close_reason or ""


@asynccontextmanager
async def open_socket(url: str, *subprotocols: str, **options: Any) -> AsyncIterator[SocketClient]:
    """A connected client."""
    offered = [Subprotocol(name) for name in subprotocols] or None
    async with connect(url, subprotocols=offered, max_size=None, proxy=None, ping_interval=None, **options) as socket:
        yield SocketClient(socket)


def some_vectors(count: int) -> NDArray[np.float32]:
    return np.random.default_rng(count).standard_normal((count, DIM)).astype(np.float32)
