"""Clients that send and never finish, ask and never read, or send what grows when it is unpacked: others are served."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import http.client
import json
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from engram.model.limits import MESSAGE_BYTES_MAX
from engram.server.websocket.limits import CALLS_MAX
from tests.integration.server_process import DIM, TIMEOUT_S
from tests.integration.socket_client import SocketClient, SocketServer, observation, open_socket, some_vectors

MIB = 1024 * 1024
OPENING = (
    b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
ONE = [1.0] * DIM
LINES = "application/x-ndjson"
FRAME = "application/vnd.engram.frame"


class SmallServer(SocketServer):
    """A server with a memory budget of which one message, and no two, fit into the part for what arrives."""

    def __init__(self, data: Path) -> None:
        settings = {"ENGRAM_SERVER_MEMORY_BYTES_MAX": str(8 * MESSAGE_BYTES_MAX)}
        super().__init__(data, program=("engram", "serve"), environ=settings)

    def peak_bytes(self) -> int:
        """The most memory that it ever had."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallServer]:
    running = SmallServer(tmp_path_factory.mktemp("server") / "data")
    yield running
    running.stop_soundly()


class Witness:
    """A sound client, which is served whatever the others do."""

    def __init__(self, client: SocketClient, space: str) -> None:
        self.client = client
        self.space = space
        self._sent = 0

    async def served(self, times: int = 3) -> None:
        for _ in range(times):
            self._sent += 1
            await self.client.send(observation(self._sent, f"w{self._sent}"))
            await self.client.accepted(self._sent)
            found = await self.client.call("get", self._sent, space=self.space, ids=[f"w{self._sent}"])
            assert [hit["id"] for hit in found["hits"]] == [f"w{self._sent}"]


@asynccontextmanager
async def watched(server: SmallServer, grows_at_most: int) -> AsyncIterator[Witness]:
    """A witness in a space of its own, and a bound of what the memory grows by meanwhile."""
    async with open_socket(server.url) as client:
        space = f"witness-{server.peak_bytes()}"
        await client.call("create_space", 0, space=space, dimension=DIM)
        await client.init(space)
        witness = Witness(client, space)
        await witness.served()
        before = server.peak_bytes()
        yield witness
        await witness.served()
        assert server.peak_bytes() - before < grows_at_most


