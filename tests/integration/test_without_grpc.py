"""A client whose transport is not gRPC does without gRPC and protobuf: it observes, recalls and ends without them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from engram.client import Client
from tests.doubles.places import ROOT
from tests.integration.socket_client import SocketServer

PROGRAM = """
import sys
sys.modules["grpc"] = sys.modules["google.protobuf"] = None
import asyncio
import numpy as np
from engram.client import AsyncClient, Client
from engram.client.threads.loop_thread import LoopThread
from engram.model.spaces import SpaceConfig
from engram.server.engine import Engine
from engram.server.options import ServerOptions
from tests.doubles.in_process import InProcessServer

async def start():
    engine = Engine.open(ServerOptions(None, default_space=SpaceConfig("default", 8)))
    return engine, InProcessServer(engine)

async def ends(engine, server):
    await server.stop(60)
    await engine.close()

async def asynchronous():
    engine, server = await start()
    async with AsyncClient(server.address) as client:
        await client.observe("a", np.ones(8))
        print([hit.id for hit in await client.recall(np.ones(8))])
        print([hit.id async for hits in client.recall_stream(np.ones(8)) for hit in hits])
        print((await client.get("a")).id, (await client.snapshot()).generation)
        print((await client.space_status()).live_count)
        print(len(await client.spaces()), len((await client.status()).spaces), await client.delete(["a", "b"]))
        print((await client.create_space("notes", 8)).name)
    await ends(engine, server)

asyncio.run(asynchronous())
loop = LoopThread.shared()
engine, server = loop.run(start())
with Client(server.address) as client:
    client.observe("b", np.ones(8))
    print([hit.id for hit in client.recall(np.ones(8))])
loop.run(ends(engine, server))
"""


OVER_WEBSOCKET = """
import sys
sys.modules["grpc"] = sys.modules["google.protobuf"] = None
import asyncio
import numpy as np
from engram.client import AsyncClient, Client

async def asynchronous(address):
    async with AsyncClient(address) as client:
        await client.observe("a", np.ones(768))
        print([hit.id for hit in await client.recall(np.ones(768))])
        print([hit.id async for hits in client.recall_stream(np.ones(768)) for hit in hits])
        print((await client.get("a")).id, (await client.snapshot()).generation)
        print((await client.space_status()).live_count)
        print(len(await client.spaces()), len((await client.status()).spaces), await client.delete(["a", "b"]))
        print((await client.create_space("notes", 8)).name)

address = sys.argv[1]
asyncio.run(asynchronous(address))
with Client(address) as client:
    client.observe("b", np.ones(768))
    print([hit.id for hit in client.recall(np.ones(768))])
unclosed = Client(address)
unclosed.submit("c", np.ones(768))
"""


def test_another_transport_needs_neither_grpc_nor_protobuf() -> None:
    assert output(PROGRAM) == ["['a']", "['a']", "a 1", "1", "1 1 1", "notes", "['b']"]


def test_websocket_needs_neither_grpc_nor_protobuf(tmp_path: Path) -> None:
    server = SocketServer(tmp_path / "data")
    try:
        assert output(OVER_WEBSOCKET, server.base_url) == ["['a']", "['a']", "a 1", "1", "1 1 1", "notes", "['b']"]
        with Client(server.base_url) as client:
            assert client.get("c") is not None, "what a client that was not closed has sent"
    finally:
        server.stop()


def output(program: str, *arguments: str) -> list[str]:
    """The lines that a program prints, which says nothing else."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()
