"""The HTTP server over real sockets: deadlines that tick, and an end that nothing can delay for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from engram.server.calls import ServerCalls
from engram.server.engine import Engine
from engram.server.http.connection import HttpLimits
from engram.server.http.http_server import HttpServer
from engram.server.options import ServerOptions

# Only a failing test waits so long.
TIMEOUT_S = 60.0
REQUEST = b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def serving(limits: HttpLimits | None = None) -> AsyncIterator[HttpServer]:
    engine = Engine.open(ServerOptions(None))
    server = HttpServer(engine, ServerCalls(engine), limits)
    await server.start("127.0.0.1", 0)
    yield server
    await asyncio.wait_for(server.stop(0.0), TIMEOUT_S)
    await engine.close()


async def connect(server: HttpServer, data: bytes = b"") -> Streams:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(data)
    return reader, writer


async def rest(streams: Streams) -> bytes:
    """What comes until the server ends the connection."""
    reader, writer = streams
    data = await asyncio.wait_for(reader.read(), TIMEOUT_S)
    writer.close()
    return data


async def test_slow_clients_are_ended_by_the_clock() -> None:
    async with serving(HttpLimits(idle_s=0.01, header_s=0.01, body_s=0.01)) as server:
        idle = await connect(server)
        head = await connect(server, REQUEST[:-2])
        assert await rest(idle) == b""
        assert (await rest(head)).startswith(b"HTTP/1.1 408 ")


async def test_connections_beyond_the_limit_are_told_and_there_is_room_again() -> None:
    async with serving(HttpLimits(connections_max=1)) as server:
        first = await connect(server, REQUEST)
        assert (await first[0].readline()) == b"HTTP/1.1 200 OK\r\n"
        second = await connect(server, REQUEST)
        answer = await rest(second)
        assert answer.startswith(b"HTTP/1.1 429 ")
        assert b"too_many_connections" in answer
        first[1].close()
        await first[1].wait_closed()
        for _ in range(1000):
            third = await connect(server, REQUEST)
            line = await third[0].readline()
            third[1].close()
            if line == b"HTTP/1.1 200 OK\r\n":
                break
        assert line == b"HTTP/1.1 200 OK\r\n"


async def test_the_end_ends_every_kind_of_connection() -> None:
    async with serving() as server:
        silent = await connect(server)
        kept = await connect(server, REQUEST)
        head = await connect(server, REQUEST[:-2])
        body = await connect(server, b"POST /x HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\n12")
        for reader in (kept[0], body[0]):
            assert (await reader.readline()).startswith(b"HTTP/1.1 ")
        open_connections = [silent, kept, head, body]
    for streams in open_connections:
        await rest(streams)


async def test_a_server_that_ended_listens_no_more() -> None:
    async with serving() as server:
        port = server.port
    second = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", port)
    second.close()
    await second.wait_closed()