class RawSocket:
    """A WebSocket of a client that does what it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, server: SmallServer, limit: int = 64 * 1024) -> RawSocket:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.http_port, limit=limit)
        writer.write(OPENING)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        return cls(reader, writer)

    def send(self, first: int, data: bytes, size: int | None = None) -> None:
        """Send a frame whose first byte is `first`; with `size`, one that is as long as that."""
        length = (len(data) if size is None else size).to_bytes(8, "big")
        # A mask of zeros leaves the bytes as they are.
        self.writer.write(bytes([first, 0xFF]) + length + bytes(4) + data)

    async def read(self) -> tuple[int, bytes]:
        """The opcode and the content of the next frame."""
        async with asyncio.timeout(TIMEOUT_S):
            first, second = await self.reader.readexactly(2)
            size = second & 0x7F
            if size > 125:
                size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
            return first & 0x0F, await self.reader.readexactly(size)

    async def close_code(self) -> tuple[int, bytes]:
        """The code and the reason of the close that comes next."""
        opcode, data = await self.read()
        assert opcode == 8
        return int.from_bytes(data[:2], "big"), data[2:]

    def abort(self) -> None:
        self.writer.transport.abort()


def post(server: SmallServer, path: str, body: bytes, **headers: str) -> tuple[int, dict[str, str], Any]:
    """Status, headers and content of an answer, which may come before the body was taken."""
    connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=TIMEOUT_S)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with contextlib.suppress(ConnectionError):
        connection.request("POST", path, body, {"Content-Type": "application/json", **named})
    answer = connection.getresponse()
    told = json.loads(answer.read())
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, told


async def test_messages_that_are_never_finished_are_bounded_over_all_connections(server: SmallServer) -> None:
    async with watched(server, 4 * MESSAGE_BYTES_MAX) as witness:
        hogs = [await RawSocket.open(server) for _ in range(12)]
        size = 39 * MIB

        async def hog(socket: RawSocket) -> tuple[int, bytes]:
            # Half of them in one frame, the others in many.
            in_one = hogs.index(socket) % 2 == 0
            if in_one:
                socket.send(0x02, bytes(25 * MIB), size)
            for number in range(0 if in_one else 25):
                socket.send(0x00 if number else 0x02, bytes(MIB))
            return await socket.close_code()

        told = {asyncio.create_task(hog(socket)): socket for socket in hogs}
        waiting = set(told)
        # Two of them never fit. Which one is left depends on who came first.
        while len(waiting) > 1:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                code, reason = task.result()
                assert (code, json.loads(reason)) == (1013, {"code": "unfinished_bytes", "retry_after_ms": 1000})
            await witness.served(1)
        (left,) = waiting
        refused = await asyncio.to_thread(post, server, "/api/v1/spaces/x/get", bytes(30 * MIB), Content_Type=FRAME)
        assert (refused[0], refused[1]["retry-after"]) == (429, "1")
        assert (refused[2]["code"], refused[2]["kind"]) == ("unfinished_bytes", "over_capacity")
        left.cancel()
        told[left].abort()
        async with asyncio.timeout(TIMEOUT_S):
            # The server notices in its own time that the client is gone.
            while refused[0] == 429:
                refused = await asyncio.to_thread(
                    post, server, "/api/v1/spaces/x/get", bytes(30 * MIB), Content_Type=FRAME
                )
        assert (refused[0], refused[2]["code"]) == (400, "malformed_message")
    for socket in hogs:
        socket.abort()


async def test_a_message_that_is_large_and_whole_is_taken(server: SmallServer) -> None:
    socket = await RawSocket.open(server)
    for _ in range(3):
        socket.send(0x82, bytes(39 * MIB))
        opcode, data = await socket.read()
        assert (opcode, json.loads(data)["code"]) == (1, "malformed_message")
    socket.abort()


async def test_a_message_that_is_too_large_is_refused_while_it_is_sent(server: SmallServer) -> None:
    async with watched(server, 64 * MIB) as witness:
        for _ in range(3):
            socket = await RawSocket.open(server)
            # The client goes on, and reads the reason all the same.
            socket.send(0x82, bytes(MESSAGE_BYTES_MAX + 1))
            assert (await socket.close_code())[0] == 1009
            await witness.served(1)
            socket.abort()


async def test_a_client_that_never_reads_is_held_back(server: SmallServer) -> None:
    async with watched(server, 256 * MIB) as witness:
        large = {"ids": ["x"], "contents": ["x" * 60_000], "vectors": [ONE]}
        await witness.client.call("observe", 90_000, space=witness.space, **large)
        socket = await RawSocket.open(server)
        # The answers are more than a gigabyte.
        for id in range(2000):
            call = {"type": "get", "id": id, "space": witness.space, "ids": ["x"] * 10}
            socket.send(0x81, json.dumps(call).encode())
        await socket.read()
        await witness.served(30)
        readers = []
        for _ in range(8):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.http_port, limit=1024)
            body = json.dumps({"ids": ["x"] * 100}).encode()
            head = f"POST /api/v1/spaces/{witness.space}/get HTTP/1.1\r\nHost: localhost\r\n"
            writer.write(f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            assert await reader.readexactly(12) == b"HTTP/1.1 200"
            readers.append(writer)
        await witness.served(30)
        socket.abort()
        for writer in readers:
            writer.transport.abort()


async def test_large_answers_that_nobody_reads_are_not_all_made(server: SmallServer) -> None:
    async with watched(server, 480 * MIB) as witness:
        ids = [f"n{number}" for number in range(300)]
        for start in range(0, len(ids), 50):
            header = {"type": "observe", "id": 90_000, "space": witness.space, "ids": ids[start : start + 50]}
            await witness.client.send_frame({**header, "contents": ["x" * 65_000] * 50}, vectors=some_vectors(50))
            assert (await witness.client.read_until(id=90_000))["count"] == 50
        socket = await RawSocket.open(server)
        # The answers are 20 MiB each.
        for id in range(CALLS_MAX):
            socket.send(0x81, json.dumps({"type": "get", "id": id, "space": witness.space, "ids": ids}).encode())
        assert (await socket.reader.readexactly(1)) == b"\x81"
        await witness.served(30)
        socket.abort()


async def test_what_grows_when_it_is_unpacked_is_not_unpacked(server: SmallServer) -> None:
    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    # It unpacks to a gigabyte.
    bomb = gzip.compress(b"")[:10] + block * 1024
    assert len(bomb) < 2 * MIB
    async with watched(server, 128 * MIB) as witness:
        path = f"/api/v1/spaces/{witness.space}/observations"
        for kind in ("application/json", LINES, FRAME):
            for encoding in ("gzip", "x-gzip", "deflate", "br", "zstd"):
                status, _, told = await asyncio.to_thread(
                    post, server, path, bomb, Content_Type=kind, Content_Encoding=encoding
                )
                assert (status, told["code"]) == (415, "body_encoding")
            # Without the header, it is what it is: no JSON, no line of JSON, no frame.
            status, _, told = await asyncio.to_thread(post, server, path, bomb, Content_Type=kind)
            assert (status, told["kind"]) == (400, "invalid_input")
        async with open_socket(server.url, compression="deflate") as client:
            # It is offered, and not taken.
            assert client.socket.response is not None
            assert "sec-websocket-extensions" not in client.socket.response.headers
            await client.send_bytes(gzip.compress(json.dumps({"type": "status", "id": 1}).encode()))
            assert (await client.read_until(type="error"))["code"] == "malformed_message"
        socket = await RawSocket.open(server)
        # The bit of a compressed frame.
        socket.send(0x82 | 0x40, zlib.compress(bytes(MIB)))
        assert (await socket.close_code())[0] == 1002
        socket.abort()


async def test_clients_that_go_away_in_the_middle_leave_no_half_message(server: SmallServer) -> None:
    async with watched(server, 128 * MIB) as witness:
        line = json.dumps({"id": "half", "vector": ONE}).encode()
        lines = b"".join(json.dumps({"id": f"n{row}", "vector": ONE}).encode() + b"\n" for row in range(300))
        head = f"POST /api/v1/spaces/{witness.space}/observations HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
        for kind, body in ((LINES, lines + line[:-1]), ("application/json", line[:-1])):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.http_port)
            writer.write(f"{head}{kind}\r\nContent-Length: {len(body) + 1}\r\n\r\n".encode() + body)
            writer.write_eof()
            assert await asyncio.wait_for(reader.read(), TIMEOUT_S) == b""
            writer.close()
        message = json.dumps({**observation(1, "half"), "space": witness.space}).encode()
        for stop in (1, 5, 20, len(message) // 2):
            socket = await RawSocket.open(server)
            socket.send(0x81, message[:stop], len(message))
            await socket.writer.drain()
            socket.abort()
        await witness.served()
        found = await witness.client.call(
            "get", 90_000, space=witness.space, ids=["half", *(f"n{row}" for row in range(300))]
        )
        assert "half" not in [hit["id"] for hit in found["hits"]]
        assert [hit["id"] for hit in found["hits"]] == [f"n{row}" for row in range(len(found["hits"]))]
